//! The bucket of the model: what it stores, what it answers, and what the gateway may conclude from that.

use async_trait::async_trait;
use framepost_events::Sha256;
use framepost_ports::{Effect, Error, ErrorKind, NewObject, ObjectSink, Put, Result, Seen};
use futures::StreamExt as _;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

/// What the gateway receives for a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    Truth,
    /// The store's own error.
    Own(u16, ErrorKind),
    /// An answer from something between the gateway and the store.
    Foreign(u16),
    /// "Created" without a checksum.
    Bare,
    /// "Created" with the checksum of other bytes.
    WrongChecksum,
    /// No answer after all bytes were taken.
    Nothing,
    /// No answer after half of the bytes.
    BrokenOff,
    /// No answer, and the connection stays open.
    Stall,
}

/// The answer to the next put, and whether the object is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) heard: Heard,
    pub(super) stores: bool,
}

pub(super) const TRUTH: Answer = Answer { heard: Heard::Truth, stores: true };

/// What the gateway may conclude about a chunk from the answers.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Supposed {
    /// A put was sent completely and not refused since.
    pub(super) open: bool,
    /// The same, according to the marks on disk.
    pub(super) open_on_disk: bool,
    /// This process received "created" with a proof.
    pub(super) created: bool,
    /// This process received "created" without a proof.
    pub(super) bare: bool,
    /// "Already exists" was received while it was open.
    pub(super) may_leave: bool,
}

#[derive(Default)]
pub(super) struct Inside {
    pub(super) objects: BTreeMap<String, Vec<u8>>,
    pub(super) script: VecDeque<Answer>,
    pub(super) looking: bool,
    pub(super) disk_refuses: bool,
    pub(super) supposed: BTreeMap<String, Supposed>,
    pub(super) puts: usize,
}

#[derive(Default)]
pub(super) struct Bucket {
    pub(super) inside: Mutex<Inside>,
}

impl Inside {
    /// A put of the chunk was sent completely.
    pub(super) fn sent(&mut self, key: &str) {
        let disk_takes = !self.disk_refuses;
        let supposed = self.supposed.entry(key.to_owned()).or_default();
        supposed.open = true;
        supposed.open_on_disk |= disk_takes;
    }

    /// The gateway received a refusal.
    pub(super) fn refused(&mut self, key: &str) {
        let disk_takes = !self.disk_refuses;
        let supposed = self.supposed.entry(key.to_owned()).or_default();
        supposed.open = false;
        supposed.open_on_disk &= !disk_takes;
    }

    /// The gateway lost its memory.
    pub(super) fn restarted(&mut self) {
        for supposed in self.supposed.values_mut() {
            *supposed = Supposed {
                open: supposed.open_on_disk,
                open_on_disk: supposed.open_on_disk,
                may_leave: supposed.may_leave,
                ..Supposed::default()
            };
        }
    }
}

#[async_trait]
impl ObjectSink for Bucket {
    async fn put(&self, object: &NewObject) -> Result<Put> {
        let key = object.key.as_str();
        let (answer, before) = {
            let mut inside = self.inside.lock().unwrap();
            inside.puts += 1;
            let before = inside.supposed.get(key).copied().unwrap_or_default();
            assert!(!before.created, "{key} is put again by a process that knows it is stored");
            (inside.script.pop_front().unwrap_or(TRUTH), before)
        };
        let fail = |kind, effect| Err(Error::new(kind, "put", key).with_effect(effect));
        let half = usize::try_from(object.content.len_bytes()).unwrap() / 2;
        let mut body = Vec::new();
        let mut content = object.content.open();
        while let Some(piece) = content.next().await {
            body.extend(piece.map_err(|error| Error::new(ErrorKind::Io, "put", key).because(error))?);
            if answer.heard == Heard::BrokenOff && body.len() > half && body.len() < 2 * half {
                tokio::time::sleep(Duration::from_millis(5)).await;
                return fail(ErrorKind::Transport, Effect::Unknown);
            }
        }
        // The bucket decides when it has all bytes; the answer arrives later.
        let there = {
            let mut inside = self.inside.lock().unwrap();
            inside.sent(key);
            assert_eq!(Sha256::of(&body), object.sha256);
            let there = inside.objects.contains_key(key);
            if !there && answer.stores {
                inside.objects.insert(key.to_owned(), body);
            }
            there
        };
        if answer.heard == Heard::Stall {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut inside = self.inside.lock().unwrap();
        match answer.heard {
            Heard::Truth if there => {
                // This put was refused; an earlier one may have been stored.
                if before.open {
                    inside.supposed.entry(key.to_owned()).or_default().may_leave = true;
                } else {
                    inside.refused(key);
                }
                Ok(Put::AlreadyExists)
            }
            Heard::Truth => {
                inside.supposed.entry(key.to_owned()).or_default().created = true;
                Ok(Put::Created)
            }
            Heard::Bare => {
                let supposed = inside.supposed.entry(key.to_owned()).or_default();
                if std::mem::replace(&mut supposed.bare, true) {
                    inside.refused(key);
                }
                Ok(Put::Unproven)
            }
            Heard::WrongChecksum => {
                inside.refused(key);
                fail(ErrorKind::Corrupt, Effect::None)
            }
            Heard::Own(status, kind) => {
                if Effect::of_status(status) == Effect::None {
                    inside.refused(key);
                }
                fail(kind, Effect::of_status(status))
            }
            Heard::Foreign(status) => {
                if Effect::of_status(status) == Effect::None {
                    inside.refused(key);
                }
                fail(ErrorKind::Intercepted, Effect::of_status(status))
            }
            Heard::Nothing | Heard::BrokenOff | Heard::Stall => fail(ErrorKind::Transport, Effect::Unknown),
        }
    }

    async fn look(&self, key: &str) -> Result<Seen> {
        let inside = self.inside.lock().unwrap();
        if !inside.looking {
            return Err(Error::new(ErrorKind::Denied, "look", key));
        }
        let body = inside.objects.get(key).ok_or_else(|| Error::not_found("look", key))?;
        Ok(Seen { bytes: Some(body.len() as u64), sha256: Some(Sha256::of(body)), crc32c: None })
    }

    fn url(&self) -> String {
        "model://bucket".to_owned()
    }
}
