//! A report of what the counters say.

use super::schedule::State;
use crate::camera::Extent;
use crate::clock::Synchronized;
use crate::gateway::{CameraCounters, CameraState, Gateway};
use crate::spool::{self, DiskSpace};
use framepost_events::Camera;
use framepost_events::key::whole_micros;
use framepost_events::report::{
    GatewayReport, REPORT_TEXT_MAX, ReportTrigger, ReportedCamera, ReportedClock, ReportedDisk, ReportedSpool,
    ReportedState, ReportedUpload,
};
use framepost_ports::shown::{ShownUrl, line};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// A live camera of which nothing came or was stored for so long is silent. A restart of a camera takes less.
const SILENT_AFTER: Duration = Duration::from_mins(1);

/// What a report is made with, beside the counters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub(super) trigger: ReportTrigger,
    pub(super) uptime: Duration,
    pub(super) offset_us: Option<u64>,
    pub(super) quota_bytes: u64,
}

/// The counts of a report, from which the next makes rates.
#[derive(Debug, Default)]
pub(super) struct Counted {
    at: Duration,
    /// Frames and bytes of each camera at the last report, for the rates of the next.
    cameras: BTreeMap<Camera, (u64, u64)>,
}

/// What is told at once when it changes.
pub(super) fn state(gateway: &Gateway) -> State {
    let of = |camera: &CameraCounters| match reported(camera) {
        ReportedState::Connecting => ReportedState::Lost,
        other => other,
    };
    State {
        cameras: gateway.cameras().iter().map(|camera| (camera.name.clone(), of(camera))).collect(),
        synchronized: gateway.synchronized() == Synchronized::Yes,
        quarantined_objects: gateway.spool().stats().iter().map(|camera| camera.quarantined_objects).sum(),
    }
}

/// The report of `gateway` as it is now; `before` is what the last one counted.
pub(super) fn compose(
    gateway: &Gateway,
    made: &Made,
    disk: Option<DiskSpace>,
    before: Option<&Counted>,
) -> (GatewayReport, Counted) {
    let (now, monotonic) = gateway.now();
    let spools = gateway.spool().stats();
    let stats = gateway.cameras();
    let uploads = gateway.upload_stats();
    let since = before.map(|before| made.uptime.saturating_sub(before.at)).filter(|since| !since.is_zero());
    let mut counted = Counted { at: made.uptime, cameras: BTreeMap::new() };
    let mut cameras_silent = 0;
    let mut cameras = Vec::with_capacity(stats.len());
    for camera in &stats {
        let frames = camera.frames.load(Relaxed);
        let bytes = camera.bytes.load(Relaxed);
        let earlier = before.and_then(|before| before.cameras.get(&camera.name)).copied();
        let rate = |now: u64, earlier: u64| since.map(|since| now.saturating_sub(earlier) as f64 / since.as_secs_f64());
        let age = camera.last_arrival().map(|arrival| monotonic.saturating_sub(arrival));
        cameras_silent += u64::from(is_silent(camera, age.unwrap_or(made.uptime)));
        let of_spool = spools.iter().find(|spool| spool.camera == camera.name && spool.site == *gateway.site());
        let described = camera.described();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is not negative")]
        let kbps = |bytes_per_second: f64| (bytes_per_second * 8.0 / 1_000.0).round() as u64;
        cameras.push(ReportedCamera {
            camera: camera.name.clone(),
            state: reported(camera),
            source: shown_source(&camera.source),
            last_frame: age.and_then(|age| now.checked_sub(age).ok()).map(whole_micros),
            frame_rate: earlier.and_then(|(before, _)| rate(frames, before)).map(|rate| (rate * 100.0).round() / 100.0),
            bitrate_kbps: earlier.and_then(|(_, before)| rate(bytes, before)).map(kbps),
            width: described.as_ref().map(|described| described.width),
            height: described.as_ref().map(|described| described.height),
            codec: described.map(|described| described.codec),
            frames,
            frames_dropped: camera.frames_dropped.load(Relaxed),
            packets_lost: camera.packets_lost.load(Relaxed),
            connects: camera.connects.load(Relaxed),
            gaps: camera.gaps.load(Relaxed),
            chunks: camera.chunks.load(Relaxed),
            waiting_objects: of_spool.map_or(0, |spool| spool.waiting_objects),
            last_error: last_error(camera),
        });
        counted.cameras.insert(camera.name.clone(), (frames, bytes));
    }
    let report = GatewayReport {
        site: gateway.site().clone(),
        at: whole_micros(now),
        trigger: made.trigger,
        gateway_version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: made.uptime.as_secs(),
        gateway_clock: ReportedClock {
            synchronized: gateway.synchronized() == Synchronized::Yes,
            offset_us: made.offset_us,
            sets: gateway.system_clock_sets(),
        },
        disk: disk.map(|DiskSpace { total_bytes, free_bytes }| ReportedDisk { total_bytes, free_bytes }),
        spool: of_spool(&spools, gateway.spool().used_bytes(), made.quota_bytes, now),
        quarantined_objects: spools.iter().map(|camera| camera.quarantined_objects).sum(),
        upload: ReportedUpload {
            created_objects: uploads.created_objects,
            stored_bytes: uploads.stored_bytes,
            sent_bytes: uploads.sent_bytes,
            retries: uploads.retries.total(),
            last_error: uploads.last_error.as_deref().map(shortened),
        },
        cameras_silent,
        cameras,
        cameras_omitted: None,
    };
    (report, counted)
}

