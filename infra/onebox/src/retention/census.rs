//! What is in the bucket: how much of it, and the oldest of what may go.

use framepost_local::{Listed, LocalBucket};
use framepost_ports::Result;
use jiff::Timestamp;
use std::collections::BinaryHeap;

/// Objects of one page of the listing.
const PAGE: usize = 1000;
/// The oldest objects that are kept in mind at a time, so that a bucket of any size takes the same memory.
const OLDEST: usize = 20_000;

/// An object, ordered by age.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Old {
    /// When it was written.
    pub(super) written: Timestamp,
    /// The object's key in the bucket.
    pub(super) key: String,
    /// Size of the object in bytes.
    pub(super) bytes: u64,
}

/// What is in the bucket.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// The size of all objects together, exports apart.
    pub(super) bytes: u64,
    /// The oldest of those that may go, the oldest first.
    pub(super) oldest: Vec<Old>,
    /// Whether there are younger ones that may go, too.
    pub(super) has_more: bool,
    /// Those that may not go, by why.
    pub(super) staying: Vec<(Stays, Old)>,
}

/// Why an object stays whatever its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stays {
    /// A hold covers it.
    Held,
    /// A function has yet to hear of it, or to handle what it heard.
    WaitedFor,
    /// Nobody put it into the bucket: the file was laid there.
    LaidThere,
}

/// Whether nothing of it is ever removed here: exports have an end of their own.
fn is_outside(key: &str) -> bool {
    key.starts_with(super::EXPORTS)
}

/// Looks at each object. `stays` says why one may not go; of those, the ones that are `due` by their age or by where they
/// stand in the order are told apart later, so they are returned as well, the oldest [`OLDEST`] of them.
pub(super) async fn census(bucket: &LocalBucket, stays: impl Fn(&str) -> Option<Stays>) -> Result<Census> {
    let mut census = Census::default();
    let mut oldest = BinaryHeap::<Old>::new();
    let mut staying = BinaryHeap::<(Old, Stays)>::new();
    let mut after = String::new();
    loop {
        let page = bucket.list("", &after, PAGE).await?;
        let is_last = page.len() < PAGE;
        if let Some(last) = page.last() {
            after.clone_from(&last.key);
        }
        for Listed { key, size, modified } in page {
            if is_outside(&key) {
                continue;
            }
            census.bytes = census.bytes.saturating_add(size);
            // A file without a time is as young as can be.
            let old = Old { written: modified.unwrap_or(Timestamp::MAX), key, bytes: size };
            if let Some(why) = stays(&old.key) {
                staying.push((old, why));
                if staying.len() > OLDEST {
                    staying.pop();
                }
                continue;
            }
            if oldest.len() == OLDEST && oldest.peek().is_some_and(|youngest| *youngest < old) {
                census.has_more = true;
                continue;
            }
            if !bucket.was_put(&old.key).await? {
                staying.push((old, Stays::LaidThere));
                continue;
            }
            oldest.push(old);
            if oldest.len() > OLDEST {
                oldest.pop();
                census.has_more = true;
            }
        }
        if is_last {
            break;
        }
    }
    census.oldest = oldest.into_sorted_vec();
    census.staying = staying.into_sorted_vec().into_iter().map(|(old, why)| (why, old)).collect();
    Ok(census)
}
