//! `framepost up`: runs the whole pipeline.

use crate::cameras::{Credentials, cameras};
use crate::functions::{Functions, WithoutProgram, Working};
use crate::output::Output;
use crate::retention::{Retention, RetentionLimits};
use crate::workings::Health;
use crate::{api, lasting, privacy, s3_endpoint, secret};
use anyhow::{Context as _, bail};
use edge_uploader::camera::file::Pace;
use edge_uploader::config::units::{parse_bytes, parse_duration};
use edge_uploader::config::{CameraConfig, DEFAULT_REPORT, Recording, Upload};
use edge_uploader::display::Display;
use edge_uploader::gateway::{CameraEnd, Gateway, Recorded};
use edge_uploader::segment::Keep;
use edge_uploader::signals::Signals;
use edge_uploader::{report, spool, terminal};
use framepost_api::{Api, MediaOrigins, Telling, Workings};
use framepost_aws::{S3Bucket, S3Options};
use framepost_events::manifest::ManifestSigner;
use framepost_events::{Site, record};
use framepost_host::{Clouds, MissingProgram, Registered};
use framepost_local::{LocalBucket, LocalInboxes};
use framepost_ports::SystemClock;
use framepost_sql::SqliteCatalog;
use futures::FutureExt as _;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const BUCKET: &str = "footage";
/// The variable that tells functions which detector to use.
pub(crate) const DETECTOR: &str = "FRAMEPOST_DETECTOR";
/// The variable by which functions are told where models are.
pub(crate) const MODELS: &str = "FRAMEPOST_MODELS";
/// Where models are unless something else is said.
pub(crate) const DEFAULT_MODELS: &str = "framepost-data/models";

/// Time after Ctrl-C for closing spans, emptying the spool and receiving records.
const DRAIN: Duration = Duration::from_secs(10);

/// The file of the signing key.
const SIGNING_KEY: &str = "signing.key";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files (MP4, fragmented MP4, MKV) and rtsp:// URLs; each is a camera. Without any, a small built-in clip plays like a live
    /// camera. Everybody on this machine can read a program's arguments, so give a password by one of the options below.
    #[arg(value_name = "VIDEO")]
    videos: Vec<String>,
    #[command(flatten)]
    credentials: Credentials,
    /// The data directory: uploaded chunks, spool, catalogue and keys.
    #[arg(long, default_value = "framepost-data", value_name = "DIR")]
    dir: PathBuf,
    /// The site's name, the first part of every key.
    #[arg(long, default_value = "onebox")]
    site: Site,
    /// The S3 endpoint's port on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Address of the API; by default 127.0.0.1:8642, or another port if that one is taken.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Who may use the API.
    #[arg(long, value_enum, default_value = "none")]
    auth: api::Auth,
    /// Goes on serving after all files are read, as it does anyway when standard output is a terminal.
    #[arg(long)]
    stay: bool,
    /// Removes objects that were written longer ago than this (`7d`, `12h`). Holds and exports stay.
    #[arg(long, value_parser = lasting::parse, value_name = "DURATION")]
    keep: Option<SignedDuration>,
    /// Removes the oldest objects if there is more than this (`200GB`), or if the disk is nearly full. Holds and exports stay.
    #[arg(long, value_parser = parse_bytes, value_name = "SIZE")]
    keep_bytes: Option<u64>,
    /// The length of a chunk: it closes at the first random access frame after this long.
    #[arg(long, value_parser = parse_duration, default_value = "3s", value_name = "DURATION")]
    window: Duration,
    /// How files are read: as fast as possible, or live, as their frames' times say.
    #[arg(long, value_enum, default_value = "fast")]
    pace: PaceArgument,
    /// Signs every chunk and chains it to the one before, and has the functions check all of it.
    #[arg(long)]
    sign: bool,
    /// What says what is to be seen: motion: (built in), onnx:NAME, oip+https://HOST/v2/models/NAME; rekognition: and vision: in a
    /// program that is built with aws and gcp, which cost.
    #[arg(long, value_name = "URL")]
    detector: Option<String>,
    /// Leaves a function out; can be given several times. Messages for it wait until it runs again.
    #[arg(long, value_name = "FUNCTION")]
    without: Vec<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PaceArgument {
    Fast,
    Live,
}

