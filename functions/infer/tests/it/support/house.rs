//! The function over one object, with what stands around it.

use super::{Counting, FRAGMENTED, Object, ffmpeg, footage, record};
use async_trait::async_trait;
use bytes::Bytes;
use framepost_events::activity::Activity;
use framepost_events::record::{ChunkInferred, Container, Data, Record};
use framepost_infer::pictures::{Decoder, Limits};
use framepost_infer::{Infer, Parts, Settings};
use framepost_ports::memory::{MemoryLedger, SimulatedClock};
use framepost_ports::{Bus, Detector, Error, ErrorKind, Ledger, Result};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Footage in which everything moves, and footage in which nothing does.
pub(crate) const BUSY: &str = "testsrc2=s=320x180:r=10:d=3";
pub(crate) const STILL: &str = "color=gray:s=320x180:r=10:d=3";

/// Keeps records, and fails while it is told to.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) records: Mutex<Vec<Record>>,
    pub(crate) is_broken: AtomicBool,
}

#[async_trait]
impl Bus for Shelf {
    async fn publish(&self, record: &Record) -> Result<()> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Busy, "publish", "records"));
        }
        self.records.lock().unwrap().push(record.clone());
        Ok(())
    }
}

impl Shelf {
    pub(crate) fn last(&self) -> (Record, ChunkInferred) {
        let record = self.records.lock().unwrap().last().unwrap().clone();
        let Data::ChunkInferred(inferred) = record.data.clone() else { panic!("{record:?}") };
        (record, *inferred)
    }
}

/// A function over one object, with what stands around it.
pub(crate) struct House {
    bytes: Bytes,
    pub(crate) object: Arc<Object>,
    pub(crate) bus: Arc<Shelf>,
    pub(crate) detector: Arc<Counting>,
    store: Arc<MemoryLedger>,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) variables: Vec<(&'static str, &'static str)>,
    /// The program that decodes, and its limits.
    pub(crate) program: PathBuf,
    pub(crate) limits: Limits,
}

impl House {
    /// Over a chunk of three seconds.
    pub(crate) fn new(source: &str, detector: Counting) -> Option<Self> {
        let arguments = [&["-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p"][..], &FRAGMENTED].concat();
        Self::of(footage(source, &arguments, "a.mp4")?, detector)
    }

    /// A function whose bucket has one object, with these bytes.
    pub(crate) fn of(bytes: Bytes, detector: Counting) -> Option<Self> {
        Some(Self {
            object: Arc::new(Object::of(bytes.clone())),
            bytes,
            bus: Arc::default(),
            detector: Arc::new(detector),
            store: Arc::default(),
            clock: Arc::new(SimulatedClock::new("2026-11-26T12:00:00Z".parse().unwrap())),
            variables: vec![],
            program: ffmpeg()?,
            limits: Limits::default(),
        })
    }

    pub(crate) fn infer(&self) -> Infer {
        self.infer_with(self.detector.clone())
    }

    pub(crate) fn infer_with(&self, detector: Arc<dyn Detector>) -> Infer {
        self.infer_of(vec![detector])
    }

    /// With a detector for each arm of the variables.
    pub(crate) fn infer_of(&self, detectors: Vec<Arc<dyn Detector>>) -> Infer {
        let settings = Settings::from_variables(|name| {
            self.variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        });
        let parts = Parts {
            source: self.object.clone(),
            bus: self.bus.clone(),
            clock: self.clock.clone(),
            detectors,
            ledger: Some(Ledger::new(self.store.clone(), self.clock.clone())),
            decoder: Decoder::new(&self.program, self.limits),
        };
        Infer::new(parts, settings.unwrap()).unwrap()
    }

    /// A record of the object, as the `n`th chunk of its camera.
    pub(crate) fn chunk(&self, n: i64, level: Option<f64>) -> Record {
        let mut record = record(&self.bytes, Container::Fmp4, 3.0);
        let Data::ChunkProbed(chunk) = &mut record.data else { panic!("a chunk") };
        for time in [&mut chunk.duration.from, &mut chunk.duration.to].into_iter().flatten() {
            *time += jiff::SignedDuration::from_secs(3 * n);
        }
        chunk.object.version = format!("{n}.1");
        chunk.activity = level.map(|level| Activity { level, quiet_bytes_per_second: 1000, level_before: None });
        record
    }
}
