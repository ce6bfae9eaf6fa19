//! What is said about removals: seldom, and in whole sentences.

use super::census::{Old, Stays};
use super::due::{RetentionLimits, Space, Why};
use edge_uploader::terminal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The same is said once in this time.
const AGAIN: Duration = Duration::from_hours(1);

/// Objects and their size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    objects: u64,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, old: &Old) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(old.bytes);
    }
}

/// `3 objects (1.2 GB)`
impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let objects = if self.objects == 1 { "object" } else { "objects" };
        write!(f, "{} {objects} ({})", self.objects, amount(self.bytes))
    }
}

/// A size in the unit that suits it.
fn amount(bytes: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(factor, _)| bytes >= *factor) {
        Some((factor, unit)) => format!("{:.1} {unit}", bytes as f64 / factor as f64),
        None => format!("{bytes} B"),
    }
}

/// What there is to say of removals.
#[derive(Debug, Default)]
pub(super) struct RemovalNotice {
    removed: BTreeMap<Why, Sum>,
    staying: BTreeMap<Stays, Sum>,
    waited_for_by: Vec<String>,
    space: Option<Space>,
    failed: Option<String>,
    said: BTreeMap<&'static str, Instant>,
}

impl RemovalNotice {
    /// Counts an object that is gone.
    pub(super) fn removed(&mut self, why: Why, old: &Old) {
        self.removed.entry(why).or_default().add(old);
    }

    /// Counts one that has to go and may not.
    pub(super) fn stays(&mut self, why: Stays, old: &Old) {
        self.staying.entry(why).or_default().add(old);
    }

    /// The functions that the objects wait for.
    pub(super) fn waited_for_by(&mut self, functions: Vec<String>) {
        self.waited_for_by = functions;
    }

    pub(super) fn space(&mut self, space: Space) {
        self.space = Some(space);
    }

    /// Something went wrong. It is tried again.
    pub(super) fn failed(&mut self, error: &str) {
        self.failed = Some(error.to_owned());
    }

    /// Says what there is to say, and what was not said already.
    pub(super) fn say(&mut self, limits: RetentionLimits) {
        for line in self.lines(limits, Instant::now()) {
            terminal::err(format_args!("framepost: {line}"));
        }
    }

    fn lines(&mut self, limits: RetentionLimits, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        let mut said = std::mem::take(&mut self.said);
        let mut is_new = |what: &'static str| match said.get(what) {
            Some(before) if now.duration_since(*before) < AGAIN => false,
            _ => {
                said.insert(what, now);
                true
            }
        };
        self.removed.retain(|why, sum| {
            let (what, reason) = match why {
                Why::Age => ("age", "older than --keep".to_owned()),
                Why::Bytes => ("bytes", "more than --keep-bytes".to_owned()),
                Why::Room => ("room", "the oldest, because the disk is nearly full".to_owned()),
            };
            let says = is_new(what);
            if says {
                lines.push(format!("removed {sum}: {reason}"));
            }
            !says
        });
        for (why, sum) in std::mem::take(&mut self.staying) {
            let (what, reason) = match why {
                Stays::Held => ("held", "covered by a hold".to_owned()),
                Stays::WaitedFor => ("waited for", format!("waiting for {}", self.waited_for_by.join(" and "))),
                Stays::LaidThere => ("laid there", "put into the bucket's directory by hand".to_owned()),
            };
            if is_new(what) {
                lines.push(format!("kept beyond the limits: {sum}, {reason}"));
            }
        }
        if let Some(space) = self.space.take().filter(|space| space.missing() > 0) {
            let Space { free, whole } = space;
            let advice = match limits.keep_bytes {
                Some(_) => "and nothing may be removed: make room",
                None => "and no object is old enough to be removed: make room, or give --keep-bytes",
            };
            if is_new("full") {
                lines.push(format!("the disk is nearly full ({} of {} free), {advice}", amount(free), amount(whole)));
            }
        }
        if let Some(error) = self.failed.take()
            && is_new("failed")
        {
            lines.push(format!("cannot remove what is too old or too much, and tries again: {error}"));
        }
        self.said = said;
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn the_same_is_said_once_an_hour() {
        let old = Old { written: Timestamp::UNIX_EPOCH, key: "k".to_owned(), bytes: 1_234_567 };
        let limits = RetentionLimits { keep: None, keep_bytes: Some(1) };
        let mut notice = RemovalNotice::default();
        let start = Instant::now();
        notice.removed(Why::Bytes, &old);
        assert_eq!(notice.lines(limits, start), ["removed 1 object (1.2 MB): more than --keep-bytes"]);
        for _ in 0..3 {
            notice.removed(Why::Bytes, &old);
            notice.stays(Stays::WaitedFor, &old);
        }
        notice.waited_for_by(vec!["infer".to_owned()]);
        let expected = "kept beyond the limits: 3 objects (3.7 MB), waiting for infer";
        assert_eq!(notice.lines(limits, start + Duration::from_mins(59)), [expected]);
        let later = notice.lines(limits, start + AGAIN);
        assert_eq!(later, ["removed 3 objects (3.7 MB): more than --keep-bytes"], "what was not said is not forgotten");
        assert!(notice.lines(limits, start + 2 * AGAIN).is_empty());
    }

    #[test]
    fn a_full_disk_is_told_with_what_helps() {
        let full = Space { free: 5_000_000, whole: 100_000_000_000 };
        for (limits, advice) in [
            (
                RetentionLimits { keep: Some(jiff::SignedDuration::from_hours(1)), keep_bytes: None },
                "give --keep-bytes",
            ),
            (RetentionLimits { keep: None, keep_bytes: Some(1) }, "make room"),
        ] {
            let mut notice = RemovalNotice::default();
            notice.space(full);
            let lines = notice.lines(limits, Instant::now());
            assert!(
                lines.len() == 1 && lines[0].contains(advice) && lines[0].contains("5.0 MB of 100.0 GB"),
                "{lines:?}"
            );
        }
    }
}