pub(crate) async fn run(arguments: Arguments, functions: &Functions) -> anyhow::Result<ExitCode> {
    let signals = Signals::install()?;
    let limits = RetentionLimits { keep: arguments.keep, keep_bytes: arguments.keep_bytes };
    if limits.are_set() && arguments.site.as_str() == "exports" {
        bail!("--site exports: what is below exports/ is never removed, so --keep has no effect on such a site");
    }
    privacy::keep(&arguments.dir)
        .with_context(|| format!("cannot make {} readable by its owner only", arguments.dir.display()))?;
    let signer = if arguments.sign { Some(signer(&arguments.dir)?) } else { None };

    let bucket_dir = bucket_dir(&arguments.dir);
    let bucket = LocalBucket::open(&bucket_dir).await.context("cannot open the bucket")?;
    // Before there can be an object that somebody should hear of.
    let inboxes = bucket.inboxes();
    let catalog =
        Arc::new(SqliteCatalog::open(catalog_file(&arguments.dir)?).await.context("cannot open the catalogue")?);
    let output = Arc::new(Output::to(inboxes.clone()));
    let of_this = Variables::new(&arguments, signer.as_deref())?;
    let clouds = |function: &Registered| {
        let variables = of_this.for_function(function);
        Clouds::new(Arc::new(bucket.clone()), output.clone(), Arc::new(variables))
            .with_sink(Arc::new(bucket.clone()))
            .with_catalog(catalog.clone())
    };
    let is_chosen = arguments.detector.is_some() || std::env::var_os(DETECTOR).is_some_and(|value| !value.is_empty());
    let without_program = |name: &str, missing: &MissingProgram| {
        if is_chosen {
            return WithoutProgram::Fail;
        }
        terminal::err(format_args!("framepost: continues without {name}: {missing}"));
        WithoutProgram::LeaveOut
    };
    let subscribed = functions.subscribe(&inboxes, &arguments.without, clouds, without_program).await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", arguments.port))
        .await
        .with_context(|| format!("cannot listen on port {}", arguments.port))?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    bucket.set_link_base(format!("{endpoint}/{BUCKET}"));
    let credentials = s3_endpoint::load_or_create_credentials(&arguments.dir.join("access-key.json"))
        .context("cannot keep an access key")?;
    let stop_endpoint = CancellationToken::new();
    let serving = tokio::spawn({
        let buckets = vec![bucket.clone()];
        let credentials = credentials.clone();
        let stop = stop_endpoint.clone();
        async move { s3_endpoint::serve(buckets, listener, &credentials, stop).await }
    });

    let health = Health::default();
    let api_listener = api::listen(arguments.listen, arguments.auth).await?;
    let api_address = api_listener.local_addr()?;
    let serving_api = tokio::spawn({
        let source = Arc::new(bucket.clone());
        let access = arguments.auth.access(&arguments.dir, api_address)?;
        let workings: Option<Arc<dyn Workings>> = Some(Arc::new(health.clone()));
        let public_keys = signer.iter().map(|signer| signer.public_key()).collect();
        let exports = Some(api::exports(catalog.clone(), &source, public_keys));
        let clock = Arc::new(SystemClock);
        let media_origins = MediaOrigins::default();
        let telling = Telling::AsItHappens;
        let api = Api { catalog: catalog.clone(), source, clock, exports, access, media_origins, workings, telling };
        api::serve(api_listener, api, stop_endpoint.clone())
    });

    let failed = CancellationToken::new();
    let working = Working::start(subscribed, &health, &failed).await?;

    let options = S3Options {
        endpoint_url: Some(endpoint.parse()?),
        region: Some("us-east-1".to_owned()),
        credentials: Some(credentials.clone()),
        ..S3Options::default()
    };
    let url: url::Url = format!("s3://{BUCKET}").parse()?;
    let sink = Arc::new(S3Bucket::connect(&url, options).await.context("cannot connect to the endpoint")?);
    let reports = report::ReportSettings { every: DEFAULT_REPORT, signer: signer.clone(), quota_bytes: u64::MAX };
    let options = spool::Options { signer, ..spool::Options::default() };
    let settings = Upload::to(url).settings(arguments.videos.len());
    let clock = Arc::new(SystemClock);
    let spool_dir = arguments.dir.join("spool");
    let gateway =
        Arc::new(Gateway::start(arguments.site.clone(), &spool_dir, options, Arc::clone(&sink) as _, settings, clock)?);
    tokio::spawn(report::run(Arc::downgrade(&gateway), sink, reports));
    terminal::err(format_args!("chunks    {}", bucket_dir.display()));
    terminal::err(format_args!(
        "bucket    {endpoint}/{BUCKET} (S3; anyone on this machine may read, access key {})",
        credentials.access_key_id
    ));
    api::tell(api_address, arguments.auth);
    terminal::err("records   standard output, one JSON object a line");

    let retention = Retention::new(bucket.clone(), catalog.clone(), limits, &arguments.dir);
    let done = Done { gateway: &gateway, inboxes: &inboxes, retention: &retention };
    let outcome = tokio::select! {
        outcome = record(&arguments, &done, &output, &signals, &failed) => outcome,
        never = retention.run() => match never {},
    };
    gateway.shutdown(Duration::ZERO).await;
    working.end().await?;
    stop_endpoint.cancel();
    serving.await??;
    serving_api.await?;
    outcome
}

