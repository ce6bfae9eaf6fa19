//! Reports: what a gateway says of itself and its cameras every few minutes, as a small object beside the footage.
//!
//! The object is JSON, [`GatewayReport`], under the key `<site>/reports/YYYY-MM-DD/HH-MM-SS[.frac]Z.report.json`: below the
//! site's prefix, where the gateway's credential may put, and where no reader of chunks takes it for one (a chunk's second
//! part is a date). Its metadata are those of a gap: `From`, `To` (both when the report was made), `Sha256`, and `KeyId` and
//! `Signature` where the gateway signs.
//!
//! Reports are no evidence: they are in no chain, one that could not be put is not put later, and they expire.

use crate::key::whole_micros;
use crate::{Camera, Error, Site};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The content type of a report's object.
pub const REPORT_CONTENT_TYPE: &str = "application/json";

/// The most bytes that a report has; one of too many cameras leaves some out.
pub const REPORT_BYTES_MAX: usize = 96 * 1024;

/// The most characters of an error's text.
pub const REPORT_TEXT_MAX: usize = 200;

/// The second part of a report's key.
const DIRECTORY: &str = "reports";
const SUFFIX: &str = "Z.report.json";

/// Why a report was made when it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReportTrigger {
    /// The gateway started. This is its first report.
    Start,
    /// The configured interval has passed since the last report.
    Interval,
    /// A camera's state, the clock's or the bucket's changed, or something was set aside.
    Change,
}

/// What a gateway says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayReport {
    /// The site whose gateway it is.
    pub site: Site,
    /// When the report was made, by the gateway's clock.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Why it was made then.
    pub trigger: ReportTrigger,
    /// The gateway program's version.
    pub gateway_version: String,
    /// For how long the program has been running, in seconds.
    pub uptime_seconds: u64,
    /// The state of the gateway's clock.
    pub gateway_clock: ReportedClock,
    /// The disk with the spool; absent if the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<ReportedDisk>,
    /// The objects that wait for upload.
    pub spool: ReportedSpool,
    /// Number of objects that the bucket refuses permanently, and that need an operator.
    pub quarantined_objects: u64,
    /// Counts of uploads since the program started.
    pub upload: ReportedUpload,
    /// Number of live cameras of which nothing is recorded now.
    pub cameras_silent: u64,
    /// The cameras, each with its state and its counts.
    #[serde(default)]
    pub cameras: Vec<ReportedCamera>,
    /// Number of cameras that are left out because the report would have been too large; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cameras_omitted: Option<u64>,
}

/// The gateway's clock, as its operating system sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportedClock {
    /// Whether the system says that the clock is synchronised.
    pub synchronized: bool,
    /// The clock's distance from its time servers in µs, as the time service estimates it; absent without an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_us: Option<u64>,
    /// How often the clock was set since the program started.
    pub sets: u64,
}

/// The disk with the spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportedDisk {
    /// The size of its file system.
    pub total_bytes: u64,
    /// Free space for programs without special rights.
    pub free_bytes: u64,
}

/// The objects that wait for upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportedSpool {
    /// Number of complete objects that are not yet known to be in the bucket: chunks, gaps and ends of spans.
    pub objects: u64,
    /// The size of these objects together.
    pub bytes: u64,
    /// The start of the oldest of them; absent if none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub oldest: Option<Timestamp>,
    /// The age of the oldest in seconds; 0 if none waits.
    pub oldest_age_seconds: u64,
    /// Space that all files of the spool take.
    pub used_bytes: u64,
    /// The most space that they may take; absent without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_bytes: Option<u64>,
}

/// Counts of uploads since the program started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportedUpload {
    /// Number of objects that the bucket accepted.
    pub created_objects: u64,
    /// Size of the objects that the bucket accepted, or had already.
    pub stored_bytes: u64,
    /// Bytes sent, including those of failed puts.
    pub sent_bytes: u64,
    /// Number of puts that had to be repeated.
    pub retries: u64,
    /// The last failure; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// The state of a camera's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReportedState {
    /// The connection is being made.
    Connecting,
    /// Frames arrive and are stored.
    Recording,
    /// Frames arrive, and none is stored.
    Unstored,
    /// The connection was lost, and will be made again soon.
    Lost,
    /// A file was read to its end.
    Finished,
    /// A file could not be read, or the spool could not be written.
    Failed,
    /// The gateway is stopping.
    Stopped,
}

