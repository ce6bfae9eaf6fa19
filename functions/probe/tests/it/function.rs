//! The function as a host calls it: outcomes, records, and objects of our own.

use crate::support::{OneObject, block_on, data, event, ffmpeg, mp4_box, probed, sha256};
use async_trait::async_trait;
use framepost_events::activity::Activity;
use framepost_events::attributes::{Attributes, ClockInfo, ClockSource, VideoAttributes};
use framepost_events::gap::{Gap, GapCause};
use framepost_events::manifest::{Manifest, ManifestSigner};
use framepost_events::record::{ChainState, Content, Data, Record, RejectReason, Signature};
use framepost_events::report::{
    GatewayReport, ReportTrigger, ReportedCamera, ReportedClock, ReportedSpool, ReportedState, ReportedUpload,
};
use framepost_ports::{Bus, Error, ErrorKind, Function, Outcome, Result};
use framepost_probe::{ContentCheck, HEAD_BYTES, Probe, ProbeSettings};
use jiff::SignedDuration;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEY: &str = "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4";

#[derive(Default)]
struct Records {
    published: Mutex<Vec<Record>>,
    fails: Option<ErrorKind>,
}

#[async_trait]
impl Bus for Records {
    async fn publish(&self, record: &Record) -> Result<()> {
        if let Some(kind) = self.fails {
            return Err(Error::new(kind, "publish", "records"));
        }
        self.published.lock().unwrap().push(record.clone());
        Ok(())
    }
}

fn handle(object: OneObject, key: &str, settings: ProbeSettings) -> (Outcome, Vec<Record>) {
    let bus = Arc::new(Records::default());
    let probe = Probe::new(Arc::new(object), bus.clone(), settings);
    let outcome = block_on(probe.handle(event(key)));
    let records = bus.published.lock().unwrap().clone();
    (outcome, records)
}

fn fragmented(dir: &Path) -> Vec<u8> {
    let make = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=3 -c:v libx264 -pix_fmt yuv420p -g 25 \
                -movflags frag_keyframe+empty_moov";
    std::fs::read(ffmpeg(dir, make, "fragments.mp4")).unwrap()
}

/// Adds to `size` fields what was put into their boxes.
fn with_fragments_duration(file: &[u8], units: u32) -> Vec<u8> {
    let at = |kind: &[u8; 4]| file.windows(4).position(|found| found == kind).unwrap() - 4;
    let moov = at(b"moov");
    let mvex = at(b"mvex");
    let mehd = mp4_box(*b"mehd", &[&[0; 4][..], &units.to_be_bytes()].concat());
    let mut bytes = file.to_vec();
    for container in [moov, mvex] {
        let size = u32::from_be_bytes(file[container..container + 4].try_into().unwrap()) + 16;
        bytes[container..container + 4].copy_from_slice(&size.to_be_bytes());
    }
    bytes.splice(mvex + 8..mvex + 8, mehd);
    bytes
}

/// Where the first box of this kind begins.
fn box_at(file: &[u8], kind: [u8; 4]) -> u64 {
    file.windows(4).position(|found| found == kind).unwrap() as u64 - 4
}

fn ours(bytes: &[u8], signer: &ManifestSigner) -> Attributes {
    let mut attributes = Attributes {
        from: Some("2026-11-20T15:08:23.547Z".parse().unwrap()),
        to: Some("2026-11-20T15:08:26.55Z".parse().unwrap()),
        duration: Some(SignedDuration::from_millis(3_000)),
        video: Some(VideoAttributes { width: 1, height: 1, framerate: 24.5, bitrate_kbps: 1 }),
        clock: Some(ClockInfo {
            source: ClockSource::Gateway,
            offset_us: None,
            uncertainty_us: Some(900),
            replaced: None,
            rate_ppm: None,
        }),
        media_end: Some(box_at(bytes, *b"mfra")),
        activity: Some(Activity { level: 2.5, quiet_bytes_per_second: 20_000, level_before: Some(1.25) }),
        sha256: Some(sha256(bytes)),
        key_id: Some(signer.key_id().to_owned()),
        ..Attributes::default()
    };
    let manifest = Manifest::claimed(KEY, bytes.len() as u64, &attributes).unwrap();
    attributes.signature = Some(signer.sign(&manifest));
    attributes
}