/// Returns the bucket's path in a data directory.
pub(crate) fn bucket_dir(dir: &Path) -> PathBuf {
    dir.join("s3").join(BUCKET)
}

/// Returns the catalogue's path in a data directory.
pub(crate) fn catalog_file(dir: &Path) -> std::io::Result<PathBuf> {
    std::path::absolute(dir.join("catalog.db"))
}

/// The settings of functions here. They take precedence over this process's environment, and that over a manifest's defaults.
struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    fn new(arguments: &Arguments, signer: Option<&ManifestSigner>) -> anyhow::Result<Self> {
        let url = |directory: PathBuf| {
            let absolute = std::path::absolute(directory)?;
            let url = url::Url::from_directory_path(&absolute);
            url.map(String::from).map_err(|()| anyhow::anyhow!("{} cannot be written as a URL", absolute.display()))
        };
        let mut variables = BTreeMap::from([
            ("FRAMEPOST_LEDGER", url(arguments.dir.join("ledger"))?),
            ("FRAMEPOST_CATALOG_BUCKET", url(bucket_dir(&arguments.dir))?),
        ]);
        if let Some(detector) = &arguments.detector {
            variables.insert(DETECTOR, detector.clone());
        }
        if std::env::var_os(MODELS).is_none() {
            let models = std::path::absolute(arguments.dir.join("models"))?;
            variables.insert(MODELS, models.to_string_lossy().into_owned());
        }
        if let Some(signer) = signer {
            variables.insert("FRAMEPOST_PUBLIC_KEYS", signer.public_key().to_string());
            variables.insert("FRAMEPOST_CONTENT_CHECK", "full".to_owned());
        }
        Ok(Self(variables))
    }

    fn for_function(&self, function: &Registered) -> impl Fn(&str) -> Option<String> + Send + Sync + use<> {
        let of_this = self.0.clone();
        let defaults = function.manifest().environment.clone();
        move |name| {
            let given = of_this.get(name).cloned().or_else(|| std::env::var(name).ok());
            given.or_else(|| defaults.get(name).cloned())
        }
    }
}

/// What must be finished before the program ends.
struct Done<'a> {
    gateway: &'a Arc<Gateway>,
    inboxes: &'a LocalInboxes,
    retention: &'a Retention,
}

impl Done<'_> {
    /// Waits until everything is uploaded and handled, and the bucket is within its limits.
    async fn all(&self) {
        self.gateway.uploaded().await;
        self.inboxes.drained().await;
        self.retention.sweep().await;
        self.inboxes.drained().await;
    }
}

