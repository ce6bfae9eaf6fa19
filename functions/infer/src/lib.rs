//! `infer` runs a detector on chunks, and publishes a record of what it found in each.
//!
//! ```text
//! chunk.probed ─▶ gate ─▶ pictures ─▶ second gate ─▶ till ─▶ detector ─▶ chunk.inferred ─▶ bus, log
//!                  │ still            │ still          │ budget
//!                  └──────────────────┴────────────────┴─▶ chunk.inferred with `skipped`
//! ```
//!
//! | part | what it does |
//! |---|---|
//! | [`settings`] | reads the operator's settings; chooses the detector for a camera and hour |
//! | [`gate`] | skips chunks in which nothing happens, except at each camera's turn |
//! | [`pictures`] | reads a chunk and decodes pictures of it, in a process with limits |
//! | `look`, `regions` | gives them to the detector, and what moves again, enlarged |
//! | `paid` | claims paid work, keeps to the budget, pays for nothing twice |
//!
//! Invariants: a still chunk is not read and costs nothing. The record depends only on the object's version, the model and the
//! settings, so repeating the work gives the same record with the same id. A chunk that cannot be decoded gets a record that
//! says so. A paid call is made at most once for a chunk, model and settings.
//!
//! It reads only objects that `probe` found to be video, and only records of `probe`. A chunk may attack the program that decodes
//! it, so that program gets no environment but where programs and libraries are, writes no file, and is told to open nothing but
//! its standard input.

pub mod gate;
mod look;
mod paid;
pub mod pictures;
mod regions;
pub mod settings;
#[cfg(feature = "host")]
mod start;

pub use paid::Budget;
pub use settings::{Settings, SettingsError};
#[cfg(feature = "host")]
pub use start::{MANIFEST, start};

use async_trait::async_trait;
use framepost_events::record::{ChunkInferred, ChunkProbed, Data, LabelSummary, Model, Record, Skipped};
use framepost_ports::{
    Bus, Clock, Detector, Effect, Error, ErrorKind, Function, Ledger, ObjectSource, Outcome, Picture, Reason, Sampling,
    chain, log_record,
};
use gate::Gate;
use look::{InTurn, Look};
use paid::{Answer, Permission, Till};
use pictures::{Decoder, PicturesError, Wanted};
use settings::CameraSettings;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Chunks that are looked at at once on the smallest machine: one more than it has processors, since a chunk is also read and its
/// detector asked. There is one for each processor of a larger one.
pub const AT_ONCE_MIN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// What the function needs to work.
pub struct Parts {
    /// Where chunks are read.
    pub source: Arc<dyn ObjectSource>,
    /// The bus that `chunk.inferred` records are published on.
    pub bus: Arc<dyn Bus>,
    /// The clock, which decides to which day's budget a call belongs.
    pub clock: Arc<dyn Clock>,
    /// A detector for each arm of the settings, in their order.
    pub detectors: Vec<Arc<dyn Detector>>,
    /// Where paid work is claimed. Needed if a detector is paid.
    pub ledger: Option<Ledger>,
    /// Makes pictures of a chunk's bytes.
    pub decoder: Decoder,
}

/// The handler of the function.
pub struct Infer {
    parts: Parts,
    settings: Settings,
    till: Option<Till>,
    /// Limits the chunks whose pictures are in memory.
    places: Semaphore,
    at_once: NonZeroUsize,
}

/// A detector is paid and there is no ledger, so nobody would know what was paid for.
#[derive(Debug, thiserror::Error)]
#[error("the detector {0} is paid for, and there is no ledger in which the calls are claimed: set FRAMEPOST_LEDGER")]
pub struct NoLedger(String);

impl Infer {
    /// The function's name, which is also that of its directory.
    pub const NAME: &'static str = "infer";