/// One camera, with counts since the program started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportedCamera {
    /// Its name in the gateway's configuration.
    pub camera: Camera,
    /// The state of its session.
    pub state: ReportedState,
    /// Its URL or file: scheme, host and path, without credentials and query.
    pub source: String,
    /// When the last frame arrived, by the gateway's clock; absent if none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_frame: Option<Timestamp>,
    /// Video frames per second since the last report; absent in the first report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// Kilobits per second since the last report, including audio; absent in the first report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate_kbps: Option<u64>,
    /// Codec of the video, as in RFC 6381; absent before the first session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Width of the picture in pixels; absent before the first session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of the picture in pixels; absent before the first session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Number of video frames received, including those that were dropped later.
    pub frames: u64,
    /// Number of frames dropped because the disk was too slow.
    pub frames_dropped: u64,
    /// Number of RTP packets lost on the network.
    pub packets_lost: u64,
    /// Number of sessions that began.
    pub connects: u64,
    /// Number of gaps recorded.
    pub gaps: u64,
    /// Number of chunks closed.
    pub chunks: u64,
    /// Number of its objects that wait for upload.
    pub waiting_objects: u64,
    /// Why the last session ended, or why frames are not stored; absent if nothing was wrong yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl GatewayReport {
    /// Returns the key of the report's object.
    pub fn key(&self) -> ReportKey {
        ReportKey { site: self.site.clone(), at: whole_micros(self.at) }
    }

    /// Returns the object's bytes, at most [`REPORT_BYTES_MAX`]. If there are too many cameras, the last ones are left out and counted.
    pub fn to_json(&self) -> Vec<u8> {
        let mut report = self.clone();
        loop {
            let bytes = serde_json::to_vec(&report).unwrap_or_default();
            if bytes.len() <= REPORT_BYTES_MAX || report.cameras.is_empty() {
                return bytes;
            }
            let kept = report.cameras.len() * REPORT_BYTES_MAX / bytes.len();
            report.cameras.truncate(kept.min(report.cameras.len() - 1));
            report.cameras_omitted = Some((self.cameras.len() - report.cameras.len()) as u64);
        }
    }

    /// Parses a report's object.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|error| Error::Event(format!("not a report: {error}")))
    }
}

/// The key of a report in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReportKey {
    /// The first part of the key.
    pub site: Site,
    /// When the report was made, in whole microseconds.
    pub at: Timestamp,
}

impl ReportKey {
    /// Returns the beginning of the keys of a site's reports.
    pub fn prefix(site: &Site) -> String {
        format!("{site}/{DIRECTORY}/")
    }
}

impl std::fmt::Display for ReportKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = TimeZone::UTC.to_datetime(self.at);
        write!(f, "{}/{DIRECTORY}/{:04}-{:02}-{:02}/", self.site, time.year(), time.month(), time.day())?;
        write!(f, "{:02}-{:02}-{:02}", time.hour(), time.minute(), time.second())?;
        let micros = time.subsec_nanosecond() / 1_000;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        f.write_str(SUFFIX)
    }
}

impl std::str::FromStr for ReportKey {
    type Err = Error;

    fn from_str(key: &str) -> Result<Self, Error> {
        parse(key).ok_or_else(|| Error::Key {
            key: key.to_owned(),
            expected: "expected site/reports/YYYY-MM-DD/HH-MM-SSZ.report.json",
        })
    }
}

