//! The functions of this program, each with an inbox of its own.

use crate::workings::Health;
use anyhow::Context as _;
use framepost_host::manifest::Trigger;
use framepost_host::worker::{self, Summary};
use framepost_host::{Clouds, Handler, MissingProgram, Registered, Schedules, topics};
use framepost_local::{LOCAL_CONCURRENCY, LOCAL_PANICS_MAX, LocalInbox, LocalInboxes, LocalTimetable};
use framepost_ports::{SystemClock, chain};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The functions that a onebox runs, by name.
#[derive(Debug)]
pub struct Functions(BTreeMap<String, Registered>);

impl Functions {
    /// Registers functions. Their names must differ.
    pub fn new(functions: Vec<Registered>) -> anyhow::Result<Self> {
        let mut by_name = BTreeMap::new();
        for function in functions {
            if let Some(twice) = by_name.insert(function.name().to_owned(), function) {
                anyhow::bail!("two functions are called {}", twice.name());
            }
        }
        Ok(Self(by_name))
    }

    /// Returns all functions, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &Registered> {
        self.0.values()
    }

    /// Returns the function with this name, or an error that lists the existing ones.
    pub fn get(&self, name: &str) -> anyhow::Result<&Registered> {
        let known = || self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.0.get(name).with_context(|| format!("there is no function {name:?}; there are {}", known()))
    }

    /// Creates each function that messages trigger, and opens its inbox. Messages for functions that are left out wait.
    ///
    /// If a function's program is not installed, `without_program` decides whether the function is left out or this fails.
    pub(crate) async fn subscribe(
        &self,
        inboxes: &LocalInboxes,
        left_out: &[String],
        clouds: impl Fn(&Registered) -> Clouds,
        without_program: impl Fn(&str, &MissingProgram) -> WithoutProgram,
    ) -> anyhow::Result<Vec<Subscribed>> {
        for name in left_out {
            self.get(name)?;
        }
        let mut subscribed = Vec::new();
        for function in self.iter().filter(|function| function.manifest().has_inbox()) {
            let name = function.name();
            let topics = topics(&function.manifest().triggers);
            if left_out.iter().any(|other| other == name) {
                inboxes.keep(name, topics).await?;
                continue;
            }
            let handler = match function.make(clouds(function)).await {
                Ok(handler) => handler,
                Err(error) => match error.downcast_ref().map(|missing| without_program(name, missing)) {
                    Some(WithoutProgram::LeaveOut) => {
                        inboxes.keep(name, topics).await?;
                        continue;
                    }
                    Some(WithoutProgram::Fail) | None => {
                        return Err(error.context(format!("cannot start the function {name}")));
                    }
                },
            };
            let inbox = Arc::new(inboxes.subscribe(name, topics).await?);
            let timetable = Arc::new(LocalTimetable::new(inboxes, name)?);
            let schedules = Schedules::of(function.manifest(), timetable, Arc::new(SystemClock));
            subscribed.push(Subscribed { function: function.clone(), handler, inbox, schedules });
        }
        Ok(subscribed)
    }
}

/// One line for each function: its name, its triggers, and its description.
impl fmt::Display for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.keys().map(String::len).max().unwrap_or_default();
        for (n, (name, function)) in self.0.iter().enumerate() {
            let manifest = function.manifest();
            let triggers: Vec<String> = manifest.triggers.iter().map(words).collect();
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}  {name:width$}  {}  ({})", manifest.description.trim(), triggers.join("; "))?;
        }
        Ok(())
    }
}

fn words(trigger: &Trigger) -> String {
    match trigger {
        Trigger::ObjectFinalized(_) => "object-finalized".to_owned(),
        Trigger::ObjectRemoved(_) => "object-removed".to_owned(),
        Trigger::Record(records) => format!("record {}", records.types.join(", ")),
        Trigger::Http(http) => format!("http {}", http.path),
        Trigger::Schedule(schedule) => format!("schedule {}", schedule.name),
    }
}

/// What to do if a function's program is not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithoutProgram {
    /// The other functions run, and messages for this one wait.
    LeaveOut,
    /// The onebox does not start, and says which program is missing.
    Fail,
}

/// A function with its inbox.
pub(crate) struct Subscribed {
    function: Registered,
    handler: Handler,
    inbox: Arc<LocalInbox>,
    schedules: Schedules,
}

/// The workers of the functions that were started; cancelling `stop` ends them.
pub(crate) struct Working {
    workers: JoinSet<anyhow::Result<Summary>>,
    stop: CancellationToken,
}

impl Working {
    /// Starts each function, watched by `health`. Cancels `failed` if one of them cannot continue.
    pub(crate) async fn start(
        subscribed: Vec<Subscribed>,
        health: &Health,
        failed: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let mut working = Self { workers: JoinSet::new(), stop: CancellationToken::new() };
        for Subscribed { function, handler, inbox, mut schedules } in subscribed {
            let name = function.name().to_owned();
            let watching = health.watch(&name, inbox.clone());
            let handler = handler.parking_in(inbox.clone()).panics_max(LOCAL_PANICS_MAX).watched_by(watching.watch());
            let limits = worker::WorkerLimits {
                concurrency: LOCAL_CONCURRENCY,
                handling: function.manifest().runtime.timeout,
                ..worker::WorkerLimits::default()
            };
            schedules.fire_due().await.with_context(|| format!("cannot fire the schedules of {name}"))?;
            let stop = working.stop.clone();
            let failed = failed.clone();
            working.workers.spawn(async move {
                let worked = tokio::select! {
                    worked = worker::run(handler, inbox, limits, stop.cancelled_owned()) => worked,
                    never = schedules.run() => match never {},
                };
                if let Err(error) = &worked {
                    watching.ended(chain(error));
                    failed.cancel();
                }
                worked.with_context(|| format!("the function {name} cannot continue"))
            });
        }
        Ok(working)
    }

    /// Lets each function finish the messages it has taken. Returns the first error.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        let mut ended = Ok(());
        while let Some(worked) = self.workers.join_next().await {
            let worked = worked.context("a function's worker failed").and_then(|worked| worked.map(|_| ()));
            ended = ended.and(worked);
        }
        ended
    }
}