    /// Creates a handler.
    ///
    /// # Errors
    ///
    /// Fails if a detector is paid and there is no ledger.
    pub fn new(parts: Parts, settings: Settings) -> Result<Self, NoLedger> {
        let prices = parts.detectors.iter().filter_map(|detector| Some((detector, detector.price()?.dollars)));
        let dearest = prices.max_by(|(_, a), (_, b)| a.total_cmp(b));
        let till = match (dearest, &parts.ledger) {
            (None, _) => None,
            (Some((_, price)), Some(ledger)) => {
                Some(Till::new(ledger.clone(), parts.clock.clone(), settings.budget, price))
            }
            (Some((detector, _)), None) => return Err(NoLedger(detector.model().detector.clone())),
        };
        let at_once = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN).max(AT_ONCE_MIN);
        Ok(Self { parts, settings, till, places: Semaphore::new(at_once.get()), at_once })
    }

    async fn infer(&self, chunk: &ChunkProbed) -> Result<Inferred, Outcome> {
        let settings = self.settings.of(chunk.site.as_ref(), chunk.camera.as_ref());
        let at = self.settings.arms.chosen(chunk.site.as_ref(), chunk.camera.as_ref(), chunk.duration.from);
        let (Some(arm), Some(detector)) = (self.settings.arms.all().get(at), self.parts.detectors.get(at)) else {
            return Err(Outcome::Reject(Reason::new("no-detector", "fewer detectors than arms")));
        };
        let wanted = settings.pictures.unwrap_or_else(|| detector.sampling().into());
        let data = ChunkInferred {
            site: chunk.site.clone(),
            camera: chunk.camera.clone(),
            duration: chunk.duration.clone(),
            model: Model { arm: arm.name.clone(), ..detector.model().clone() },
            settings_digest: settings.digest(wanted, &self.settings.limits),
            skipped: None,
            activity: chunk.activity,
            frames: vec![],
            summary: vec![],
            calls: None,
            dollars: None,
            detector_ms: None,
            object: chunk.object.clone(),
        };
        let gate = gate::gate(chunk, &settings);
        if gate == Gate::Still {
            return Ok(Inferred::skipped(data, Skipped::Still));
        }
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let pictures = match pictures::pictures(&*self.parts.source, &self.parts.decoder, chunk, wanted).await {
            Ok(pictures) => pictures,
            Err(PicturesError::None(why)) => {
                tracing::warn!(key = chunk.object.key, why, "a chunk cannot be decoded");
                return Ok(Inferred::skipped(data, Skipped::NoPicture));
            }
            Err(error) => return Err(not_decoded(&error)),
        };
        let work = Work { infer: self, chunk, detector: &**detector, settings, wanted, data };
        work.look(pictures, gate).await
    }

    /// Looks at the chunk of this record of `probe`, and publishes nothing.
    ///
    /// # Errors
    ///
    /// Returns the outcome that handling the record would have had.
    pub async fn see(&self, event: &Record) -> Result<Seen, Outcome> {
        let Data::ChunkProbed(chunk) = &event.data else { return Err(not_for_this(event)) };
        let Inferred { data, pictures, .. } = self.infer(chunk).await?;
        Ok(Seen { record: Record::about(&chunk.object, event.time, data), pictures })
    }

    /// Publishes the record, and then notes in the ledger that the work is done.
    async fn publish(&self, event: &Record, chunk: &ChunkProbed, inferred: Inferred) -> Outcome {
        let Inferred { data, claim, .. } = inferred;
        let record = Record::about(&chunk.object, event.time, data);
        if let Err(error) = self.parts.bus.publish(&record).await {
            return Outcome::of_failure("publish-failed", &error);
        }
        log_record(&record);
        if let (Some(till), Some(mut claim)) = (&self.till, claim)
            && let Err(error) = till.done(&mut claim).await
        {
            // The record is out: doing it again publishes it once more, from the answer that is kept.
            tracing::warn!(key = chunk.object.key, error = chain(&error), "cannot close a claim");
        }
        Outcome::Done
    }
}

