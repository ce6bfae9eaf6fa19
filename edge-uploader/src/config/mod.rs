//! The gateway's configuration: a strict TOML file, or command line options.
//!
//! Unknown fields are refused, so that a typing error does not silently select a default. Secrets are given by
//! reference to a file or an environment variable, never in the file itself. (A camera's URL may contain them;
//! it is never logged whole.) Errors name the line and the key, never the text: see [`Mistake`].

mod camera;
mod mistake;
pub mod units;

pub use camera::{CameraConfig, DEFAULT_INACTIVITY, password_in};
pub use mistake::Mistake;

use crate::segment::Keep;
use crate::spool::{self, Durability};
use crate::upload::UploadSettings;
use framepost_events::Site;
use framepost_ports::location::{Location, Role};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The contents of `edge.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The site, which is the prefix of every key.
    pub site: Site,
    /// Recording settings for all cameras without their own.
    #[serde(default)]
    pub recording: Recording,
    /// Where chunks wait until they are uploaded.
    pub spool: Spool,
    /// The destination of chunks.
    pub upload: Upload,
    /// Signatures; `None` turns them off.
    pub signing: Option<Signing>,
    /// The metrics endpoint; `None` turns it off.
    pub metrics: Option<Metrics>,
    /// What the gateway says of itself, beside the footage.
    #[serde(default)]
    pub report: Report,
    #[serde(rename = "camera")]
    pub cameras: Vec<CameraConfig>,
}

/// How video is cut into chunks: `[recording]`, or a camera's own `recording`, which replaces all of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recording {
    /// Length of a chunk. It ends at the first random access frame after this time.
    #[serde(deserialize_with = "units::duration")]
    pub window: Duration,
    /// Longest chunk: if no random access frame arrives for this long, the next chunk starts without one. The
    /// default is 10 s, or the window if that is longer.
    #[serde(deserialize_with = "units::optional_duration")]
    pub chunk_max: Option<Duration>,
    /// Selects the frames that are kept.
    pub keep: Keep,
}

impl Default for Recording {
    fn default() -> Self {
        Self { window: DEFAULT_WINDOW, chunk_max: None, keep: Keep::All }
    }
}

impl Recording {
    /// Returns the length of the longest chunk.
    pub fn chunk_max(&self) -> Duration {
        self.chunk_max.unwrap_or_else(|| DEFAULT_CHUNK_MAX.max(self.window))
    }

    /// Refuses a longest chunk that is shorter than the window or than a second. `whose` is the prefix of its
    /// key in the error, with a dot at its end.
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

/// Default length of a chunk.
pub const DEFAULT_WINDOW: Duration = Duration::from_secs(3);

/// Default length of the longest chunk.
pub const DEFAULT_CHUNK_MAX: Duration = Duration::from_secs(10);

/// Shortest allowed value for the longest chunk, because each object costs money and has its own header.
const CHUNK_MAX_LEAST: Duration = Duration::from_secs(1);

/// Settings of the spool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spool {
    /// The directory; best on a disk of its own.
    pub dir: PathBuf,
    /// Most bytes that the spool may use.
    #[serde(default = "default_quota", deserialize_with = "units::bytes")]
    pub quota: u64,
    /// Bytes of the disk that must stay free.
    #[serde(default = "default_floor", deserialize_with = "units::bytes")]
    pub free_floor: u64,
    /// When footage is safe from a power cut.
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
    /// Creates settings with the default limits.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), quota: default_quota(), free_floor: default_floor(), durability: Durability::default() }
    }

    /// What the spool is to keep to.
    pub fn limits(&self) -> spool::SpoolLimits {
        spool::SpoolLimits { quota_bytes: self.quota, free_floor_bytes: self.free_floor }
    }
}

/// Settings of the upload.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// `s3://bucket`, `gs://bucket` or `file:///directory`.
    pub to: url::Url,
    /// Another endpoint with the bucket's protocol (MinIO, an on-premises store, a private endpoint).
    pub endpoint_url: Option<String>,
    /// The bucket's region; by default the environment's.
    pub region: Option<String>,
    /// S3 only: whether a put's response must carry a checksum.
    #[serde(default)]
    pub echo: Echo,
    /// Number of concurrent uploads; derived from the number of cameras if absent.
    pub workers: Option<usize>,
    /// Limit in bytes per second for all cameras together; no limit if absent.
    #[serde(default, deserialize_with = "units::optional_bytes")]
    pub bandwidth_per_second: Option<u64>,
}

/// Whether a successful put must return the checksum of the stored object, which shows that the answer comes
/// from the bucket and not from something on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Echo {
    /// Required from Amazon. Required from another endpoint once it has returned a checksum; until then each
    /// object is put twice, and the second response proves the first.
    #[default]
    Detected,
    /// A success without a checksum is an error.
    Required,
    /// Accepts a success without a checksum, for endpoints that never return one.
    Absent,
}

