//! `framepost replay FUNCTION --bucket URL`: passes existing objects to one function again.
//!
//! The bucket is listed by key twice: to report the number of objects and the cost, and to put the
//! objects into the function's own inbox. A function that is triggered by records gets the records that
//! this program's object-triggered functions make of each object. These depend only on the object, so
//! they equal the original records.
//!
//! Progress is saved after each batch, so that a replay that was killed continues there. Like any repeated
//! delivery, an object that is passed twice has the effect of one.

mod cost;
mod progress;
mod range;

use crate::functions::Functions;
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use cost::{Amount, Estimate};
use edge_uploader::terminal;
use framepost_events::record::Record;
use framepost_events::{ObjectFinalized, Sha256};
use framepost_host::manifest::{Happened, Manifest, Trigger};
use framepost_host::{Clouds, Connector, Handler};
use framepost_ports::location::{Location, Role};
use framepost_ports::{Bus, Carrier, Feed, Given, Message, ObjectListing, chain};
use jiff::Timestamp;
use progress::Progress;
use range::Range;
use std::io::{BufRead as _, IsTerminal as _};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Objects listed at a time.
const PAGE: usize = 1000;
/// Objects that are given at a time; progress is saved after each batch.
const BATCH: usize = 100;
/// How often progress is logged if standard error is not a terminal.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The longest pause before a request is repeated that may succeed later.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name of the function; `framepost functions` lists them.
    function: String,
    /// The bucket with the objects.
    #[arg(long, value_name = "URL", value_parser = |text: &str| Location::parse(text, Role::Bucket))]
    bucket: Location,
    /// Where to put messages for the function: its queue, or the topic that delivers to it alone. By default, the one of the
    /// bucket's own installation: the local inbox, the queue framepost-FUNCTION in the bucket's account and region, or the topic
    /// framepost-FUNCTION-replay in the project GOOGLE_CLOUD_PROJECT.
    #[arg(long, value_name = "URL", value_parser = |text: &str| Location::parse(text, Role::Feed))]
    inbox: Option<Location>,
    #[command(flatten)]
    range: Range,
    /// Gives at most this many objects a second.
    #[arg(long, value_name = "N/s", value_parser = rate)]
    rate: Option<NonZeroU32>,
    /// Prints the number of objects and the cost, and gives none.
    #[arg(long)]
    dry_run: bool,
    /// Starts without asking for confirmation.
    #[arg(long)]
    yes: bool,
    /// Directory in which progress is kept.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

fn rate(text: &str) -> Result<NonZeroU32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse();
    number.map_err(|_| "expected a whole number of objects a second, such as 50/s".to_owned())
}

pub(crate) async fn run(arguments: Arguments, functions: &Functions) -> anyhow::Result<ExitCode> {
    let function = functions.get(&arguments.function)?;
    let manifest = function.manifest();
    let connector = Connector::default();
    let listing = connector.cloud_of(&arguments.bucket)?.listing(&arguments.bucket).await?;
    let makers = Makers::of(functions, manifest, &connector, &arguments.bucket).await?;
    let inbox = arguments.inbox.as_ref().unwrap_or(&arguments.bucket);
    let feed = connector.cloud_of(inbox)?.feed(inbox, &manifest.name).await;
    let feed = feed.with_context(|| format!("cannot find the inbox of {}: give it with --inbox", manifest.name))?;

    let identity = format!("{} {} {} {}", manifest.name, arguments.bucket, inbox, arguments.range.identity());
    let state = arguments.state.clone().unwrap_or_else(progress::default_directory);
    let progress = Progress::of(&state, &identity);
    let given = progress.read().with_context(|| format!("cannot read the progress kept in {}", state.display()))?;
    if !given.after.is_empty() {
        terminal::err(format_args!("continues after {} ({} given before)", given.after, given.messages));
    }
    let mut replay = Replay { listing, feed, makers, manifest, range: &arguments.range, progress, given };
    let amount = replay.survey().await?;
    let reads_each = if replay.makers.0.is_empty() { 1.0 } else { 2.0 };
    let estimate = Estimate { amount, manifest, cloud: arguments.bucket.cloud(), reads_each };
    terminal::err(format_args!("{}: {estimate}", manifest.name));
    if arguments.dry_run || amount.objects == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.yes && !asked(&manifest.name)? {
        return Ok(ExitCode::FAILURE);
    }
    replay.give(amount, arguments.rate).await?;
    Ok(ExitCode::SUCCESS)
}

