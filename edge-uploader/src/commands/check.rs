//! `edge-uploader check`: tries everything that recording needs, one thing after the other.

use super::signer;
use edge_uploader::camera::{CameraError, CameraEvent};
use edge_uploader::clock::{Synchronized, gateway_synchronized};
use edge_uploader::config::{CameraConfig, Config};
use edge_uploader::media::TrackKind;
use edge_uploader::spool::DiskSpace;
use edge_uploader::{destination, terminal};
use framepost_events::attributes::Attributes;
use framepost_events::{KeyKind, ObjectKey, Sha256};
use framepost_ports::{Content, ErrorKind, NewObject, chain};
use futures::FutureExt as _;
use hyper::body::Bytes;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file to check.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How long to wait for each camera's first random access frame.
    #[arg(long, value_parser = edge_uploader::config::units::parse_duration, default_value = "15s", value_name = "DURATION")]
    timeout: Duration,
}

/// The result of one check.
enum Verdict {
    Good(String),
    /// Recording works, but with a limitation.
    Doubtful(String),
    Bad(String),
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut bad = 0;
    let mut report = |what: &str, verdict: Verdict| {
        let (mark, words) = match verdict {
            Verdict::Good(words) => ("ok  ", words),
            Verdict::Doubtful(words) => ("warn", words),
            Verdict::Bad(words) => {
                bad += 1;
                ("FAIL", words)
            }
        };
        terminal::out(format_args!("{mark}  {what:<24} {words}"));
    };

    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(error) => {
            report("config", Verdict::Bad(chain(&error)));
            return Ok(ExitCode::FAILURE);
        }
    };
    let cameras = match config.cameras.len() {
        1 => "1 camera".to_owned(),
        several => format!("{several} cameras"),
    };
    report("config", Verdict::Good(format!("{cameras} of site {}", config.site)));
    report("clock", clock());
    report("disk", disk(&config));
    if let Some(signing) = &config.signing {
        let verdict = match signer(&signing.key_file) {
            Ok(signer) => Verdict::Good(format!("key id {}", signer.key_id())),
            Err(error) => Verdict::Bad(format!("{error:#}")),
        };
        report("signing key", verdict);
    }
    report("bucket", bucket(&config).await);
    let cameras = config.cameras.iter().map(|source| async {
        let chunk_max = config.recording_of(source).chunk_max();
        let timeout = arguments.timeout;
        // It keeps to the time by itself, unless it blocks.
        let verdict = tried(camera(source, chunk_max, timeout), timeout.saturating_mul(2)).await;
        (format!("camera {}", source.name), verdict)
    });
    for (what, verdict) in futures::future::join_all(cameras).await {
        report(&what, verdict);
    }
    if bad == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    terminal::out(format_args!("{bad} of these must be fixed before recording works"));
    Ok(ExitCode::FAILURE)
}

fn clock() -> Verdict {
    match gateway_synchronized() {
        Synchronized::Yes => Verdict::Good("synchronised".to_owned()),
        Synchronized::No => Verdict::Doubtful(
            "not known to be synchronised: chunks will say so; start systemd-timesyncd or chrony".to_owned(),
        ),
    }
}

fn disk(config: &Config) -> Verdict {
    let spool = &config.spool;
    if let Err(error) = std::fs::create_dir_all(&spool.dir) {
        return Verdict::Bad(format!("cannot create {}: {error}", spool.dir.display()));
    }
    // A new file with a name of its own, so that no link is followed and nothing is overwritten.
    let probe = spool.dir.join(format!(".check-{}", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe);
    let written = made.and_then(|mut file| {
        let written = file.write_all(b"framepost");
        written.and(std::fs::remove_file(&probe))
    });
    if let Err(error) = written {
        return Verdict::Bad(format!("cannot write in {}: {error}", spool.dir.display()));
    }
    let free = match DiskSpace::at(&spool.dir) {
        Ok(space) => space.free_bytes,
        Err(error) => return Verdict::Bad(format!("cannot read the free disk space: {error}")),
    };
    let usable = free.saturating_sub(spool.free_floor);
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let words =
        format!("{} free, quota {}, floor {}", gigabytes(free), gigabytes(spool.quota), gigabytes(spool.free_floor));
    match usable {
        0 => Verdict::Bad(format!("{words}: nothing could be recorded")),
        usable if usable < spool.quota => Verdict::Doubtful(format!("{words}: the quota does not fit on the disk")),
        _ => Verdict::Good(words),
    }
}

/// Puts an object with a deliberately wrong digest. A bucket that would accept the put reports that it arrived
/// corrupt, and stores nothing. Otherwise the answer says why not. This works with a credential that can only
/// put, and leaves nothing behind.
async fn bucket(config: &Config) -> Verdict {
    let sink = match destination::connect(&config.upload).await {
        Ok(sink) => sink,
        Err(error) => return Verdict::Bad(chain(&error)),
    };
    let Some(camera) = config.cameras.first() else { return Verdict::Bad("no camera".to_owned()) };
    let site = config.site.clone();
    let camera = camera.name.clone();
    let key = ObjectKey::new(site, camera, jiff::Timestamp::UNIX_EPOCH, u64::MAX, KeyKind::Gap).to_string();
    let object = NewObject {
        key,
        content_type: "application/octet-stream".to_owned(),
        metadata: Attributes::default().to_metadata().unwrap_or_default(),
        sha256: Sha256::of(b"something else"),
        crc32c: Some(0),
        content: Arc::new(Bytes::from_static(b"framepost check")) as Arc<dyn Content>,
    };
    match tokio::time::timeout(Duration::from_secs(20), sink.put(&object)).await {
        Err(_) => Verdict::Bad(format!("{}: no answer within 20 s", sink.url())),
        Ok(Err(error)) if error.kind() == ErrorKind::Corrupt => Verdict::Good(format!("{} takes objects", sink.url())),
        Ok(Err(error)) => Verdict::Bad(chain(&error)),
        Ok(Ok(_)) => Verdict::Doubtful(format!(
            "{} does not check digests; the check left {} there, remove it",
            sink.url(),
            object.key
        )),
    }
}

/// Returns the verdict for one camera. A panic or a hang in its code affects only this verdict.
async fn tried(attempt: impl Future<Output = Verdict>, limit: Duration) -> Verdict {
    match tokio::time::timeout(limit, AssertUnwindSafe(attempt).catch_unwind()).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) => Verdict::Bad(
            "the check of this camera failed because of a defect in the program; the log says where".to_owned(),
        ),
        Err(_) => Verdict::Bad(format!("no frame within {limit:?}")),
    }
}

