//! A bucket that misbehaves by script.

use async_trait::async_trait;
use framepost_events::Sha256;
use framepost_ports::{Error, ErrorKind, NewObject, ObjectSink, Put, Result, Seen};
use futures::StreamExt as _;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// How the bucket answers one put; a script has one for each put, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Take,
    /// The object is created, the answer is lost.
    LoseAnswer,
    Fail(ErrorKind),
    /// Reads a little and never answers.
    Stall,
    /// A defect in the program.
    Panic,
}

/// Whether the credential may look at objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looking {
    Allowed,
    Denied,
}

#[derive(Default)]
pub(super) struct Inside {
    pub(super) objects: BTreeMap<String, Vec<u8>>,
    /// For the next puts, whatever their objects.
    script: VecDeque<Act>,
    /// For all puts of keys that contain this.
    pub(super) always: Vec<(String, Act)>,
    pub(super) puts: Vec<(Instant, String)>,
    running: usize,
    pub(super) most_running: usize,
}

pub(super) struct Bucket {
    pub(super) inside: Mutex<Inside>,
    looking: Looking,
}

impl Bucket {
    pub(super) fn new(looking: Looking, script: impl IntoIterator<Item = Act>) -> Arc<Self> {
        let inside = Inside { script: script.into_iter().collect(), ..Inside::default() };
        Arc::new(Self { inside: Mutex::new(inside), looking })
    }
}

struct Running<'a>(&'a Bucket);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.inside.lock().unwrap().running -= 1;
    }
}

#[async_trait]
impl ObjectSink for Bucket {
    async fn put(&self, object: &NewObject) -> Result<Put> {
        let act = {
            let mut inside = self.inside.lock().unwrap();
            inside.puts.push((Instant::now(), object.key.clone()));
            inside.running += 1;
            inside.most_running = inside.most_running.max(inside.running);
            let always = inside.always.iter().find(|(part, _)| object.key.contains(part)).map(|(_, act)| *act);
            always.or_else(|| inside.script.pop_front()).unwrap_or(Act::Take)
        };
        let _running = Running(self);
        let failed = |kind| Err(Error::new(kind, "put", object.key.as_str()));
        let mut body = Vec::new();
        let mut content = object.content.open();
        while let Some(piece) = content.next().await {
            body.extend(piece.map_err(|error| Error::new(ErrorKind::Transport, "put", "x").because(error))?);
            if act == Act::Stall {
                std::future::pending::<()>().await;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        match act {
            Act::Stall => std::future::pending().await,
            Act::Panic => panic!("as the script says"),
            Act::Fail(kind) => return failed(kind),
            Act::Take | Act::LoseAnswer => {}
        }
        if Sha256::of(&body) != object.sha256 {
            return failed(ErrorKind::Corrupt);
        }
        let mut inside = self.inside.lock().unwrap();
        if inside.objects.contains_key(&object.key) {
            return Ok(Put::AlreadyExists);
        }
        inside.objects.insert(object.key.clone(), body);
        if act == Act::LoseAnswer { failed(ErrorKind::Transport) } else { Ok(Put::Created) }
    }

    async fn look(&self, key: &str) -> Result<Seen> {
        if self.looking == Looking::Denied {
            return Err(Error::new(ErrorKind::Denied, "head", key));
        }
        let inside = self.inside.lock().unwrap();
        let body = inside.objects.get(key).ok_or_else(|| Error::not_found("head", key))?;
        Ok(Seen { bytes: Some(body.len() as u64), sha256: Some(Sha256::of(body)), crc32c: None })
    }

    fn url(&self) -> String {
        "test://bucket".to_owned()
    }
}