#[test]
fn a_chunk_of_our_own_costs_one_request() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = fragmented(dir.path());
    let signer = ManifestSigner::from_secret(&[5; 32]);
    let object = OneObject::new(bytes.clone()).with(ours(&bytes, &signer).to_metadata().unwrap());
    let record = probed(&object, KEY);
    assert_eq!(object.cost(), (1, HEAD_BYTES));
    assert_eq!(record.site.unwrap().to_string(), "plant-7");
    assert_eq!(record.camera.unwrap().to_string(), "gate");
    // The file knows its picture and length, the writer the wall clock.
    assert_eq!((record.resolution.width, record.resolution.height), (320, 240));
    assert_eq!(record.duration.from, Some("2026-11-20T15:08:23.547Z".parse().unwrap()));
    assert_eq!(record.duration.to, Some("2026-11-20T15:08:26.55Z".parse().unwrap()));
    assert_eq!(record.duration.seconds, Some(3.0));
    assert_eq!(record.frame_rate, Some(24.5));
    assert_eq!(record.clock.unwrap().source, ClockSource::Gateway);
    assert_eq!(record.media_link, format!("mem://footage/{KEY}"));
    assert_eq!(record.integrity.chain.state, ChainState::First);
    assert_eq!(record.integrity.signature, Signature::Unknown);
    // What a playlist needs, without another request: the file is larger than its head.
    assert!(bytes.len() as u64 > HEAD_BYTES);
    assert_eq!(record.init_bytes, Some(box_at(&bytes, *b"moof")));
    assert_eq!(record.media_end, Some(box_at(&bytes, *b"mfra")));
    assert_eq!(record.timescale, Some(12_800));
    let stsd = usize::try_from(box_at(&bytes, *b"stsd")).unwrap();
    let stsd_end = stsd + usize::try_from(u32::from_be_bytes(bytes[stsd..stsd + 4].try_into().unwrap())).unwrap();
    assert_eq!(record.sample_entry_digest, Some(sha256(&bytes[stsd..stsd_end])));
    assert_eq!(
        record.activity,
        Some(Activity { level: 2.5, quiet_bytes_per_second: 20_000, level_before: Some(1.25) })
    );
    assert_eq!(record.starts_with_random_access, Some(true));
}

#[test]
fn a_media_end_that_cannot_be_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = fragmented(dir.path());
    let signer = ManifestSigner::from_secret(&[5; 32]);
    for claimed in [0, box_at(&bytes, *b"moof") - 1, bytes.len() as u64 + 1, u64::MAX] {
        let attributes = Attributes { media_end: Some(claimed), ..ours(&bytes, &signer) };
        let object = OneObject::new(bytes.clone()).with(attributes.to_metadata().unwrap());
        assert_eq!(probed(&object, KEY).media_end, None, "{claimed}");
        assert_eq!(object.cost(), (1, HEAD_BYTES));
    }
}

fn report(cameras: usize) -> GatewayReport {
    let camera = |n| ReportedCamera {
        camera: format!("camera-{n}").parse().unwrap(),
        state: ReportedState::Recording,
        source: "rtsp://10.0.0.7:554/stream1".to_owned(),
        last_frame: None,
        frame_rate: Some(25.0),
        bitrate_kbps: Some(4_000),
        codec: None,
        width: None,
        height: None,
        frames: 1,
        frames_dropped: 0,
        packets_lost: 0,
        connects: 1,
        gaps: 0,
        chunks: 1,
        waiting_objects: 0,
        last_error: None,
    };
    GatewayReport {
        site: "plant-7".parse().unwrap(),
        at: "2026-11-20T15:08:23.5Z".parse().unwrap(),
        trigger: ReportTrigger::Interval,
        gateway_version: "0.1.0".to_owned(),
        uptime_seconds: 60,
        gateway_clock: ReportedClock { synchronized: true, offset_us: None, sets: 0 },
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
        upload: ReportedUpload { created_objects: 1, stored_bytes: 1, sent_bytes: 1, retries: 0, last_error: None },
        cameras_silent: 0,
        cameras: (0..cameras).map(camera).collect(),
        cameras_omitted: None,
    }
}