/// Records until all sources have ended or Ctrl-C, waits for what is under way, and prints a summary.
async fn record(
    arguments: &Arguments,
    done: &Done<'_>,
    output: &Output,
    signals: &Signals,
    failed: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let gateway = done.gateway;
    let pace = match arguments.pace {
        PaceArgument::Fast => Pace::Fast,
        PaceArgument::Live => Pace::Live,
    };
    let recording = Recording { window: arguments.window, keep: Keep::All, ..Recording::default() };
    let mut cameras_running = Vec::new();
    let mut unusable = 0;
    let mut configs = cameras(&arguments.videos, &arguments.dir, pace)?;
    arguments.credentials.give(&mut configs)?;
    for config in configs {
        match start(gateway, &config, &recording) {
            Ok(recorded) => cameras_running.push(recorded),
            Err(error) => {
                unusable += 1;
                terminal::err(format_args!("framepost: {error:#}"));
            }
        }
    }
    if cameras_running.is_empty() {
        bail!("there is nothing to record");
    }
    let display = Display::start(gateway);
    let ended = futures::future::join_all(cameras_running.into_iter().map(Recorded::ended)).map(verdict).shared();
    let all_done = async {
        let verdict = ended.clone().await;
        done.all().await;
        verdict
    };
    let asked_to_stop = async {
        tokio::select! {
            () = signals.interrupted() => {}
            // The reader of the records has gone.
            () = output.closed.cancelled() => {}
            // What happens from now on waits for the function that cannot go on.
            () = failed.cancelled() => {}
        }
    };
    tokio::pin!(asked_to_stop);
    let verdict = tokio::select! {
        verdict = all_done => {
            if arguments.stay || std::io::stdout().is_terminal() {
                terminal::err("all files are read; Ctrl-C ends");
                asked_to_stop.await;
                gateway.stop();
            }
            verdict
        }
        () = &mut asked_to_stop => {
            gateway.stop();
            let drained = tokio::time::timeout(DRAIN, async {
                let verdict = ended.await;
                done.all().await;
                verdict
            });
            drained.await.unwrap_or(Verdict::Good)
        }
    };
    terminal::err(display.finish());
    let waiting = gateway.spool().pending().0;
    let quarantined = gateway.spool().quarantined().len();
    terminal::err(format_args!("done: {}; {waiting} in the spool, {quarantined} in quarantine", output.summary()));
    let rejected = output.count(record::OBJECT_REJECTED);
    let good = verdict == Verdict::Good && unusable == 0 && quarantined == 0 && rejected == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn start(gateway: &Gateway, config: &CameraConfig, recording: &Recording) -> anyhow::Result<Recorded> {
    let source = config.open()?;
    terminal::err(format_args!("camera    {} from {}", config.name, source.source()));
    Ok(gateway.record(&config.name, source, recording, config.trusted_clock())?)
}

/// The result of recording the cameras.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Failed,
}

#[expect(clippy::needless_pass_by_value, reason = "it is the last to see them")]
fn verdict(ends: Vec<CameraEnd>) -> Verdict {
    let good = ends.iter().all(|end| matches!(end, CameraEnd::Finished | CameraEnd::Stopped));
    if good { Verdict::Good } else { Verdict::Failed }
}

/// Loads the signing key in the data directory, if there is one.
pub(crate) fn known_signer(dir: &Path) -> anyhow::Result<Option<Arc<ManifestSigner>>> {
    dir.join(SIGNING_KEY).exists().then(|| signer(dir)).transpose()
}

/// Loads the signing key in the data directory, or creates it on first use.
fn signer(dir: &Path) -> anyhow::Result<Arc<ManifestSigner>> {
    let path = dir.join(SIGNING_KEY);
    let secret = secret::kept(&path)?;
    let secret = secret.try_into().map_err(|_| anyhow::anyhow!("{} is not a key of 32 bytes", path.display()))?;
    Ok(Arc::new(ManifestSigner::from_secret(&secret)))
}