/// Asks for confirmation on the terminal, and returns whether the answer is yes.
fn asked(function: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("standard input is not a terminal, so nobody can confirm: give --yes");
    }
    terminal::err(format_args!("Give them to {function}? [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

struct Replay<'a> {
    listing: Arc<dyn ObjectListing>,
    feed: Arc<dyn Feed>,
    makers: Makers,
    manifest: &'a Manifest,
    range: &'a Range,
    progress: Progress,
    given: progress::Given,
}

impl Replay<'_> {
    /// Returns the next page of objects after `after`, including objects that are not in the range; empty at the end.
    async fn page(&self, prefixes: &[String], after: &str) -> anyhow::Result<Vec<ObjectFinalized>> {
        for prefix in prefixes {
            // Everything below it comes before.
            if after > prefix.as_str() && !after.starts_with(prefix.as_str()) {
                continue;
            }
            let page = patiently("list", async || self.listing.list(prefix, after, PAGE).await).await?;
            if !page.is_empty() {
                return Ok(page);
            }
        }
        Ok(Vec::new())
    }

    fn is_meant(&self, event: &ObjectFinalized) -> bool {
        let is_heard = || !self.makers.0.is_empty() || self.manifest.hears(Happened::Finalized(&event.key));
        self.range.holds(&event.key) && is_heard()
    }

    /// Counts what is left to be given.
    async fn survey(&self) -> anyhow::Result<Amount> {
        let prefixes = self.range.prefixes(Timestamp::now());
        let mut amount = Amount::default();
        let mut after = self.given.after.clone();
        loop {
            let page = self.page(&prefixes, &after).await?;
            let Some(last) = page.last() else { return Ok(amount) };
            after.clone_from(&last.key);
            amount.listed += page.len() as u64;
            for event in page.iter().filter(|event| self.is_meant(event)) {
                amount.objects += 1;
                amount.bytes += event.size.unwrap_or_default();
            }
        }
    }

    async fn give(&mut self, amount: Amount, rate: Option<NonZeroU32>) -> anyhow::Result<()> {
        let prefixes = self.range.prefixes(Timestamp::now());
        let started = Instant::now();
        let mut told = Instant::now();
        let mut objects = 0_u64;
        loop {
            let page = self.page(&prefixes, &self.given.after).await?;
            if page.is_empty() {
                break;
            }
            // A slow rate gives in smaller steps.
            let step = rate.map_or(BATCH, |rate| BATCH.min(rate.get() as usize));
            for batch in page.chunks(step) {
                let meant: Vec<&ObjectFinalized> = batch.iter().filter(|event| self.is_meant(event)).collect();
                let mut given = Vec::new();
                for event in &meant {
                    given.extend(self.makers.given(self.manifest, event).await?);
                }
                let feed = self.feed.clone();
                patiently("give", async || feed.give(&given).await).await?;
                objects += meant.len() as u64;
                self.given.messages += given.len() as u64;
                if let Some(last) = batch.last() {
                    self.given.after.clone_from(&last.key);
                }
                self.progress.write(&self.given).context("cannot save the progress")?;
                if terminal::is_interactive() {
                    terminal::redraw(format_args!("{objects} of {} given", amount.objects));
                } else if told.elapsed() >= TELL_EVERY {
                    told = Instant::now();
                    terminal::err(format_args!("{objects} of {} given, up to {}", amount.objects, self.given.after));
                }
                if let Some(rate) = rate {
                    let due = Duration::from_secs_f64(objects as f64 / f64::from(rate.get()));
                    tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
                }
            }
        }
        self.progress.forget().context("cannot remove the saved progress")?;
        let name = &self.manifest.name;
        terminal::err(format_args!("{objects} objects, {} messages given to {name}", self.given.messages));
        Ok(())
    }
}

/// Repeats a request that may succeed later, after growing pauses. Fails if an error is permanent.
async fn patiently<T>(
    what: &str,
    mut call: impl AsyncFnMut() -> framepost_ports::Result<T>,
) -> framepost_ports::Result<T> {
    let mut pause = Duration::from_millis(500);
    loop {
        match call().await {
            Err(error) if error.kind().is_transient() => {
                terminal::err(format_args!("cannot {what}, tries again in {pause:?}: {}", chain(&error)));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            other => return other,
        }
    }
}

/// The functions that make records of an object, for a function that is triggered by records.
struct Makers(Vec<(Handler, Arc<Caught>)>);

/// A bus that keeps published records until they are taken.
#[derive(Default)]
struct Caught(Mutex<Vec<Record>>);

#[async_trait]
impl Bus for Caught {
    async fn publish(&self, record: &Record) -> framepost_ports::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
        Ok(())
    }
}

impl Makers {
    /// Makes the functions whose records the replayed function takes; none if it takes objects itself.
    async fn of(
        functions: &Functions,
        manifest: &Manifest,
        connector: &Connector,
        bucket: &Location,
    ) -> anyhow::Result<Self> {
        let takes_objects = |manifest: &Manifest| {
            manifest.triggers.iter().any(|trigger| matches!(trigger, Trigger::ObjectFinalized(_)))
        };
        if takes_objects(manifest) {
            return Ok(Self(Vec::new()));
        }
        if !manifest.triggers.iter().any(|trigger| matches!(trigger, Trigger::Record(_))) {
            bail!("{} is triggered by neither objects nor records, so nothing can be replayed to it", manifest.name);
        }
        let source = connector.cloud_of(bucket)?.source(Some(bucket)).await?;
        let mut makers = Vec::new();
        for function in functions.iter().filter(|function| takes_objects(function.manifest())) {
            let caught = Arc::new(Caught::default());
            let defaults = function.manifest().environment.clone();
            let variables = move |name: &str| std::env::var(name).ok().or_else(|| defaults.get(name).cloned());
            let clouds = Clouds::new(source.clone(), caught.clone(), Arc::new(variables));
            makers.push((function.make(clouds).await?, caught));
        }
        Ok(Self(makers))
    }

    /// Returns what the function of `manifest` gets for an object.
    async fn given(&self, manifest: &Manifest, event: &ObjectFinalized) -> anyhow::Result<Vec<Given>> {
        if self.0.is_empty() {
            return Ok(vec![Given::Object(event.clone())]);
        }
        let mut given = Vec::new();
        let id = Sha256::of(event.identity().as_bytes()).to_string();
        for (maker, caught) in &self.0 {
            let message = Message::new(&id[..32], Carrier::Queue, event.to_json());
            let settled = maker.settle(&message, None).await;
            if let Some(reason) =
                settled.handled.iter().find_map(|handled| handled.ending.again().and(handled.ending.reason()))
            {
                bail!("{} cannot read {}: {}", maker.name(), event.key, reason.detail);
            }
            let records = std::mem::take(&mut *caught.0.lock().unwrap_or_else(PoisonError::into_inner));
            let heard = records.into_iter().filter(|record| manifest.hears(Happened::Record(record)));
            given.extend(heard.map(|record| Given::Record(Box::new(record))));
        }
        Ok(given)
    }
}