#[test]
fn a_gateways_report_has_a_record() {
    let signer = ManifestSigner::from_secret(&[5; 32]);
    for (cameras, requests) in [(2, 1), (200, 2), (2_000, 2)] {
        let report = report(cameras);
        let key = report.key();
        let text = key.to_string();
        let bytes = report.to_json();
        let mut attributes =
            Attributes { from: Some(key.at), to: Some(key.at), sha256: Some(sha256(&bytes)), ..Attributes::default() };
        let manifest = Manifest::claimed(&text, bytes.len() as u64, &attributes).unwrap();
        attributes.signature = Some(signer.sign(&manifest));
        let object = Arc::new(OneObject::new(bytes.clone()).with(attributes.to_metadata().unwrap()));
        let bus = Arc::new(Records::default());
        let settings = ProbeSettings { public_keys: vec![signer.public_key()], content: ContentCheck::Head };
        let probe = Probe::new(object.clone(), bus.clone(), settings);
        assert_eq!(block_on(probe.handle(event(&text))), Outcome::Done);
        let records = bus.published.lock().unwrap().clone();
        let Data::GatewayReported(reported) = &records[0].data else { panic!("{records:?}") };
        assert_eq!(reported.report, GatewayReport::from_json(&bytes).unwrap());
        assert_eq!(
            (reported.integrity.signature, reported.integrity.chain.state),
            (Signature::Valid, ChainState::Absent)
        );
        assert_eq!(object.cost(), (requests, if requests == 1 { HEAD_BYTES } else { bytes.len() as u64 }), "{cameras}");
    }
    let good = report(1);
    let elsewhere = GatewayReport { site: "plant-8".parse().unwrap(), ..good.clone() };
    let text = good.key().to_string();
    for (name, bytes) in [
        ("no JSON", b"{".to_vec()),
        ("empty", vec![]),
        ("of another site", elsewhere.to_json()),
        ("too large", vec![b' '; 200_000]),
    ] {
        let (outcome, records) = handle(OneObject::new(bytes), &text, ProbeSettings::default());
        let Data::ObjectRejected(rejected) = &records[0].data else { panic!("{name}: {records:?}") };
        assert_eq!(rejected.reason, RejectReason::BadReport, "{name}");
        assert!(matches!(outcome, Outcome::Reject(_)), "{name}: {outcome:?}");
    }
}

#[test]
fn mehd_and_the_key_are_enough() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = with_fragments_duration(&fragmented(dir.path()), 3_003);
    let object = OneObject::new(bytes);
    let record = probed(&object, KEY);
    assert_eq!(object.cost(), (1, HEAD_BYTES));
    assert_eq!(record.duration.seconds, Some(3.003));
    assert_eq!(record.duration.from, Some("2026-11-20T15:08:23.547Z".parse().unwrap()));
    assert_eq!(record.duration.to, Some("2026-11-20T15:08:26.55Z".parse().unwrap()));
}

#[test]
fn content_is_verified_when_the_operator_asks() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = fragmented(dir.path());
    let signer = ManifestSigner::from_secret(&[5; 32]);
    let metadata = ours(&bytes, &signer).to_metadata().unwrap();
    let mut changed = bytes.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for (bytes, content, expected) in [
        (&bytes, ContentCheck::Head, (Content::Claimed, Signature::Valid)),
        (&bytes, ContentCheck::Full, (Content::Verified, Signature::Valid)),
        (&changed, ContentCheck::Head, (Content::Claimed, Signature::Valid)),
        (&changed, ContentCheck::Full, (Content::Mismatch, Signature::Invalid)),
    ] {
        let object = OneObject::new(bytes.clone()).with(metadata.clone());
        let settings = ProbeSettings { public_keys: vec![signer.public_key()], content };
        let (outcome, records) = handle(object, KEY, settings);
        assert_eq!(outcome, Outcome::Done);
        let Data::ChunkProbed(probed) = &records[0].data else { panic!("{records:?}") };
        assert_eq!((probed.integrity.content.unwrap(), probed.integrity.signature), expected);
    }
}

#[test]
fn the_same_event_gives_the_same_record() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = fragmented(dir.path());
    let once = handle(OneObject::new(bytes.clone()), KEY, ProbeSettings::default()).1;
    let twice = handle(OneObject::new(bytes), KEY, ProbeSettings::default()).1;
    assert_eq!(serde_json::to_vec(&once).unwrap(), serde_json::to_vec(&twice).unwrap());
    assert_eq!(once[0].event_type, "io.framepost.chunk.probed.v1");
}

#[test]
fn span_ends_and_gaps_have_records() {
    let end = "plant-7/2026-11-20/gate/15/08-29.547000Z.7.mp4_end";
    let Data::SpanEnded(ended) = data(&OneObject::new(""), end) else { panic!("no span end") };
    assert_eq!(ended.chunks, 7);
    assert_eq!(ended.end, "2026-11-20T15:08:29.547Z".parse().unwrap());
    let gap = Gap {
        site: "plant-7".parse().unwrap(),
        camera: "gate".parse().unwrap(),
        from: "2026-11-20T15:08:29.547Z".parse().unwrap(),
        to: "2026-11-20T15:09:00Z".parse().unwrap(),
        cause: GapCause::CameraLost,
        detail: Some("connection reset".to_owned()),
        frames_dropped: None,
        chunks_dropped: None,
        source_bytes: None,
    };
    let key = gap.key(0).to_string();
    let object = OneObject::new(gap.to_json());
    let Data::GapRecorded(recorded) = data(&object, &key) else { panic!("no gap") };
    assert_eq!(recorded.gap, gap);
    assert_eq!(object.cost().0, 1);

    let elsewhere = key.replace("gate", "yard");
    let padded = [gap.to_json(), vec![b' '; 20_000]].concat();
    for (name, key, bytes, expected) in [
        ("a span end with bytes", end, b"x".to_vec(), RejectReason::Malformed),
        ("a gap that is no JSON", &key, b"{".to_vec(), RejectReason::BadGap),
        ("an empty gap", &key, vec![], RejectReason::BadGap),
        ("a gap of another camera", &elsewhere, gap.to_json(), RejectReason::BadGap),
        ("a gap that is too large", &key, padded, RejectReason::BadGap),
        ("an empty chunk", KEY, vec![], RejectReason::Empty),
    ] {
        let (outcome, records) = handle(OneObject::new(bytes), key, ProbeSettings::default());
        let Data::ObjectRejected(rejected) = &records[0].data else { panic!("{name}: {records:?}") };
        assert_eq!(rejected.reason, expected, "{name}");
        assert!(matches!(outcome, Outcome::Reject(_)), "{name}: {outcome:?}");
    }
}