fn of_spool(spools: &[spool::CameraStats], used_bytes: u64, quota_bytes: u64, now: Timestamp) -> ReportedSpool {
    let oldest = spools.iter().filter_map(|camera| camera.oldest).min();
    let age = oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs());
    ReportedSpool {
        objects: spools.iter().map(|camera| camera.waiting_objects).sum(),
        bytes: spools.iter().map(|camera| camera.waiting_bytes).sum(),
        oldest,
        oldest_age_seconds: u64::try_from(age).unwrap_or(0),
        used_bytes,
        quota_bytes: Some(quota_bytes).filter(|quota| *quota != u64::MAX),
    }
}

fn reported(camera: &CameraCounters) -> ReportedState {
    match camera.state() {
        CameraState::Connecting => ReportedState::Connecting,
        CameraState::Recording if camera.unstored().is_some() => ReportedState::Unstored,
        CameraState::Recording => ReportedState::Recording,
        CameraState::Lost => ReportedState::Lost,
        CameraState::Finished => ReportedState::Finished,
        CameraState::Failed => ReportedState::Failed,
        CameraState::Stopped => ReportedState::Stopped,
    }
}

/// Whether nothing of a live camera is recorded; `age` is that of its last frame.
fn is_silent(camera: &CameraCounters, age: Duration) -> bool {
    let most = camera.silence_max.map_or(SILENT_AFTER, |silence| SILENT_AFTER.max(silence * 2));
    camera.extent == Extent::Live
        && (age > most || camera.unstored().is_some() || camera.state() == CameraState::Failed)
}

/// Why frames are not stored comes before why a session broke.
fn last_error(camera: &CameraCounters) -> Option<String> {
    let unstored = camera.unstored().map(|episode| format!("frames arrive and none is stored: {}", episode.why));
    unstored.or_else(|| camera.last_problem()).as_deref().map(shortened)
}

/// A URL by the allow-list; a file's path names no secret.
fn shown_source(source: &str) -> String {
    if source.contains("://") { ShownUrl::of(source).into() } else { shortened(source) }
}

fn shortened(text: &str) -> String {
    line(text).chars().take(REPORT_TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_shows_no_secret() {
        for (source, expected) in [
            ("rtsp://admin:p4ss@10.0.0.7:554/stream1", "rtsp://10.0.0.7:554/stream1"),
            ("rtsp://10.0.0.7/live?user=admin&password=p4ss", "rtsp://10.0.0.7/live"),
            ("rtsp://10.0.0.7/user=admin&password=p4ss&channel=1", "rtsp://10.0.0.7/***"),
            ("/srv/video/gate.mp4", "/srv/video/gate.mp4"),
        ] {
            assert_eq!(shown_source(source), expected);
        }
    }
}
