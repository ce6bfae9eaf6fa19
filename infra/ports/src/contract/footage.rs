//! Made-up footage that the catalogue's contract tells catalogues of.

use crate::catalog::{CameraName, Change, Interval};
use framepost_events::activity::Activity;
use framepost_events::detection::{Bounds, Detection};
use framepost_events::finalized::Provider;
use framepost_events::gap::{Gap, GapCause};
use framepost_events::record::{
    Chain, ChainState, ChunkInferred, ChunkProbed, Container, Content, Data, Duration, GapRecorded, GatewayReported,
    InferredFrame, Integrity, LabelSummary, Model, ObjectRef, ObjectRejected, Record, RejectReason, Resolution,
    Signature, Skipped, SpanEnded,
};
use framepost_events::removed::{Cause, ObjectRemoved, Removal};
use framepost_events::report::{GatewayReport, ReportTrigger, ReportedClock, ReportedSpool, ReportedUpload};
use framepost_events::{KeyKind, ObjectKey, Sha256};
use jiff::{SignedDuration, Timestamp};

/// How long each chunk plays, in milliseconds.
pub(super) const CHUNK_MS: i64 = 3_000;

/// Footage that is made up, for catalogues to be told of: the same for the same seed.
pub struct Footage {
    pub(super) random: fastrand::Rng,
    start: Timestamp,
}

impl Footage {
    /// Footage of 20 November 2026 from 23:58 on, so that it goes over midnight.
    pub fn new(seed: u64) -> Self {
        let start = Timestamp::from_second(1_795_219_080).unwrap_or_default();
        Self { random: fastrand::Rng::with_seed(seed), start }
    }

    /// Returns the time from which it goes on: 23:58, UTC.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// A camera of the footage.
    pub fn camera(n: usize) -> CameraName {
        let name = |text: String| text.parse().ok().zip(format!("cam-{n}").parse().ok());
        match name(format!("site-{}", n % 2)) {
            Some((site, camera)) => CameraName { site, camera },
            None => unreachable!("both are names"),
        }
    }

    pub(super) fn at(&self, ms: i64) -> Timestamp {
        self.start.checked_add(SignedDuration::from_millis(ms)).unwrap_or(self.start)
    }

    pub(super) fn object(key: &ObjectKey, version: &str) -> ObjectRef {
        ObjectRef {
            provider: Provider::Local,
            bucket: "footage".to_owned(),
            key: key.to_string(),
            version: version.to_owned(),
        }
    }

    pub(super) fn integrity(&mut self) -> Integrity {
        let signature = [Signature::Valid, Signature::Absent, Signature::Invalid][self.random.usize(0..3)];
        let chain = Chain { state: ChainState::Linked, previous: None, manifest: None };
        Integrity { sha256: Some(Sha256::of(b"x")), content: Some(Content::Claimed), signature, key_id: None, chain }
    }

    /// The records about one chunk: of `probe`, and of some models.
    pub fn chunk(&mut self, camera: &CameraName, ms: i64, counter: u64, version: &str) -> Vec<Record> {
        let CameraName { site, camera: name } = camera.clone();
        let from = self.at(ms);
        let to = self.at(ms + CHUNK_MS);
        let key = ObjectKey::new(site.clone(), name.clone(), from, counter, KeyKind::Chunk);
        let object = Self::object(&key, version);
        // A second version was written later.
        let complete = self.at(ms + CHUNK_MS + if version == "1" { 500 } else { 60_000 });
        let duration = Duration { from: Some(from), to: Some(to), seconds: Some(3.0) };
        let activity = self.random.bool().then(|| Activity {
            level: f64::from(self.random.u16(0..400)) / 64.0,
            quiet_bytes_per_second: self.random.u64(0..100_000),
            level_before: None,
        });
        let size_bytes = self.random.u64(10_000..2_000_000);
        let probed = ChunkProbed {
            site: Some(site.clone()),
            camera: Some(name.clone()),
            duration: duration.clone(),
            resolution: Resolution {
                width: 1920,
                height: 1080,
                channels: 3,
                rotation: None,
                mirrored: None,
                pixel_aspect: None,
            },
            media_link: format!("file:///footage/{key}"),
            codec: "avc1.64001f".to_owned(),
            frame_rate: Some(25.0),
            audio: None,
            container: Container::Fmp4,
            size_bytes,
            init_bytes: Some(1208),
            media_end: Some(size_bytes - 84),
            timescale: Some(90_000),
            sample_entry_digest: Some(Sha256::of(&[u8::from(counter > 20)])),
            activity,
            object: object.clone(),
            starts_with_random_access: Some(true),
            clock: None,
            integrity: self.integrity(),
        };
        let mut records = vec![Record::about(&object, complete, probed)];
        for model in 0..self.random.usize(0..3) {
            records.push(self.inferred(camera, &object, complete, &duration, model));
        }
        records
    }

