//! One upload attempt: the put, and the interpretation of its answer.

use super::circuit::Permit;
use super::content::{FileContent, Progress, copy_of};
use super::stats::{Novelty, StatsCell};
use super::{Bare, Inner};
use crate::spool::{self, Claim, ClaimReader, Presence, SourceFile, Tried, Turn};
use framepost_events::Sha256;
use framepost_ports::{Effect, Error, ErrorKind, Likeness, NewObject, Put, Seen, chain};
use nix::errno::Errno;
use std::io;
use std::sync::Arc;
use tokio::task::JoinError;
use tokio::time::{Duration, Instant};

/// How often a put is checked for progress.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The result of an attempt.
enum Verdict {
    Created,
    AlreadyThere,
    /// The object exists. It could not be compared, because the credential cannot look, but
    /// its source file is unchanged.
    Uncompared,
    /// "Created" without a proof that the answer comes from the bucket.
    Unproven,
    /// The bucket has something else under the key.
    Quarantine(String),
    /// The file in the spool cannot be put as an object.
    Unusable(String),
    /// The file cannot be read now.
    Unreadable(io::Error),
    /// The file does not exist.
    Missing,
    Failed(Error),
}

impl Inner {
    /// Does one attempt. Its answer also updates the circuit.
    pub(super) async fn upload(&self, claim: Claim, permit: Permit) {
        let key = claim.key().clone();
        let _in_flight = InFlight::new(&self.stats);
        let described = tokio::task::spawn_blocking(move || {
            let _ = claim.description();
            claim
        });
        let claim = match described.await.map_err(JoinError::try_into_panic) {
            Ok(claim) => claim,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The runtime ends. The claim is dropped, which returns the object.
            Err(Err(_)) => return,
        };
        let (claim, verdict) = self.put(claim).await;
        match verdict {
            Verdict::Created => {
                permit.answered();
                self.stored(claim, |stats| stats.created_objects += 1).await;
            }
            Verdict::AlreadyThere => {
                permit.answered();
                self.stored(claim, |stats| stats.already_there_objects += 1).await;
            }
            Verdict::Uncompared => {
                permit.answered();
                self.stored(claim, |stats| stats.uncompared_objects += 1).await;
            }
            Verdict::Unproven => {
                tracing::debug!(%key, "the answer has no checksum, the object is put again to confirm it");
                self.put_off(&key, self.settings.backoff, 0);
            }
            Verdict::Quarantine(reason) => {
                permit.answered();
                self.set_aside(claim, reason).await;
            }
            Verdict::Unusable(reason) => self.set_aside(claim, reason).await,
            Verdict::Unreadable(fault) => self.unreadable(claim, &fault).await,
            Verdict::Missing => self.missing(claim).await,
            Verdict::Failed(error) => self.failed(claim, permit, &error).await,
        }
    }

    /// Handles a put without success, with its consequences for the object and the circuit.
    async fn failed(&self, claim: Claim, permit: Permit, error: &Error) {
        let key = claim.key().clone();
        let kind = error.kind();
        let words = chain(error);
        match self.stats.failed(kind, words.clone()) {
            Novelty::New => tracing::warn!(%key, error = words, "put failed, retrying"),
            Novelty::Repeated => tracing::debug!(%key, error = words, "put failed again"),
        }
        let backoff = self.settings.backoff;
        match kind {
            ErrorKind::Invalid => {
                permit.answered();
                self.count_refusal(claim, words).await;
            }
            ErrorKind::Corrupt => {
                permit.answered();
                self.put_off(&key, backoff, 0);
                self.check_own_bytes(claim).await;
            }
            ErrorKind::Denied | ErrorKind::NotFound => {
                self.put_off(&key, self.settings.refusal_backoff, 0);
                permit.failed(self.settings.refusal_backoff);
            }
            ErrorKind::Busy | ErrorKind::Transport | ErrorKind::Intercepted | ErrorKind::ClockSkew | ErrorKind::Io => {
                self.put_off(&key, backoff, 0);
                permit.failed(backoff);
            }
        }
    }

    /// Counts a refusal of the object. Moves it to quarantine after too many.
    async fn count_refusal(&self, claim: Claim, reason: String) {
        let refusals = self.put_off(claim.key(), self.settings.refusal_backoff, 1);
        if refusals >= self.settings.refusals_before_quarantine {
            self.set_aside(claim, reason).await;
        }
    }

    /// Handles a file that cannot be read now. A temporary lack of resources does not count against it.
    async fn unreadable(&self, claim: Claim, fault: &io::Error) {
        let reason = format!("the file in the spool cannot be read: {fault}");
        match self.stats.failed(ErrorKind::Io, reason.clone()) {
            Novelty::New => tracing::warn!(key = %claim.key(), error = %fault, "the object cannot be read, retrying"),
            Novelty::Repeated => {}
        }
        match fault.kind() {
            // The file is shorter than before.
            io::ErrorKind::UnexpectedEof => self.set_aside(claim, reason).await,
            _ if is_want(fault) => {
                self.put_off(claim.key(), self.settings.backoff, 0);
            }
            _ => self.count_refusal(claim, reason).await,
        }
    }