impl Upload {
    /// Creates settings for uploads to `to` with defaults for everything else.
    pub fn to(to: url::Url) -> Self {
        Self { to, endpoint_url: None, region: None, echo: Echo::default(), workers: None, bandwidth_per_second: None }
    }

    /// How the uploader of a gateway of so many cameras behaves.
    pub fn settings(&self, cameras: usize) -> UploadSettings {
        let usual = UploadSettings::for_cameras(cameras);
        UploadSettings {
            workers: self.workers.unwrap_or(usual.workers),
            bandwidth_bytes_per_second: self.bandwidth_per_second,
            ..usual
        }
    }
}

/// `[signing]`: the key that signs manifests and reports.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// The secret key made by `edge-uploader keygen`. In a configuration file, the path is
    /// relative to that file's directory.
    pub key_file: PathBuf,
}

/// Settings of the Prometheus endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Address and port: `127.0.0.1:9464`.
    pub listen: std::net::SocketAddr,
}

/// What the gateway says of itself, beside the footage.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Report {
    /// How often; `None` never.
    #[serde(deserialize_with = "units::duration_or_off")]
    pub every: Option<Duration>,
}

impl Default for Report {
    fn default() -> Self {
        Self { every: Some(DEFAULT_REPORT) }
    }
}

/// How often a gateway reports where nothing else is said.
pub const DEFAULT_REPORT: Duration = Duration::from_mins(5);

/// The shortest time between two reports that may be asked for: each is a request that costs.
const REPORT_LEAST: Duration = Duration::from_secs(10);

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a valid configuration.
    #[error("{path}: {mistake}")]
    Mistaken {
        path: PathBuf,
        /// The line, the key and the problem.
        mistake: Mistake,
    },
    /// A setting has an unusable value.
    #[error(transparent)]
    Invalid(#[from] Mistake),
    /// A password is not where the configuration says. The error names neither the file nor the variable,
    /// because they may be a password put in the wrong place.
    #[error("{what} {problem}")]
    Secret {
        /// The key of the setting.
        what: &'static str,
        /// What is wrong with its value.
        problem: &'static str,
        /// The operating system's error.
        #[source]
        source: Option<std::io::Error>,
    },
}

impl ConfigError {
    /// Creates an error for the setting `key`.
    pub fn of(key: &str, problem: &str) -> Self {
        Self::Invalid(Mistake::new(key, problem))
    }
}

impl Config {
    /// Reads and checks a configuration file.
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

    /// Parses and checks a configuration.
    fn parse(text: &str) -> Result<Self, Mistake> {
        let config: Self = toml::from_str(text).map_err(|error| Mistake::parsing(text, &error))?;
        config.check().map_err(|mistake| mistake.located(text))?;
        Ok(config)
    }

    /// Checks the rules that the types do not express.
    pub fn check(&self) -> Result<(), Mistake> {
        if self.cameras.is_empty() {
            return Err(Mistake::new("camera", "there is no [[camera]]: name at least one"));
        }
        self.recording.check("recording.")?;
        for (n, camera) in self.cameras.iter().enumerate() {
            if let Some(recording) = &camera.recording {
                recording.check(&format!("camera.{}.recording.", n + 1))?;
            }
            let whose = format!("camera.{}.", n + 1);
            if self.cameras[..n].iter().any(|other| other.name == camera.name) {
                let problem = "two cameras have this name: their chunks would get in each other's way";
                return Err(Mistake::new(format!("{whose}name"), problem));
            }
            camera.check(&whose)?;
        }
        if self.report.every.is_some_and(|every| every < REPORT_LEAST) {
            return Err(Mistake::new("report.every", format!("must be at least {REPORT_LEAST:?}, or \"off\"")));
        }
        if self.upload.workers == Some(0) {
            return Err(Mistake::new("upload.workers", "must be at least 1"));
        }
        if self.upload.endpoint_url.as_ref().is_some_and(|url| url.parse::<url::Url>().is_err()) {
            return Err(Mistake::new("upload.endpoint_url", "not a URL; write it like https://host:port"));
        }
        let to = Location::parse(self.upload.to.as_str(), Role::Bucket);
        to.map(|_| ()).map_err(|error| Mistake::new("upload.to", format!("not a destination: {error}")))
    }

    /// Returns the recording settings of `camera`.
    pub fn recording_of<'a>(&'a self, camera: &'a CameraConfig) -> &'a Recording {
        camera.recording.as_ref().unwrap_or(&self.recording)
    }
}

#[cfg(test)]
mod tests;