    /// What `model` says of the chunk at `ms`: its first picture shows one thing with this label.
    pub(super) fn look(&mut self, camera: &CameraName, ms: i64, model: &str, label: &str) -> Change {
        let from = self.at(ms);
        let to = self.at(ms + CHUNK_MS);
        let counter = (ms / CHUNK_MS).unsigned_abs();
        let key = ObjectKey::new(camera.site.clone(), camera.camera.clone(), from, counter, KeyKind::Chunk);
        let object = Self::object(&key, "1");
        let duration = Duration { from: Some(from), to: Some(to), seconds: Some(3.0) };
        let complete = self.at(ms + CHUNK_MS + 500);
        let Data::ChunkInferred(mut inferred) = self.inferred(camera, &object, complete, &duration, 0).data else {
            unreachable!("it is what a model says")
        };
        let thing = Detection { label: label.to_owned(), score: 0.5, bounds: Bounds::WHOLE, zones: vec![] };
        model.clone_into(&mut inferred.model.name);
        inferred.skipped = None;
        inferred.frames = vec![InferredFrame { offset: 0.0, time: Some(from), detections: vec![thing] }];
        inferred.summary = LabelSummary::of(&inferred.frames);
        Change::Record(Box::new(Record::about(&object, complete, *inferred)))
    }

    pub(super) fn inferred(
        &mut self,
        camera: &CameraName,
        object: &ObjectRef,
        complete: Timestamp,
        duration: &Duration,
        model: usize,
    ) -> Record {
        let skipped = match self.random.u8(0..6) {
            0..=2 => None,
            3..=4 => Some(Skipped::Still),
            _ => Some(Skipped::Budget),
        };
        let mut frames = Vec::new();
        for n in 0..if skipped.is_none() { 3_u32 } else { 0 } {
            let labels = ["person", "car", "dog"];
            let mut detections = Vec::new();
            for _ in 0..self.random.usize(0..3) {
                detections.push(Detection {
                    label: labels[self.random.usize(0..labels.len())].to_owned(),
                    score: f64::from(self.random.u8(32..64)) / 64.0,
                    bounds: Bounds { left: 0.25, top: 0.25, width: 0.5, height: 0.125 },
                    zones: if self.random.bool() { vec!["dock".to_owned()] } else { vec![] },
                });
            }
            let time = duration.from.map(|from| from + SignedDuration::from_secs(i64::from(n)));
            frames.push(InferredFrame { offset: f64::from(n), time, detections });
        }
        let inferred = ChunkInferred {
            site: Some(camera.site.clone()),
            camera: Some(camera.camera.clone()),
            duration: duration.clone(),
            model: Model {
                detector: "onnx".to_owned(),
                name: format!("model-{model}"),
                version: None,
                digest: None,
                arm: None,
            },
            settings_digest: Sha256::of(b"settings"),
            skipped,
            activity: None,
            summary: LabelSummary::of(&frames),
            frames,
            calls: None,
            dollars: None,
            detector_ms: None,
            object: object.clone(),
        };
        Record::about(object, complete, inferred)
    }

    /// An interval without video.
    pub fn gap(&mut self, camera: &CameraName, ms: i64, length_ms: i64) -> Record {
        let gap = Gap {
            site: camera.site.clone(),
            camera: camera.camera.clone(),
            from: self.at(ms),
            to: self.at(ms + length_ms),
            cause: GapCause::CameraLost,
            detail: Some("connection refused".to_owned()),
            frames_dropped: None,
            chunks_dropped: None,
            source_bytes: None,
        };
        let object = Self::object(&gap.key(0), "1");
        Record::about(&object, self.at(ms + length_ms + 500), GapRecorded { gap, object: object.clone() })
    }

    pub(super) fn span_end(&mut self, camera: &CameraName, ms: i64, chunks: u64) -> Record {
        let CameraName { site, camera } = camera.clone();
        let end = self.at(ms);
        let key = ObjectKey::new(site.clone(), camera.clone(), end, chunks, KeyKind::SpanEnd);
        let object = Self::object(&key, "1");
        let integrity = self.integrity();
        let ended =
            SpanEnded { site: Some(site), camera: Some(camera), end, chunks, object: object.clone(), integrity };
        Record::about(&object, self.at(ms + 500), ended)
    }

