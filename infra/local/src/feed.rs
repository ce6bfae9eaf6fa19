//! The far end of a local inbox, and the objects that it can be filled with.

use crate::note::Note;
use crate::{LocalBucket, LocalInboxes, disk, inboxes};
use async_trait::async_trait;
use framepost_events::{ObjectFinalized, Sha256};
use framepost_ports::{Error, ErrorKind, Feed, Given, ObjectListing, Result};
use std::io;

/// The inbox of one subscriber, whoever takes its messages.
#[derive(Debug, Clone)]
pub struct LocalFeed {
    inboxes: LocalInboxes,
    name: String,
}

impl LocalFeed {
    /// Feeds the inbox of the subscriber `name`. Fails if a subscriber cannot have this name.
    pub fn new(inboxes: &LocalInboxes, name: &str) -> Result<Self> {
        inboxes::check_name(name)?;
        Ok(Self { inboxes: inboxes.clone(), name: name.to_owned() })
    }
}

#[async_trait]
impl Feed for LocalFeed {
    async fn give(&self, given: &[Given]) -> Result<()> {
        let messages = given.iter().map(|one| {
            let json =
                one.to_json().map_err(|error| Error::new(ErrorKind::Invalid, "give", one.identity()).because(error))?;
            // What is new comes first: ids begin with the time, in hexadecimal digits.
            let digest = Sha256::of(one.identity().as_bytes()).to_string();
            Ok((format!("replay-{}", &digest[..32]), json))
        });
        self.inboxes.give(&self.name, messages.collect::<Result<_>>()?).await
    }
}

#[async_trait]
impl ObjectListing for LocalBucket {
    async fn list(&self, prefix: &str, after: &str, max: usize) -> Result<Vec<ObjectFinalized>> {
        let mut events = Vec::new();
        let mut after = after.to_owned();
        while events.len() < max {
            let wanted = max - events.len();
            let listed = Self::list(self, prefix, &after, wanted).await?;
            let is_last = listed.len() < wanted;
            let Some(last) = listed.last() else { break };
            after.clone_from(&last.key);
            let inner = self.inner.clone();
            let found = disk::blocking(move || {
                let mut found = Vec::new();
                for object in listed {
                    match Note::read(&inner.note(&object.key)) {
                        Ok(note) => found.push(note.finalized(&inner.name)),
                        // Laid there by hand: there never was an event of it.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(found)
            });
            events.extend(found.await.map_err(|error| disk::error("list", prefix, error))?);
            if is_last {
                break;
            }
        }
        Ok(events)
    }
}
