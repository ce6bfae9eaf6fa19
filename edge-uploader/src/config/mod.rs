//! The gateway's configuration: one strict TOML file, or the same from the command line.
//!
//! Unknown fields are refused, so that a typing error does not silently become a default. Secrets are given by reference:
//! a file or an environment variable, never in the file itself (a camera's URL may carry them, and is never logged whole).
//! What is wrong with a configuration is said by line and key, never by the text that is there: see [`Mistake`].

mod mistake;
pub mod units;

pub use mistake::Mistake;

use crate::camera::file::{Began, Ends, FileOptions, Pace, Repeat};
use crate::camera::rtsp::{Audio, Certificate, DEFAULT_BANDWIDTH, RtspOptions, Transport};
use crate::camera::{self, CameraError};
use crate::clock::TrustedClock;
use crate::segment::Keep;
use crate::spool::Durability;
use framepost_events::{Camera, Site};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole of `edge.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The site: the prefix of every key.
    pub site: Site,
    /// What is recorded, unless a camera says otherwise.
    #[serde(default)]
    pub recording: Recording,
    /// Where chunks wait for the network.
    pub spool: Spool,
    /// Where chunks go.
    pub upload: Upload,
    /// Signatures; off when absent.
    pub signing: Option<Signing>,
    /// The metrics endpoint; off when absent.
    pub metrics: Option<Metrics>,
    /// The cameras.
    #[serde(rename = "camera")]
    pub cameras: Vec<CameraConfig>,
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recording {
    /// The length of a chunk: it closes at the first random access frame after this long.
    #[serde(deserialize_with = "units::duration")]
    pub window: Duration,
    /// The longest chunk: where no random access frame comes for so long, the next chunk starts without one. 10 s where
    /// nothing is said, or the window where that is longer.
    #[serde(deserialize_with = "units::optional_duration")]
    pub chunk_max: Option<Duration>,
    /// Which frames are kept.
    pub keep: Keep,
}

impl Default for Recording {
    fn default() -> Self {
        Self { window: DEFAULT_WINDOW, chunk_max: None, keep: Keep::All }
    }
}

impl Recording {
    /// The longest chunk.
    pub fn chunk_max(&self) -> Duration {
        self.chunk_max.unwrap_or_else(|| DEFAULT_CHUNK_MAX.max(self.window))
    }

    /// A longest chunk that is shorter than the window, or than a second, is a mistake; `whose` begins its key, with a dot at
    /// its end.
    pub fn check(&self, whose: &str) -> Result<(), Mistake> {
        let mistake = |problem: String| Err(Mistake::new(format!("{whose}chunk_max"), problem));
        match self.chunk_max {
            Some(longest) if longest < self.window => {
                mistake(format!("must not be shorter than window ({:?})", self.window))
            }
            Some(longest) if longest < CHUNK_MAX_LEAST => mistake(format!("must be at least {CHUNK_MAX_LEAST:?}")),
            _ => Ok(()),
        }
    }
}

/// The length of a chunk where nothing else is said.
pub const DEFAULT_WINDOW: Duration = Duration::from_secs(3);

/// The longest chunk where nothing else is said.
pub const DEFAULT_CHUNK_MAX: Duration = Duration::from_secs(10);

/// The least that may be said of the longest chunk: objects cost, and each has its own head.
const CHUNK_MAX_LEAST: Duration = Duration::from_secs(1);

/// Where chunks wait for the network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spool {
    /// The directory; on a disk of its own if there is one.
    pub dir: PathBuf,
    /// The most that it may hold.
    #[serde(default = "default_quota", deserialize_with = "units::bytes")]
    pub quota: u64,
    /// How much of the disk must stay free for everybody else.
    #[serde(default = "default_floor", deserialize_with = "units::bytes")]
    pub free_floor: u64,
    /// When footage survives a power cut.
    #[serde(default)]
    pub durability: Durability,
}

fn default_quota() -> u64 {
    20_000_000_000
}

fn default_floor() -> u64 {
    1_000_000_000
}

impl Spool {
    /// A spool with the default limits.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), quota: default_quota(), free_floor: default_floor(), durability: Durability::default() }
    }
}

/// Where chunks go.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// `s3://bucket`, `gs://bucket` or `file:///directory`.
    pub to: url::Url,
    /// Another endpoint that speaks the bucket's protocol (MinIO, an on-premises store, a private endpoint).
    pub endpoint_url: Option<String>,
    /// The bucket's region, where the environment does not say.
    pub region: Option<String>,
    /// S3 only: how an answer shows that it is the bucket's.
    #[serde(default)]
    pub echo: Echo,
    /// How many objects are on their way at once; by the number of cameras when absent.
    pub workers: Option<usize>,
    /// The most bytes a second, for all cameras together; no cap when absent.
    #[serde(default, deserialize_with = "units::optional_bytes")]
    pub bandwidth_per_second: Option<u64>,
}