    /// What the gateway of a camera's site says of itself `minutes` after the start.
    pub fn report(&self, camera: &CameraName, minutes: u64) -> Record {
        let at = self.at(i64::try_from(minutes).unwrap_or_default() * 60_000);
        let report = GatewayReport {
            site: camera.site.clone(),
            at,
            trigger: ReportTrigger::Interval,
            gateway_version: "1.2.3".to_owned(),
            uptime_seconds: 60 * minutes,
            gateway_clock: ReportedClock { synchronized: true, offset_us: Some(300), sets: 0 },
            disk: None,
            spool: ReportedSpool {
                objects: minutes,
                bytes: 1000 * minutes,
                oldest: None,
                oldest_age_seconds: 0,
                used_bytes: 1000 * minutes,
                quota_bytes: None,
            },
            quarantined_objects: 0,
            upload: ReportedUpload {
                created_objects: 40,
                stored_bytes: 4_000_000,
                sent_bytes: 4_100_000,
                retries: 0,
                last_error: None,
            },
            cameras_silent: 0,
            cameras: vec![],
            cameras_omitted: None,
        };
        let chain = Chain { state: ChainState::Absent, previous: None, manifest: None };
        let integrity = Integrity { sha256: None, content: None, signature: Signature::Absent, key_id: None, chain };
        let object = ObjectRef {
            provider: Provider::Local,
            bucket: "footage".to_owned(),
            key: report.key().to_string(),
            version: "1".to_owned(),
        };
        Record::about(&object, at, GatewayReported { report, integrity, object: object.clone() })
    }

    /// An object of a camera that no video could be found in.
    fn rejected(&self, camera: &CameraName, n: u64) -> Record {
        let key = ObjectKey::new(camera.site.clone(), camera.camera.clone(), self.start, 900 + n, KeyKind::Chunk);
        let object = Self::object(&key, "1");
        let rejected = ObjectRejected {
            reason: RejectReason::NotMedia,
            detail: "it begins with a text".to_owned(),
            site: Some(camera.site.clone()),
            camera: Some(camera.camera.clone()),
            size_bytes: Some(20),
            object: object.clone(),
        };
        Record::about(&object, self.start, rejected)
    }

    /// Some minutes of a few cameras, with gaps, second versions and removals, objects that are no video, and reports.
    pub fn changes(&mut self, chunks: i64) -> Vec<Change> {
        let mut records = Vec::new();
        let mut removed = Vec::new();
        for camera in (0..3).map(Self::camera) {
            let mut ms = 0;
            for n in 0..chunks {
                let counter = u64::try_from(n).unwrap_or_default();
                let made = self.chunk(&camera, ms, counter, "1");
                if self.random.u8(0..8) == 0 {
                    records.extend(self.chunk(&camera, ms, counter, "2"));
                }
                if self.random.u8(0..6) == 0 {
                    removed.push(self.removal(&made[0], ms));
                }
                records.extend(made);
                ms += CHUNK_MS;
                if self.random.u8(0..8) == 0 {
                    let length = self.random.i64(1..60) * 1000;
                    records.push(self.span_end(&camera, ms, counter + 1));
                    records.push(self.gap(&camera, ms, length));
                    ms += length;
                }
            }
            // The newer report first.
            records.extend([self.report(&camera, 7), self.report(&camera, 2)]);
            records.extend([self.rejected(&camera, 1), self.rejected(&camera, 2)]);
        }
        let records = records.into_iter().map(|record| Change::Record(Box::new(record)));
        records.chain(removed.into_iter().map(Change::Removed)).collect()
    }

    pub(super) fn removal(&mut self, record: &Record, ms: i64) -> ObjectRemoved {
        let ObjectRef { provider, bucket, key, version } = record.data.object().clone();
        let after_ms = self.random.i64(3_600..90_000);
        ObjectRemoved {
            provider,
            bucket,
            key,
            version: self.random.bool().then_some(version),
            sequence: self.random.u32(..).to_string(),
            removal: if self.random.bool() { Removal::Deleted } else { Removal::Hidden },
            cause: [None, Some(Cause::Request), Some(Cause::Lifecycle), Some(Cause::Replaced)][self.random.usize(0..4)],
            time: self.at(ms + after_ms),
        }
    }

    /// The same in another order, some of it several times.
    pub fn shuffled(&mut self, changes: &[Change]) -> Vec<Change> {
        let mut all = changes.to_vec();
        for change in changes {
            if self.random.u8(0..4) == 0 {
                all.push(change.clone());
            }
        }
        self.random.shuffle(&mut all);
        all
    }

    /// Somewhere in these chunks.
    pub(super) fn stretch(&mut self, chunks: i64) -> Interval {
        let a = self.random.i64(0..chunks * CHUNK_MS);
        let b = self.random.i64(0..chunks * CHUNK_MS);
        Interval { from: self.at(a.min(b)), to: self.at(a.max(b) + 1) }
    }
}
