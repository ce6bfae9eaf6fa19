//! Which objects somebody has yet to hear of.

use crate::note::{Note, RemovalNote};
use crate::{LocalInboxes, disk};
use framepost_ports::Result;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// The objects that messages wait about, in the inboxes that this process takes messages from. What a subscriber has that
/// does not run is not counted: it may never come back.
///
/// A message's file never changes, so each is read once.
#[derive(Debug, Default)]
pub struct Waited {
    /// What each message is about, by inbox and file name. A message that is about no object is there without one.
    known: BTreeMap<(String, String), Option<String>>,
}

impl Waited {
    /// Looks again. On return, [`of`](Self::of) tells of the messages that were there.
    pub async fn look(&mut self, inboxes: &LocalInboxes) -> Result<()> {
        let places = inboxes.open_places();
        let before = std::mem::take(&mut self.known);
        let looked = disk::blocking(move || {
            let mut known = BTreeMap::new();
            for (inbox, place) in places {
                for entry in fs::read_dir(place.join("waiting"))? {
                    let entry = entry?;
                    let message = (inbox.clone(), entry.file_name().to_string_lossy().into_owned());
                    let about = match before.get(&message) {
                        Some(about) => about.clone(),
                        None => match about(&entry.path()) {
                            Ok(about) => about,
                            // Handled just now.
                            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                            Err(error) => return Err(error),
                        },
                    };
                    known.insert(message, about);
                }
            }
            Ok(known)
        });
        self.known = looked.await.map_err(|error| disk::error("look", "what waits", error))?;
        Ok(())
    }

    /// The keys of the objects.
    pub fn keys(&self) -> BTreeSet<&str> {
        self.known.values().flatten().map(String::as_str).collect()
    }

    /// The inboxes that a message about one of these objects waits in.
    pub fn by(&self, keys: &BTreeSet<String>) -> BTreeSet<&str> {
        let about = |about: &Option<String>| about.as_ref().is_some_and(|key| keys.contains(key));
        self.known.iter().filter(|(_, key)| about(key)).map(|((inbox, _), _)| inbox.as_str()).collect()
    }
}

/// The key of the object that a message is about.
fn about(message: &Path) -> io::Result<Option<String>> {
    let bytes = fs::read(message)?;
    if let Ok(note) = serde_json::from_slice::<Note>(&bytes) {
        return Ok(Some(note.key));
    }
    if serde_json::from_slice::<RemovalNote>(&bytes).is_ok() {
        return Ok(None);
    }
    // A record has its object in its data, and a notification is its data.
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let key = value.pointer("/data/object/key").or_else(|| value.pointer("/data/key"));
    Ok(key.and_then(Value::as_str).map(str::to_owned))
}