fn parse(key: &str) -> Option<ReportKey> {
    let mut parts = key.split('/');
    let site = parts.next()?.parse().ok()?;
    if parts.next() != Some(DIRECTORY) {
        return None;
    }
    let date = parts.next()?;
    let clock = parts.next()?.strip_suffix(SUFFIX)?;
    if parts.next().is_some() || clock.len() < 8 || !clock.is_char_boundary(8) {
        return None;
    }
    let (whole, fraction) = clock.split_at(8);
    let at: Timestamp = format!("{date}T{}{fraction}Z", whole.replace('-', ":")).parse().ok()?;
    let found = ReportKey { site, at };
    // One spelling, as for chunks that are ours.
    (found.to_string() == key).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ObjectKey;
    use proptest::prelude::*;

    fn camera(n: usize) -> ReportedCamera {
        ReportedCamera {
            camera: format!("camera-{n}").parse().unwrap(),
            state: ReportedState::Lost,
            source: format!("rtsp://10.0.{}.{}:554/stream1", n / 256, n % 256),
            last_frame: Some("2026-11-20T15:08:23.5Z".parse().unwrap()),
            frame_rate: Some(24.97),
            bitrate_kbps: Some(4_012),
            codec: Some("avc1.64001f".to_owned()),
            width: Some(1920),
            height: Some(1080),
            frames: 1,
            frames_dropped: 0,
            packets_lost: 0,
            connects: 1,
            gaps: 0,
            chunks: 0,
            waiting_objects: 0,
            last_error: Some("e".repeat(REPORT_TEXT_MAX)),
        }
    }

    fn report(cameras: usize) -> GatewayReport {
        GatewayReport {
            site: "plant-7".parse().unwrap(),
            at: "2026-11-20T15:08:23.547Z".parse().unwrap(),
            trigger: ReportTrigger::Interval,
            gateway_version: "0.1.0".to_owned(),
            uptime_seconds: 3_600,
            gateway_clock: ReportedClock { synchronized: true, offset_us: Some(12), sets: 0 },
            disk: None,
            spool: ReportedSpool {
                objects: 0,
                bytes: 0,
                oldest: None,
                oldest_age_seconds: 0,
                used_bytes: 0,
                quota_bytes: None,
            },
            quarantined_objects: 0,
            upload: ReportedUpload { created_objects: 1, stored_bytes: 2, sent_bytes: 3, retries: 0, last_error: None },
            cameras_silent: 0,
            cameras: (0..cameras).map(camera).collect(),
            cameras_omitted: None,
        }
    }

    #[test]
    fn the_key_is_below_the_site_and_no_chunk() {
        let key = report(0).key().to_string();
        assert_eq!(key, "plant-7/reports/2026-11-20/15-08-23.547000Z.report.json");
        assert!(key.starts_with(&ReportKey::prefix(&"plant-7".parse().unwrap())));
        assert!(key.parse::<ObjectKey>().is_err());
        for other in [
            "plant-7/reports/2026-11-20/15-08-23.547Z.report.json",
            "plant-7/reports/2026-11-20/15-08-23.547000Z.json",
            "plant-7/reports/2026-02-30/15-08-23Z.report.json",
            "plant-7/reports/2026-11-20/é5-08-23Z.report.json",
            "plant-7/2026-11-20/reports/15/08-23.547000Z.0.mp4",
            "x/plant-7/reports/2026-11-20/15-08-23Z.report.json",
            "reports/2026-11-20/15-08-23Z.report.json",
        ] {
            assert!(other.parse::<ReportKey>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_report_of_many_cameras_leaves_some_out_and_says_so() {
        for cameras in [0, 1, 150, 5_000] {
            let bytes = report(cameras).to_json();
            assert!(bytes.len() <= REPORT_BYTES_MAX, "{cameras}: {} bytes", bytes.len());
            let read = GatewayReport::from_json(&bytes).unwrap();
            let omitted = usize::try_from(read.cameras_omitted.unwrap_or(0)).unwrap();
            assert_eq!(read.cameras.len() + omitted, cameras);
            assert_eq!(omitted > 0, cameras > 150, "{omitted} of {cameras}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(site in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", micros in 0_i64..253_402_207_200_000_000) {
            let Ok(site) = site.parse() else { return Ok(()) };
            let key = ReportKey { site, at: Timestamp::from_microsecond(micros).unwrap() };
            prop_assert_eq!(&key.to_string().parse::<ReportKey>().unwrap(), &key);
            prop_assert!(key.to_string().parse::<ObjectKey>().is_err());
        }

        #[test]
        fn any_text_gives_an_answer(text in "(a/reports/)?.{0,60}(Z.report.json)?") {
            if let Ok(key) = text.parse::<ReportKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }
}
