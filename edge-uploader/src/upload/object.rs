//! One object: the put, and what its answer means.

use super::circuit::Permit;
use super::content::{FileContent, Progress};
use super::{Inner, stats::StatsCell};
use crate::spool::{Claim, SourceFile, Tried};
use framepost_events::Sha256;
use framepost_ports::{Error, ErrorKind, NewObject, Put, chain};
use std::io;
use std::sync::Arc;
use tokio::time::{Duration, Instant};

/// How often a put is looked at whether it moves.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How one turn of an object ended.
enum Verdict {
    Created,
    AlreadyThere,
    /// The same, as far as can be told: the credential cannot look, and the bytes are still where they came from.
    Uncompared,
    Quarantine(String),
    /// The file is not there any more.
    Vanished,
    Failed(Error),
}

impl Inner {
    /// One turn. The answer also tells the circuit about the bucket.
    pub(super) async fn upload(&self, claim: Claim, permit: Permit<'_>) {
        let key = claim.key().clone();
        let _in_flight = InFlight::new(&self.stats);
        let (claim, verdict) = self.put(claim).await;
        let Some(claim) = claim else { return };
        let backoff = self.settings.backoff;
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
            Verdict::Quarantine(reason) => {
                permit.answered();
                self.set_aside(claim, reason).await;
            }
            Verdict::Vanished => {
                tracing::error!(%key, "object vanished from the spool before its upload");
                self.is_over(&key);
                blocking(move || claim.vanished()).await;
            }
            Verdict::Failed(error) => {
                let kind = error.kind();
                let words = chain(&error);
                tracing::warn!(%key, error = words, "put failed");
                self.stats.failed(kind, words.clone());
                match kind {
                    ErrorKind::Invalid => {
                        permit.answered();
                        if self.put_off(&key, self.settings.refusal_backoff, 1)
                            >= self.settings.refusals_before_quarantine
                        {
                            self.set_aside(claim, words).await;
                        }
                    }
                    ErrorKind::Denied | ErrorKind::NotFound => {
                        self.put_off(&key, self.settings.refusal_backoff, 0);
                        permit.failed(self.settings.refusal_backoff);
                    }
                    ErrorKind::Corrupt => {
                        permit.answered();
                        self.put_off(&key, backoff, 0);
                        self.check_own_bytes(claim).await;
                    }
                    _ => {
                        self.put_off(&key, backoff, 0);
                        permit.failed(backoff);
                    }
                }
            }
        }
    }

    /// The claim comes back, except from a blocking thread that panicked.
    async fn put(&self, claim: Claim) -> (Option<Claim>, Verdict) {
        let (content_type, metadata, sha256) = match claim.description() {
            Ok((content_type, metadata, sha256)) => (content_type.to_owned(), metadata.clone(), sha256),
            Err(error) => {
                let reason = chain(error);
                return (Some(claim), Verdict::Quarantine(reason));
            }
        };
        let tried = claim.tried();
        // The spool remembers the try before a byte leaves.
        let marked = tokio::task::spawn_blocking(move || {
            let marked = claim.mark_tried();
            (claim, marked)
        });
        let Ok((claim, marked)) = marked.await else {
            return (None, Verdict::Vanished);
        };
        let key = claim.key().to_string();
        if let Err(error) = marked {
            return (Some(claim), Verdict::Failed(Error::new(ErrorKind::Io, "put", key).because(error)));
        }
        let progress = Arc::new(Progress::default());
        let content = FileContent {
            reader: Arc::new(claim.reader()),
            bytes: claim.bytes(),
            bandwidth: self.bandwidth.clone(),
            progress: progress.clone(),
            stats: self.stats.clone(),
        };
        let content = Arc::new(content);
        let crc32c = claim.crc32c();
        let object = NewObject { key: key.clone(), content_type, metadata, sha256, crc32c, content };
        let verdict = match self.put_watched(&object, &progress).await {
            Ok(Put::Created) => Verdict::Created,
            Ok(Put::AlreadyExists) => self.compare(&key, sha256, tried, claim.source()).await,
            Err(error) => match progress.take_fault() {
                Some(fault) if fault.kind() == io::ErrorKind::NotFound => Verdict::Vanished,
                Some(fault) => Verdict::Quarantine(format!("the file in the spool cannot be read: {fault}")),
                None => Verdict::Failed(error),
            },
        };
        (Some(claim), verdict)
    }

    /// A put, broken off when nothing moves.
    async fn put_watched(&self, object: &NewObject, progress: &Progress) -> Result<Put, Error> {
        let put = self.sink.put(object);
        tokio::pin!(put);
        let began = Instant::now();
        let (mut seen, mut since) = (progress.ticks(), began);
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

    /// The digest that the bucket has. It answered the put just now, so a look that gets no answer is repeated at once
    /// rather than with the whole put.
    async fn look(&self, key: &str) -> Result<Option<Sha256>, Error> {
        const LOOKS: u32 = 3;
        let mut failures = 0;
        loop {
            let looked = tokio::time::timeout(self.settings.stall, self.sink.checksum(key)).await;
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

    /// There is an object of this key already. Ours?
    async fn compare(&self, key: &str, sha256: Sha256, tried: Tried, source: Option<&SourceFile>) -> Verdict {
        match self.look(key).await {
            Ok(Some(there)) if there == sha256 => Verdict::AlreadyThere,
            Ok(Some(there)) => {
                Verdict::Quarantine(format!("something else is there: its digest is {there}, not {sha256}"))
            }
            Ok(None) => Verdict::Quarantine("something else is there: an object without a digest".to_owned()),
            Err(error) if error.kind() == ErrorKind::Denied => match tried {
                Tried::Before => Verdict::AlreadyThere,
                Tried::Never if still_has(source).await => Verdict::Uncompared,
                Tried::Never => Verdict::Quarantine(
                    "an object is there that was never put from here, and the credential cannot look at it".to_owned(),
                ),
            },
            Err(error) => Verdict::Failed(error),
        }
    }

    async fn stored(&self, claim: Claim, count: impl FnOnce(&mut super::UploadStats)) {
        let (key, bytes) = (claim.key().clone(), claim.bytes());
        tracing::debug!(%key, bytes, "object is in the bucket");
        self.is_over(&key);
        self.stats.update(|stats| {
            count(stats);
            stats.stored_bytes += bytes;
        });
        blocking(move || claim.uploaded()).await;
    }

    async fn set_aside(&self, claim: Claim, reason: String) {
        tracing::error!(key = %claim.key(), reason, "object is set aside in quarantine");
        self.is_over(claim.key());
        self.stats.update(|stats| stats.quarantined_objects += 1);
        blocking(move || claim.quarantine(&reason)).await;
    }

    /// After corruption: was it the way, or is it this disk?
    async fn check_own_bytes(&self, claim: Claim) {
        let checked = tokio::task::spawn_blocking(move || {
            let intact = claim.is_intact();
            (claim, intact)
        });
        let Ok((claim, intact)) = checked.await else { return };
        match intact {
            Ok(true) => {}
            Ok(false) => {
                self.set_aside(claim, "the bytes on this disk are not those that were closed".to_owned()).await;
            }
            Err(error) => self.set_aside(claim, format!("the file in the spool cannot be read: {error}")).await,
        }
    }
}

/// Whether the file that an object was made from can be read again.
async fn still_has(source: Option<&SourceFile>) -> bool {
    let Some(source) = source.cloned() else { return false };
    tokio::task::spawn_blocking(move || source.is_unchanged()).await.unwrap_or(false)
}

async fn blocking(work: impl FnOnce() -> crate::spool::Result<()> + Send + 'static) {
    let failed = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => chain(&error),
        Err(error) => error.to_string(),
    };
    tracing::error!(error = failed, "spool cannot take note of an upload, it will be repeated");
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