    /// Handles a missing file. If the whole disk is missing, it may come back.
    async fn missing(&self, claim: Claim) {
        let spool = self.spool.clone();
        match tokio::task::spawn_blocking(move || spool.presence()).await {
            Ok(Presence::Here) => {
                tracing::error!(key = %claim.key(), "object vanished from the spool before its upload");
                self.is_over(claim.key());
                claim.vanished();
            }
            Ok(Presence::Away) | Err(_) => {
                if self.stats.failed(ErrorKind::Io, "the spool's disk is not available".to_owned()) == Novelty::New {
                    tracing::error!("the spool's disk is not available, uploads wait for it");
                }
                self.put_off(claim.key(), self.settings.backoff, 0);
            }
        }
    }

    async fn put(&self, claim: Claim) -> (Claim, Verdict) {
        let (content_type, metadata, sha256) = match claim.description() {
            Ok((content_type, metadata, sha256)) => (content_type.to_owned(), metadata.clone(), sha256),
            Err(error) => {
                let verdict = match error {
                    spool::Error::Io { source, .. } if source.kind() != io::ErrorKind::NotFound => {
                        Verdict::Unreadable(copy_of(source))
                    }
                    error => Verdict::Unusable(chain(error)),
                };
                let reader = claim.reader();
                let object = tokio::task::spawn_blocking(move || reader.open().map(drop)).await;
                return match object {
                    Ok(Err(fault)) if fault.kind() == io::ErrorKind::NotFound => (claim, Verdict::Missing),
                    _ => (claim, verdict),
                };
            }
        };
        let key = claim.key().to_string();
        let progress = Arc::new(Progress::default());
        let reader = Arc::new(claim.reader());
        let content = FileContent {
            reader: reader.clone(),
            bytes: claim.bytes(),
            bandwidth: self.bandwidth.clone(),
            progress: progress.clone(),
            stats: self.stats.clone(),
        };
        let content = Arc::new(content);
        let crc32c = claim.crc32c();
        let object = NewObject { key: key.clone(), content_type, metadata, sha256, crc32c, content };
        let answer = self.put_watched(&object, &progress).await;
        end_attempt(&reader).await;
        match answer {
            Ok(Put::Created) => (claim, Verdict::Created),
            Ok(Put::Unproven) => match self.bare_success(claim.key()) {
                Bare::First => (claim, Verdict::Unproven),
                Bare::Again => {
                    let error = Error::new(ErrorKind::Intercepted, "put", key);
                    let twice =
                        "the endpoint reports the object as created a second time, so it does not store objects";
                    forget_try(reader).await;
                    (claim, Verdict::Failed(error.because(twice)))
                }
            },
            Ok(Put::AlreadyExists) => {
                // This put was refused. If our object is there, it is from an earlier put.
                let tried = claim.tried();
                if tried == Tried::Never {
                    forget_try(reader).await;
                }
                let verdict = self.compare(&claim, sha256, tried).await;
                (claim, verdict)
            }
            Err(error) => match progress.take_fault() {
                Some(fault) if fault.kind() == io::ErrorKind::NotFound => (claim, Verdict::Missing),
                Some(fault) => (claim, Verdict::Unreadable(fault)),
                None => {
                    if error.effect() == Effect::None {
                        forget_try(reader).await;
                    }
                    (claim, Verdict::Failed(error))
                }
            },
        }
    }

