//! `[[camera]]`: one camera, an RTSP URL or a file. An option that the other kind has is refused, since it would do nothing.

use super::{ConfigError, Mistake, Recording, units};
use crate::camera::file::{Began, Ends, FileOptions, Pace, Repeat};
use crate::camera::rtsp::{Audio, Certificate, DEFAULT_BANDWIDTH, RtspOptions, Transport};
use crate::camera::{self, Address, CameraError};
use crate::clock::TrustedClock;
use framepost_events::Camera;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings of one camera.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Its name, which is the postfix of its keys.
    pub name: Camera,
    /// `rtsp://…`, `rtsps://…`, or the path of a file.
    pub url: String,
    /// Recording settings that replace `[recording]` for this camera.
    pub recording: Option<Recording>,

    /// For RTSP: the user, where the URL does not say.
    pub username: Option<String>,
    /// For RTSP: a file whose first line is the password. In a file, relative to the file's own directory.
    pub password_file: Option<PathBuf>,
    /// For RTSP: an environment variable that holds the password.
    pub password_env: Option<String>,
    /// For RTSP: how packets travel; TCP where nothing is said.
    pub transport: Option<Transport>,
    /// For RTSP: what happens to audio; it is recorded where nothing is said.
    pub audio: Option<Audio>,
    /// For `rtsps://`: which certificate is believed; one that the system's roots vouch for where nothing is said.
    pub certificate: Option<Certificate>,
    /// For RTSP: the most bytes a second that are read; [`DEFAULT_BANDWIDTH`] where nothing is said.
    #[serde(default, deserialize_with = "units::optional_bytes")]
    pub bandwidth_per_second: Option<u64>,
    /// For RTSP: whose clock gives the wall time; the gateway's where nothing is said.
    pub clock: Option<TrustedClock>,
    /// For RTSP: after how long without a frame the camera is taken for dead and connected again; [`DEFAULT_INACTIVITY`] where
    /// nothing is said.
    #[serde(default, deserialize_with = "units::optional_duration")]
    pub inactivity: Option<Duration>,

    /// For a file: how fast it is read; live by default.
    pub pace: Option<Pace>,
    /// For a file: whether it starts again at its end, like a camera that never stops; it does not where nothing is said.
    pub repeat: Option<Repeat>,
    /// For a file: when its first frame was; its own creation time where nothing is said.
    pub start: Option<jiff::Timestamp>,
}

/// How long a camera may send nothing before its session is given up, unless the configuration says otherwise.
pub const DEFAULT_INACTIVITY: Duration = Duration::from_secs(10);

impl CameraConfig {
    /// Creates settings with defaults for everything except name and URL.
    pub fn new(name: Camera, url: impl Into<String>) -> Self {
        Self {
            name,
            url: url.into(),
            recording: None,
            username: None,
            password_file: None,
            password_env: None,
            transport: None,
            audio: None,
            certificate: None,
            bandwidth_per_second: None,
            clock: None,
            inactivity: None,
            pace: None,
            repeat: None,
            start: None,
        }
    }

    /// What types alone cannot say; `whose` begins its keys, with a dot at its end.
    pub(super) fn check(&self, whose: &str) -> Result<(), Mistake> {
        let mistake = |key: &str, problem: &str| Err(Mistake::new(format!("{whose}{key}"), problem));
        if let Err(error) = camera::open(&self.url, &camera::Options::default()) {
            return mistake("url", &framepost_ports::chain(&error));
        }
        let given = |options: &[(&'static str, bool)]| options.iter().find(|(_, given)| *given).map(|(key, _)| *key);
        let (stray, problem) = match Address::of(&self.url) {
            Ok(Address::Rtsp) => {
                (given(&self.for_files()), "is for files, and this camera is an RTSP URL; leave it out")
            }
            _ => (given(&self.for_rtsp()), "is for rtsp:// URLs, and this camera is a file; leave it out"),
        };
        if let Some(key) = stray {
            return mistake(key, problem);
        }
        if self.password_file.is_some() && self.password_env.is_some() {
            return mistake("password_env", "give password_file or password_env, not both");
        }
        Ok(())
    }

    fn for_rtsp(&self) -> [(&'static str, bool); 9] {
        [
            ("username", self.username.is_some()),
            ("password_file", self.password_file.is_some()),
            ("password_env", self.password_env.is_some()),
            ("transport", self.transport.is_some()),
            ("audio", self.audio.is_some()),
            ("certificate", self.certificate.is_some()),
            ("bandwidth_per_second", self.bandwidth_per_second.is_some()),
            ("clock", self.clock.is_some()),
            ("inactivity", self.inactivity.is_some()),
        ]
    }

    fn for_files(&self) -> [(&'static str, bool); 3] {
        [("pace", self.pace.is_some()), ("repeat", self.repeat.is_some()), ("start", self.start.is_some())]
    }

    /// Creates the camera with these settings. Does not connect yet.
    pub fn open(&self) -> Result<Box<dyn camera::Camera>, CameraError> {
        let password = self.password().map_err(|error| CameraError::Unusable {
            what: format!("camera {}", self.name),
            problem: "its password cannot be read from where the configuration says".to_owned(),
            source: Some(Box::new(error)),
        })?;
        let rtsp = RtspOptions {
            username: self.username.clone(),
            password,
            transport: self.transport.unwrap_or_default(),
            audio: self.audio.unwrap_or_default(),
            certificate: self.certificate.unwrap_or_default(),
            bandwidth_per_second: self.bandwidth_per_second.unwrap_or(DEFAULT_BANDWIDTH),
            inactivity: self.inactivity.unwrap_or(DEFAULT_INACTIVITY),
            ..RtspOptions::default()
        };
        let file = FileOptions {
            pace: self.pace.unwrap_or(Pace::Live),
            start: self.start.map(Began::given),
            ends: Ends::Judged,
            repeat: self.repeat.unwrap_or_default(),
            ..FileOptions::default()
        };
        camera::open(&self.url, &camera::Options { rtsp, file })
    }

    /// The clock that gives the wall time.
    pub fn trusted_clock(&self) -> TrustedClock {
        self.clock.unwrap_or_default()
    }

    /// Reads the password from the place that the configuration names.
    pub fn password(&self) -> Result<Option<String>, ConfigError> {
        if let Some(path) = &self.password_file {
            return password_in(path).map(Some).map_err(|source| ConfigError::Secret {
                what: "password_file",
                problem: "cannot be read",
                source: Some(source),
            });
        }
        let Some(name) = &self.password_env else { return Ok(None) };
        // Do not repeat the name: it may be the password, put in the wrong place.
        std::env::var(name).map(Some).map_err(|_| ConfigError::Secret {
            what: "password_env",
            problem: "names an environment variable that is not set",
            source: None,
        })
    }
}

/// Reads a password from the first line of a file.
pub fn password_in(path: &Path) -> std::io::Result<String> {
    let text = std::fs::read_to_string(path)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