/// What was found in a chunk.
#[derive(Debug)]
pub struct Seen {
    /// The record, as it would be published.
    pub record: Record,
    /// The pictures, one for each frame of the record.
    pub pictures: Vec<Picture>,
}

/// A record to publish, and the claim to close after that.
struct Inferred {
    data: ChunkInferred,
    claim: Option<framepost_ports::ledger::Claim>,
    pictures: Vec<Picture>,
}

impl Inferred {
    fn skipped(data: ChunkInferred, why: Skipped) -> Self {
        Self { data: ChunkInferred { skipped: Some(why), ..data }, claim: None, pictures: vec![] }
    }
}

/// A chunk with its pictures decoded.
struct Work<'a> {
    infer: &'a Infer,
    chunk: &'a ChunkProbed,
    detector: &'a dyn Detector,
    settings: CameraSettings,
    wanted: Wanted,
    data: ChunkInferred,
}

impl Work<'_> {
    async fn look(self, pictures: Vec<Picture>, gate: Gate) -> Result<Inferred, Outcome> {
        // A detector that compares pictures does so itself.
        let compares =
            matches!((self.wanted, self.detector.sampling()), (Wanted::PerSecond(_), Sampling::PerSecond(_)));
        let movements = if pictures.len() > 1 && !compares { look::movements(&pictures).await } else { vec![] };
        let is_still = !movements.is_empty()
            && movements
                .iter()
                .all(|movement| movement.boxes.is_empty() && movement.part < self.settings.still_difference);
        if is_still && gate == Gate::IfChanged {
            return Ok(Inferred::skipped(self.data, Skipped::Still));
        }
        let look = Look::new(pictures, &movements, self.detector, &self.settings);
        if let (Some(price), Some(till)) = (self.detector.price(), &self.infer.till) {
            return self.pay(&look, till, price.dollars).await;
        }
        let begun = Instant::now();
        let frames = look.ask(self.detector, self.chunk, &self.settings).await;
        let frames = frames.map_err(|error| Outcome::of_failure("detector-failed", &error))?;
        let data = self.seen(Answer { frames, calls: 0 }, None, Some(begun.elapsed()));
        Ok(Inferred { data, claim: None, pictures: look.pictures() })
    }

    async fn pay(self, look: &Look, till: &Till, price: f64) -> Result<Inferred, Outcome> {
        let model = &self.data.model;
        let digest = model.digest.map(|digest| digest.to_string()).unwrap_or_default();
        let version = model.version.as_deref().unwrap_or_default();
        let work = format!(
            "infer {} {} {} {version} {digest} {}",
            self.chunk.object.identity(),
            model.detector,
            model.name,
            self.data.settings_digest
        );
        let site = self.chunk.site.as_ref();
        let calls = look.calls();
        let ledger_failed = |error: Error| Outcome::of_failure("ledger-failed", &error);
        let mut claim = match till.ask(&work, site, calls, price).await.map_err(ledger_failed)? {
            Permission::Call(claim) => claim,
            Permission::Answered(claim, answer) => {
                let data = self.seen(answer, Some(price), None);
                return Ok(Inferred { data, claim: Some(claim), pictures: look.pictures() });
            }
            Permission::Interrupted(claim) => {
                return Ok(Inferred { claim: Some(claim), ..Inferred::skipped(self.data, Skipped::Interrupted) });
            }
            Permission::OverBudget => {
                tracing::warn!(
                    site = site.map(ToString::to_string),
                    detector = model.detector,
                    "the day's budget is used up"
                );
                return Ok(Inferred::skipped(self.data, Skipped::Budget));
            }
            Permission::Wait(after) => {
                return Err(Outcome::Retry { after, reason: Reason::new("in-work", "another one has claimed it") });
            }
            Permission::Done => return Err(Outcome::Skip(Reason::new("done-before", "its record is published"))),
        };
        let begun = Instant::now();
        match look.ask_in_turn(self.detector, self.chunk, &self.settings).await {
            Ok(InTurn { frames, answered, ended }) => {
                let took = begun.elapsed();
                let made = match ended {
                    None => answered,
                    Some(error) => {
                        let made = answered + u32::from(!is_refused(&error));
                        tracing::warn!(
                            key = self.chunk.object.key,
                            pictures = answered,
                            of = calls,
                            error = chain(&error),
                            "a paid service answered for some pictures of a chunk, the others are left out"
                        );
                        made
                    }
                };
                let answer = Answer { frames, calls: made };
                // If this fails, the next delivery knows that the call was made and not what it said.
                let _ = till.keep(&mut claim, &answer).await.map_err(ledger_failed)?;
                till.give_back(site, calls - made, price).await.map_err(ledger_failed)?;
                let data = self.seen(answer, Some(price), Some(took));
                Ok(Inferred { data, claim: Some(claim), pictures: look.pictures() })
            }
            Err(error) if is_refused(&error) => {
                let outcome = Outcome::of_failure("detector-failed", &error);
                let reason = Reason::new("detector-failed", chain(&error));
                till.give_back(site, calls, price).await.map_err(ledger_failed)?;
                till.refused(&mut claim, &reason).await.map_err(ledger_failed)?;
                Err(outcome)
            }
            Err(error) => {
                tracing::error!(
                    key = self.chunk.object.key,
                    error = chain(&error),
                    "a paid call has no answer, it is not made again"
                );
                Ok(Inferred { claim: Some(claim), ..Inferred::skipped(self.data, Skipped::Interrupted) })
            }
        }
    }

    fn seen(self, answer: Answer, price: Option<f64>, took: Option<Duration>) -> ChunkInferred {
        ChunkInferred {
            summary: LabelSummary::of(&answer.frames),
            frames: answer.frames,
            calls: price.map(|_| answer.calls),
            // Ten digits are a hundredth of a millionth of a cent, and hide what binary fractions add.
            dollars: price.map(|price| (price * f64::from(answer.calls) * 1e8).round() / 1e8),
            detector_ms: took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            ..self.data
        }
    }
}