/// How a "created" shows that it is the bucket's word, and not that of something on the way: by the checksum of what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Echo {
    /// Amazon has to give it. Another endpoint has to as soon as it did once; until then each object is put twice, and the
    /// second answer proves the first.
    #[default]
    Detected,
    /// It has to be there.
    Required,
    /// The endpoint has none to give, and is believed without.
    Absent,
}

impl Upload {
    /// Uploads to `to` with defaults for all else.
    pub fn to(to: url::Url) -> Self {
        Self { to, endpoint_url: None, region: None, echo: Echo::default(), workers: None, bandwidth_per_second: None }
    }
}

/// Signatures over what is recorded.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// The secret key that `edge-uploader keygen` made. In a file, relative to the file's own directory.
    pub key_file: PathBuf,
}

/// The Prometheus endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Address and port: `127.0.0.1:9464`.
    pub listen: std::net::SocketAddr,
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Its name: the postfix of its keys.
    pub name: Camera,
    /// `rtsp://…`, or the path of a file.
    pub url: String,
    /// The user, where the URL does not say.
    pub username: Option<String>,
    /// A file whose first line is the password. In a file, relative to the file's own directory.
    pub password_file: Option<PathBuf>,
    /// An environment variable that holds the password.
    pub password_env: Option<String>,
    /// How packets travel.
    #[serde(default)]
    pub transport: Transport,
    /// What happens to audio.
    #[serde(default)]
    pub audio: Audio,
    /// For `rtsps://`: which certificate is believed.
    #[serde(default)]
    pub certificate: Certificate,
    /// The most bytes a second that are read from it.
    #[serde(default = "default_camera_bandwidth", deserialize_with = "units::bytes")]
    pub bandwidth_per_second: u64,
    /// Whose clock gives the wall time.
    #[serde(default)]
    pub clock: TrustedClock,
    /// After how long without a frame the camera is taken for dead and connected again.
    #[serde(default = "default_inactivity", deserialize_with = "units::duration")]
    pub inactivity: Duration,
    /// What is recorded of it, instead of `[recording]`.
    pub recording: Option<Recording>,
    /// For a file: how fast it is read; live where nothing is said.
    #[serde(default = "default_pace")]
    pub pace: Pace,
    /// For a file: whether it starts again at its end, like a camera that never stops.
    #[serde(default)]
    pub repeat: Repeat,
    /// For a file: when its first frame was.
    pub start: Option<jiff::Timestamp>,
}

/// After how long without a frame a camera is taken for dead.
pub const DEFAULT_INACTIVITY: Duration = Duration::from_secs(10);

fn default_camera_bandwidth() -> u64 {
    DEFAULT_BANDWIDTH
}

fn default_pace() -> Pace {
    Pace::Live
}

fn default_inactivity() -> Duration {
    DEFAULT_INACTIVITY
}

impl CameraConfig {
    /// A camera with defaults for all but its name and URL.
    pub fn new(name: Camera, url: impl Into<String>) -> Self {
        Self {
            name,
            url: url.into(),
            username: None,
            password_file: None,
            password_env: None,
            transport: Transport::default(),
            audio: Audio::default(),
            certificate: Certificate::default(),
            bandwidth_per_second: DEFAULT_BANDWIDTH,
            clock: TrustedClock::default(),
            inactivity: DEFAULT_INACTIVITY,
            recording: None,
            pace: default_pace(),
            repeat: Repeat::default(),
            start: None,
        }
    }

    /// The camera that this describes. Nothing is connected yet.
    pub fn open(&self) -> Result<Box<dyn camera::Camera>, CameraError> {
        let password = self.password().map_err(|error| CameraError::Unusable {
            what: format!("camera {}", self.name),
            problem: "its password is not where the configuration says".to_owned(),
            source: Some(Box::new(error)),
        })?;
        let rtsp = RtspOptions {
            username: self.username.clone(),
            password,
            transport: self.transport,
            audio: self.audio,
            certificate: self.certificate,
            bandwidth_per_second: self.bandwidth_per_second,
            inactivity: self.inactivity,
            ..RtspOptions::default()
        };
        let start = self.start.map(Began::given);
        let file =
            FileOptions { pace: self.pace, start, ends: Ends::Judged, repeat: self.repeat, ..FileOptions::default() };
        camera::open(&self.url, &camera::Options { rtsp, file })
    }