#[test]
fn a_rejected_object_is_recorded_and_parked() {
    let (outcome, records) = handle(OneObject::new("junk, junk"), "in/junk.mp4", ProbeSettings::default());
    assert_eq!(records[0].event_type, "io.framepost.object.rejected.v1");
    let Outcome::Reject(reason) = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason.code, "not-media");
}

#[test]
fn failures_are_answered_by_their_kind() {
    let retry = |seconds| Some(Duration::from_secs(seconds));
    for (kind, expected) in [
        (ErrorKind::NotFound, "skip"),
        (ErrorKind::Invalid, "reject"),
        (ErrorKind::Denied, "retry"),
        (ErrorKind::Transport, "retry"),
        (ErrorKind::Busy, "retry"),
        (ErrorKind::Corrupt, "retry"),
    ] {
        let object = OneObject { fails: Some(kind), ..OneObject::new("") };
        let (outcome, records) = handle(object, KEY, ProbeSettings::default());
        assert_eq!(records.len(), 0, "{kind}");
        let (word, after) = match outcome {
            Outcome::Skip(reason) => {
                assert_eq!(reason.code, "object-gone");
                ("skip", None)
            }
            Outcome::Reject(_) => ("reject", None),
            Outcome::Retry { after, .. } => ("retry", Some(after)),
            Outcome::Done => ("done", None),
        };
        assert_eq!(word, expected, "{kind}");
        if kind == ErrorKind::Denied {
            assert!(after >= retry(600), "a grant is not repaired in {after:?}");
        }
    }
    let bus = Arc::new(Records { fails: Some(ErrorKind::NotFound), ..Records::default() });
    let probe = Probe::new(Arc::new(OneObject::new("junk")), bus, ProbeSettings::default());
    let outcome = block_on(probe.handle(event("junk")));
    assert!(matches!(outcome, Outcome::Retry { .. }), "a missing topic loses no record: {outcome:?}");
}

#[test]
fn a_short_answer_is_the_buckets_fault() {
    /// Ends every answer early.
    struct Short(OneObject);

    #[async_trait]
    impl framepost_ports::ObjectSource for Short {
        async fn read(
            &self,
            bucket: &str,
            key: &str,
            version: Option<&str>,
            range: framepost_ports::ByteRange,
        ) -> Result<framepost_ports::ObjectRead> {
            let mut read = self.0.read(bucket, key, version, range).await?;
            read.bytes.truncate(100);
            Ok(read)
        }
        fn provider(&self) -> framepost_events::finalized::Provider {
            self.0.provider()
        }
        fn media_link(&self, bucket: &str, key: &str, version: Option<&str>) -> String {
            self.0.media_link(bucket, key, version)
        }
    }
    let bus = Arc::new(Records::default());
    let probe = Probe::new(Arc::new(Short(OneObject::new(vec![0; 4000]))), bus.clone(), ProbeSettings::default());
    let outcome = block_on(probe.handle(event(KEY)));
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
    assert_eq!(bus.published.lock().unwrap().len(), 0);
}

#[test]
fn settings_come_from_variables() {
    let key = ManifestSigner::from_secret(&[5; 32]).public_key();
    let read = |keys: String, check: &'static str| {
        ProbeSettings::from_variables(move |name| match name {
            "FRAMEPOST_PUBLIC_KEYS" => Some(keys.clone()),
            "FRAMEPOST_CONTENT_CHECK" => Some(check.to_owned()),
            _ => None,
        })
    };
    let settings = read(format!("{key}, {key}"), "full").unwrap();
    assert_eq!((settings.public_keys, settings.content), (vec![key.clone(), key], ContentCheck::Full));
    let settings = ProbeSettings::from_variables(|_| None).unwrap();
    assert_eq!((settings.public_keys.len(), settings.content), (0, ContentCheck::Head));
    assert!(read("abc".to_owned(), "head").is_err());
    assert!(read(String::new(), "half").is_err());
}