/// Whether the service did for certain not do what it would be paid for. Services do not bill for what they are too busy for.
fn is_refused(error: &Error) -> bool {
    error.effect() == Effect::None || error.kind() == ErrorKind::Busy
}

fn not_for_this(event: &Record) -> Outcome {
    Outcome::Skip(Reason::new("other-record", format!("{} is not for this function", event.event_type)))
}

fn not_decoded(error: &PicturesError) -> Outcome {
    match error {
        PicturesError::Read(error) if error.kind() == ErrorKind::NotFound => {
            Outcome::Skip(Reason::new("object-gone", chain(error)))
        }
        PicturesError::Read(error) => Outcome::of_failure("read-failed", error),
        PicturesError::None(_) | PicturesError::Limit(_) => Outcome::Reject(Reason::new("decode-limit", chain(error))),
        PicturesError::Machine(_) => {
            Outcome::Retry { after: Duration::from_secs(30), reason: Reason::new("decode-failed", chain(error)) }
        }
    }
}

#[async_trait]
impl Function<Record> for Infer {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn done_metric(&self) -> &'static str {
        "ChunksInferred"
    }

    /// What waits for a place waits in the queue: behind a few chunks that take all the time there is, it would run out of time
    /// in here, again and again until it is parked.
    fn at_once(&self) -> Option<NonZeroUsize> {
        Some(self.at_once)
    }

    async fn handle(&self, event: Record) -> Outcome {
        let Data::ChunkProbed(chunk) = &event.data else { return not_for_this(&event) };
        match self.infer(chunk).await {
            Ok(inferred) => self.publish(&event, chunk, inferred).await,
            Err(outcome) => outcome,
        }
    }
}