    /// The password, from where the configuration says it is.
    pub fn password(&self) -> Result<Option<String>, ConfigError> {
        if let Some(path) = &self.password_file {
            return password_in(path).map(Some).map_err(|source| ConfigError::Secret {
                what: "password_file",
                problem: "cannot be read",
                source: Some(source),
            });
        }
        let Some(name) = &self.password_env else { return Ok(None) };
        // The name is not repeated: it may be the password, in a wrong place.
        std::env::var(name).map(Some).map_err(|_| ConfigError::Secret {
            what: "password_env",
            problem: "names an environment variable that is not set",
            source: None,
        })
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that is not a configuration.
    #[error("{path}: {mistake}")]
    Mistaken {
        /// The file.
        path: PathBuf,
        /// Where and why.
        mistake: Mistake,
    },
    /// A setting that cannot be used.
    #[error(transparent)]
    Invalid(#[from] Mistake),
    /// A password that is not where the configuration says. Neither the file nor the variable is named: a password may
    /// stand there by mistake.
    #[error("{what} {problem}")]
    Secret {
        /// The key.
        what: &'static str,
        /// What is wrong with what it names.
        problem: &'static str,
        /// The system's own words.
        #[source]
        source: Option<std::io::Error>,
    },
}

impl ConfigError {
    /// That `problem` is wrong with the setting `key`.
    pub fn of(key: &str, problem: &str) -> Self {
        Self::Invalid(Mistake::new(key, problem))
    }
}

/// The password in the first line of a file.
pub fn password_in(path: &Path) -> std::io::Result<String> {
    let text = std::fs::read_to_string(path)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mistaken = |mistake| ConfigError::Mistaken { path: path.to_owned(), mistake };
        let mut config = Self::parse(&text).map_err(mistaken)?;
        let beside = |file: &mut PathBuf| *file = path.parent().unwrap_or(Path::new("")).join(&*file);
        config.signing.iter_mut().for_each(|signing| beside(&mut signing.key_file));
        config.cameras.iter_mut().filter_map(|camera| camera.password_file.as_mut()).for_each(beside);
        Ok(config)
    }

    /// Takes a configuration's text apart and checks it.
    fn parse(text: &str) -> Result<Self, Mistake> {
        let config: Self = toml::from_str(text).map_err(|error| Mistake::parsing(text, &error))?;
        config.check().map_err(|mistake| mistake.located(text))?;
        Ok(config)
    }

    /// What types alone cannot say.
    pub fn check(&self) -> Result<(), Mistake> {
        if self.cameras.is_empty() {
            return Err(Mistake::new("camera", "there is no [[camera]]: name at least one"));
        }
        self.recording.check("recording.")?;
        for (n, camera) in self.cameras.iter().enumerate() {
            if let Some(recording) = &camera.recording {
                recording.check(&format!("camera.{}.recording.", n + 1))?;
            }
            let mistake = |key: &str, problem: &str| Err(Mistake::new(format!("camera.{}.{key}", n + 1), problem));
            if self.cameras[..n].iter().any(|other| other.name == camera.name) {
                return mistake("name", "two cameras have this name: their chunks would get in each other's way");
            }
            if camera.password_file.is_some() && camera.password_env.is_some() {
                return mistake("password_env", "give password_file or password_env, not both");
            }
            if let Err(error) = camera::open(&camera.url, &camera::Options::default()) {
                return mistake("url", &framepost_ports::chain(&error));
            }
        }
        if self.upload.workers == Some(0) {
            return Err(Mistake::new("upload.workers", "must be at least 1"));
        }
        if self.upload.endpoint_url.as_ref().is_some_and(|url| url.parse::<url::Url>().is_err()) {
            return Err(Mistake::new("upload.endpoint_url", "not a URL; write it like https://host:port"));
        }
        match self.upload.to.scheme() {
            "s3" | "gs" | "file" => Ok(()),
            _ => Err(Mistake::new("upload.to", "not a destination; use s3://bucket, gs://bucket or file:///directory")),
        }
    }

    /// What is recorded of `camera`.
    pub fn recording_of<'a>(&'a self, camera: &'a CameraConfig) -> &'a Recording {
        camera.recording.as_ref().unwrap_or(&self.recording)
    }
}

#[cfg(test)]
mod tests;