    /// Puts the object, and cancels the put if nothing moves.
    async fn put_watched(&self, object: &NewObject, progress: &Progress) -> Result<Put, Error> {
        let put = self.sink.put(object);
        tokio::pin!(put);
        let began = Instant::now();
        let mut seen = progress.ticks();
        let mut since = began;
        loop {
            tokio::select! {
                biased;
                answer = &mut put => {
                    if answer.is_ok() {
                        self.patience.answered(object.content.len_bytes(), began.elapsed());
                    }
                    return answer;
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let now = progress.ticks();
            if now != seen || progress.is_held_back() {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() >= self.patience.of(progress.moved_bytes()) {
                self.patience.broken_off(progress.moved_bytes(), began.elapsed());
                let stalled = format!("no byte moved for {:?}", since.elapsed());
                return Err(Error::new(ErrorKind::Transport, "put", object.key.as_str()).because(stalled));
            }
        }
    }

    /// Looks at the object in the bucket. The bucket has just answered the put, so a look without an answer is
    /// repeated immediately, instead of repeating the whole put.
    async fn look(&self, key: &str) -> Result<Seen, Error> {
        const LOOKS: u32 = 3;
        let mut failures = 0;
        loop {
            let looked = tokio::time::timeout(self.settings.stall, self.sink.look(key)).await;
            let answer = looked.unwrap_or_else(|_| Err(Error::new(ErrorKind::Transport, "look at", key)));
            match answer {
                Err(error) if error.kind().is_transient() && failures + 1 < LOOKS => {
                    let delay = self.delay(failures);
                    tokio::time::sleep(delay).await;
                    failures += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Compares an existing object with ours.
    async fn compare(&self, claim: &Claim, sha256: Sha256, tried: Tried) -> Verdict {
        let key = claim.key().to_string();
        let likeness = match self.look(&key).await {
            Ok(seen) => seen.compare(claim.bytes(), sha256, claim.crc32c()),
            Err(error) if error.kind() == ErrorKind::Denied => Likeness::Unknown,
            Err(error) => return Verdict::Failed(error),
        };
        match (likeness, tried) {
            (Likeness::Same, _) | (Likeness::Unknown, Tried::Before | Tried::Unmarked) => Verdict::AlreadyThere,
            (Likeness::Other, _) => {
                Verdict::Quarantine("the bucket has a different object under this key: the checksums differ".to_owned())
            }
            (Likeness::Unknown, Tried::Never) if still_has(claim.source()).await => Verdict::Uncompared,
            (Likeness::Unknown, Tried::Never) => Verdict::Quarantine(
                "an object is there that was never put from here, and what it is cannot be seen; \
                 `quarantine --verify` compares it"
                    .to_owned(),
            ),
        }
    }

    async fn stored(&self, claim: Claim, count: impl FnOnce(&mut super::UploadStats)) {
        let key = claim.key().clone();
        let bytes = claim.bytes();
        tracing::debug!(%key, bytes, "object is in the bucket");
        if self.stats.stored() == Novelty::New {
            tracing::info!(%key, "objects are stored again");
        }
        self.is_over(&key);
        self.stats.update(|stats| {
            count(stats);
            stats.stored_bytes += bytes;
        });
        blocking(move || claim.uploaded()).await;
    }

    async fn set_aside(&self, claim: Claim, reason: String) {
        tracing::error!(key = %claim.key(), reason, "the object is moved to quarantine");
        self.is_over(claim.key());
        self.stats.update(|stats| stats.quarantined_objects += 1);
        blocking(move || claim.quarantine(&reason)).await;
    }

    /// Writes the changes that the disk refused before, at growing intervals, while there are any.
    pub(super) async fn settle_debts(self: Arc<Self>) {
        let mut pause = self.settings.backoff.base;
        loop {
            while !self.spool.has_debts() {
                pause = self.settings.backoff.base;
                self.spool.owes().await;
            }
            tokio::time::sleep(pause).await;
            let spool = self.spool.clone();
            let _ = tokio::task::spawn_blocking(move || spool.settle()).await;
            pause = (pause * 2).min(DEBTS_PAUSE);
        }
    }

    /// After corruption, checks whether the file on this disk or the transfer is the cause.
    async fn check_own_bytes(&self, claim: Claim) {
        let checked = tokio::task::spawn_blocking(move || {
            let intact = claim.is_intact();
            (claim, intact)
        });
        let Ok((claim, intact)) = checked.await else { return };
        match intact {
            Ok(true) => {}
            Ok(false) => {
                self.set_aside(claim, "the bytes on disk differ from those of the closed chunk".to_owned()).await;
            }
            Err(error) => self.unreadable(claim, &error).await,
        }
    }
}

/// Returns whether the source file of an object can be read again.
async fn still_has(source: Option<&SourceFile>) -> bool {
    let Some(source) = source.cloned() else { return false };
    tokio::task::spawn_blocking(move || source.is_unchanged()).await.unwrap_or(false)
}

/// The longest pause between two attempts to write what the disk refused.
const DEBTS_PAUSE: Duration = Duration::from_mins(1);

/// Returns whether the error is a lack of resources unrelated to this file.
fn is_want(fault: &io::Error) -> bool {
    matches!(fault.raw_os_error().map(Errno::from_raw), Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM))
}

/// Ends the attempt. A blocking thread is only needed while the mark is being written.
async fn end_attempt(reader: &Arc<ClaimReader>) {
    if reader.try_end() == Turn::Open {
        let reader = reader.clone();
        let _ = tokio::task::spawn_blocking(move || reader.end()).await;
    }
}

/// Removes the mark after the bucket's refusal was received.
async fn forget_try(reader: Arc<ClaimReader>) {
    let _ = tokio::task::spawn_blocking(move || reader.refused()).await;
}

/// Runs spool work on a blocking thread. If the disk refuses, the spool keeps a debt and logs it.
async fn blocking(work: impl FnOnce() -> spool::Result<()> + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(work).await {
        tracing::error!(%error, "the task that records upload states ended");
    }
}

struct InFlight<'a>(&'a StatsCell);

impl<'a> InFlight<'a> {
    fn new(stats: &'a StatsCell) -> Self {
        stats.update(|stats| stats.in_flight += 1);
        Self(stats)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.update(|stats| stats.in_flight -= 1);
    }
}