/// What a camera has sent so far.
#[derive(Debug, Default)]
struct Seen {
    /// Description of codec, picture and audio.
    streams: String,
    pictures: u64,
    sounds: u64,
    undescribed: u64,
}

/// Checks whether a camera sends pictures, and a random access frame soon enough.
async fn camera(config: &CameraConfig, chunk_max: Duration, timeout: Duration) -> Verdict {
    let mut seen = Seen::default();
    let looked = tokio::time::timeout(timeout, random_access(config, chunk_max, &mut seen)).await;
    let Seen { streams, pictures, sounds, undescribed } = seen;
    match looked {
        Ok(Ok(RandomAccess::Found)) => Verdict::Good(streams),
        Ok(Err(error)) if pictures == 0 => Verdict::Bad(chain(&error)),
        _ if pictures > 0 => Verdict::Doubtful(format!(
            "{streams}; no random access frame among its first {pictures} frames: such chunks need those before them to play; \
             set a shorter key frame interval in the camera"
        )),
        _ if undescribed > 0 => Verdict::Bad(format!(
            "its {undescribed} frames come without parameter sets (SPS, PPS), and its description has none"
        )),
        _ if sounds > 0 => Verdict::Bad(format!("it sent sound and no picture within {timeout:?}")),
        Ok(_) => Verdict::Bad("it sends no video".to_owned()),
        Err(_) => Verdict::Bad(format!("no frame within {timeout:?}")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RandomAccess {
    Found,
    None,
}

/// Follows a camera until its first random access frame, for at most `chunk_max` after its first picture.
async fn random_access(
    config: &CameraConfig,
    chunk_max: Duration,
    seen: &mut Seen,
) -> Result<RandomAccess, CameraError> {
    let mut source = config.open()?;
    let mut session = source.connect().await?;
    let mut first = None;
    while let Some(event) = session.next().await? {
        match event {
            CameraEvent::Parameters(parameters) => {
                let video = &parameters.video;
                let audio = parameters.audio.as_ref().map_or("no audio", |audio| audio.rfc6381.as_str());
                seen.streams = format!("{} {}x{}, {audio}", video.rfc6381, video.width, video.height);
            }
            CameraEvent::Frame(frame) if frame.track == TrackKind::Audio => seen.sounds += 1,
            CameraEvent::Frame(frame) => {
                seen.pictures += 1;
                if frame.reference.is_random_access() {
                    return Ok(RandomAccess::Found);
                }
                if first.get_or_insert_with(Instant::now).elapsed() > chunk_max {
                    return Ok(RandomAccess::None);
                }
            }
            CameraEvent::Undescribed { .. } => seen.undescribed += 1,
            _ => {}
        }
    }
    Ok(RandomAccess::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_costs_one_camera_its_line() {
        let limit = Duration::from_secs(15);
        let good = tried(async { Verdict::Good("avc1".to_owned()) }, limit);
        let broken = tried(async { panic!("the depacketizer") }, limit);
        let silent = tried(std::future::pending(), limit);
        let (good, broken, silent) = tokio::join!(good, broken, silent);
        assert!(matches!(good, Verdict::Good(words) if words == "avc1"));
        assert!(matches!(broken, Verdict::Bad(words) if words.contains("defect")));
        assert!(matches!(silent, Verdict::Bad(words) if words.contains("no frame within")));
    }
}
