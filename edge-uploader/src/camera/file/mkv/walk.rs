//! Walks the elements of a file, returns blocks with their times, and skips damage.
//!
//! The walk only goes forwards, and checks every size in the file against what follows. After data that is not
//! an element, it continues at the next block of the cluster that is certainly one, or at the next cluster.

use super::super::bytes::FileBytes;
use super::super::demux::note;
use super::block::{self, Block};
use crate::camera::{FaultCost, SourceFault};
use framepost_events::gap::SourceBytes;
use framepost_media::ebml::{HEADER_BYTES, Header, header, unsigned};

pub(super) const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const INFO: u32 = 0x1549_a966;
pub(super) const TRACKS: u32 = 0x1654_ae6b;
/// Seek head, cues, attachments, chapters, tags.
const OTHERS: [u32; 5] = [0x114d_9b74, 0x1c53_bb6b, 0x1941_a469, 0x1043_a770, 0x1254_c367];
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const TIMESTAMP: u32 = 0xe7;
/// In clusters: position, size of the one before, silent tracks, an encrypted block. Anywhere: void, checksum.
const SKIPPED: [u32; 6] = [0xa7, 0xab, 0x5854, 0xaf, 0xec, 0xbf];

/// The largest block, and the largest `Tracks`.
const ELEMENT_LIMIT_BYTES: u64 = 64 << 20;
/// How far blocks are searched in a cluster of unknown size. Further away, they may belong to another cluster.
const NEAR_BYTES: u64 = 256 << 10;
/// Number of consecutive elements required to accept bytes as a block.
const CHAIN: usize = 3;

/// The next finding in the file.
pub(super) enum Found {
    /// A block of a recorded track, and its time in units of the segment.
    Block(Block, i64),
    /// The body of `Info`, and the number of its segment.
    Info(Vec<u8>, u32),
    /// The body of `Tracks`, and the number of its segment.
    Tracks(Vec<u8>, u32),
    End,
    /// Nothing readable follows, for this reason.
    Lost(String),
}

struct Cluster {
    /// `None` if the size is unknown: the cluster ends where another element of its level begins.
    end: Option<u64>,
    time: Option<i64>,
}

/// The state of the walk.
pub(super) struct Walk {
    file: FileBytes,
    at: u64,
    cluster: Option<Cluster>,
    /// Number of segments so far.
    segments: u32,
    /// The next cluster, if one was searched for.
    next_cluster: Option<u64>,
    /// The largest time of a block, as stored in the file.
    latest: Option<i64>,
    /// Offset added to the file's times after they have started again.
    added: i64,
    /// Units of the segment's times per second, from `TimestampScale` (RFC 9559 §5.1.2.9); at least 1.
    pub(super) second: i64,
    /// Numbers of the recorded tracks.
    pub(super) recorded: Vec<u64>,
    /// Faults found since the last block.
    pub(super) damage: Option<SourceFault>,
}

impl Walk {
    pub(super) fn new(file: FileBytes) -> Self {
        Self {
            file,
            at: 0,
            cluster: None,
            segments: 0,
            next_cluster: None,
            latest: None,
            added: 0,
            second: 1000,
            recorded: Vec::new(),
            damage: None,
        }
    }

    /// Starts again at the beginning.
    pub(super) fn rewound(self) -> Self {
        Self::new(self.file)
    }

    /// Starts a new time line.
    pub(super) fn begin_segment(&mut self) {
        (self.latest, self.added) = (None, 0);
    }

    /// Returns the body of the first element with this ID anywhere in the file that `accept` accepts.
    pub(super) fn find_element(&mut self, id: u32, accept: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let mut found = None;
        self.file.find(
            0,
            u64::MAX,
            |mark| mark == id.to_be_bytes(),
            |file, at| {
                let body = header_at(file, at).and_then(|header| {
                    let size = header.size.filter(|size| *size <= ELEMENT_LIMIT_BYTES)?;
                    file.read_exact(at + header.header_bytes, size).ok()
                });
                found = body.filter(|body| accept(body));
                found.is_some()
            },
        );
        found
    }

    pub(super) fn next(&mut self) -> Found {
        loop {
            let at = self.at;
            let size = self.file.size();
            if at >= size {
                return Found::End;
            }
            let Some(header) = header_at(&mut self.file, at) else {
                if let Some(lost) = self.resync(at + 1) {
                    return lost;
                }
                continue;
            };
            let body = at + header.header_bytes;
            let end = header.size.map(|size| body.saturating_add(size));
            match header.id {
                CLUSTER if self.is_cluster(at, header) => {
                    self.cluster = Some(Cluster { end, time: None });
                    self.at = body;
                    continue;
                }
                SEGMENT => {
                    self.segments += 1;
                    self.cluster = None;
                    self.at = body;
                    continue;
                }
                SIMPLE_BLOCK | BLOCK_GROUP if self.cluster.is_some() => {}
                EBML | INFO | TRACKS | TIMESTAMP => {}
                other if OTHERS.contains(&other) || SKIPPED.contains(&other) => {}
                _ => {
                    if let Some(lost) = self.resync(at + 1) {
                        return lost;
                    }
                    continue;
                }
            }
            let Some(end) = end.filter(|end| *end <= size) else {
                let problem = format!("the file is cut short after byte {at} (it has {size} bytes)");
                match self.resync(body) {
                    Some(Found::Lost(_)) => return Found::Lost(problem),
                    Some(other) => return other,
                    None => continue,
                }
            };
            // If a block follows within an element, the element's size is wrong.
            if !self.goes_on(end) && self.leads_astray(header, body, end) {
                if let Some(lost) = self.resync(body) {
                    return lost;
                }
                continue;
            }
            self.at = end;
            if let Some(found) = self.take(header.id, at, body, end) {
                return found;
            }
        }
    }

    /// Handles a complete element.
    fn take(&mut self, id: u32, at: u64, body: u64, end: u64) -> Option<Found> {
        if !matches!(id, SIMPLE_BLOCK | BLOCK_GROUP | INFO | TRACKS | TIMESTAMP) {
            return None;
        }
        if end - body > ELEMENT_LIMIT_BYTES {
            self.damaged(at, end, format!("the element at byte {at} claims {} bytes", end - body));
            return None;
        }
        let bytes = match self.file.read_exact(body, end - body) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.damaged(at, end, format!("the element at byte {at} cannot be read: {error}"));
                return None;
            }
        };
        match id {
            INFO => Some(Found::Info(bytes, self.segments)),
            TRACKS => Some(Found::Tracks(bytes, self.segments)),
            TIMESTAMP => {
                let time =
                    unsigned(&bytes).and_then(|time| i64::try_from(time).ok()).filter(|time| *time < i64::MAX / 8);
                let time = time.map(|time| self.placed(time, at));
                if let Some(cluster) = &mut self.cluster {
                    cluster.time = time;
                }
                None
            }
            _ => self.take_block(id, at, end, &bytes),
        }
    }

    fn take_block(&mut self, id: u32, at: u64, end: u64, bytes: &[u8]) -> Option<Found> {
        let read = if id == SIMPLE_BLOCK { block::read(bytes) } else { block::read_group(bytes) };
        let Some(block) = read else {
            self.damaged(at, end, format!("the block at byte {at} is damaged"));
            return None;
        };
        if !self.recorded.contains(&block.track) {
            return None;
        }
        let cluster = self.cluster.as_ref()?;
        let Some(time) = cluster.time else {
            self.damaged(at, end, format!("the block at byte {at} has no time"));
            return None;
        };
        let raw = time.saturating_add(block.relative.into());
        self.latest = self.latest.max(Some(raw));
        Some(Found::Block(block, raw.saturating_add(self.added)))
    }

    /// Returns the time of a cluster, replaced if the next cluster contradicts it. A time that goes back
    /// starts a new time line.
    fn placed(&mut self, time: i64, at: u64) -> i64 {
        let Some(latest) = self.latest else { return time };
        let back = latest - 2 * self.second;
        let ahead = latest.saturating_add(60 * self.second);
        if (back..=ahead).contains(&time) {
            return time;
        }
        let step = (self.second / 25).max(1);
        let next = self.next_time();
        let outlier = next.is_some_and(|next| (back..=ahead).contains(&next) && !(time..=ahead).contains(&next));
        if outlier || time > latest.saturating_add(366 * 86_400 * self.second) {
            let detail = format!("the cluster around byte {at} has an impossible time");
            note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
            return latest + step;
        }
        if time < back {
            self.added = self.added.saturating_add(latest + step - time);
            self.latest = Some(time);
            let detail = format!(
                "the times go back at byte {at}: the frames that follow are timed as if they came directly after the last one"
            );
            note(&mut self.damage, SourceFault { cost: FaultCost::Order, detail, bytes: None });
        }
        time
    }

    /// Returns the time of the cluster after this one.
    fn next_time(&mut self) -> Option<i64> {
        let known = self.cluster.as_ref().and_then(|cluster| cluster.end);
        let start = match known.filter(|end| *end < self.file.size()) {
            Some(end) => end,
            None => self.find_cluster(self.at)?,
        };
        self.time_of_cluster(start)
    }

    /// Returns the time of the cluster at `start`.
    fn time_of_cluster(&mut self, start: u64) -> Option<i64> {
        let cluster = header_at(&mut self.file, start).filter(|header| header.id == CLUSTER)?;
        let mut at = start + cluster.header_bytes;
        for _ in 0..4 {
            let header = header_at(&mut self.file, at)?;
            let body = at + header.header_bytes;
            if header.id == TIMESTAMP {
                let bytes = self.file.read_exact(body, header.size.filter(|size| *size <= 8)?).ok()?;
                return i64::try_from(unsigned(&bytes)?).ok();
            }
            at = body.checked_add(header.size?)?;
        }
        None
    }

    fn damaged(&mut self, start: u64, end: u64, detail: String) {
        let bytes = Some(SourceBytes { start, end });
        note(&mut self.damage, SourceFault { cost: FaultCost::Pictures, detail, bytes });
    }

    /// Continues at the next readable position from `from` on. Otherwise returns the end.
    fn resync(&mut self, from: u64) -> Option<Found> {
        let at = self.at;
        let cluster = self.find_cluster(from);
        let until = cluster.unwrap_or(self.file.size());
        // Search within a cluster of known end, or nearby in one of unknown size or with a lost header.
        let within = self.cluster.as_ref().and_then(|cluster| cluster.end).filter(|end| *end > from);
        let until = within.unwrap_or(from.saturating_add(NEAR_BYTES)).min(until);
        let recorded = self.recorded.clone();
        let is_mark = |mark: &[u8]| matches!(mark[0], 0xa3 | 0xa0);
        let is_block = |file: &mut FileBytes, place| is_chain(file, place, until, &recorded);
        let block = self.file.find(from, until, is_mark, is_block);
        let Some(next) = block.or(cluster) else {
            return Some(Found::Lost(format!("damaged from byte {at} to its end")));
        };
        self.damaged(at, next, format!("bytes {at} to {next} are damaged"));
        self.at = next;
        if block.is_some() && within.is_none() {
            self.enter_headless(next, cluster);
        }
        None
    }

    /// Enters a cluster whose header is lost, if a block at `at` after damage shows that. The block times then
    /// restart. The cluster's time lies before its first block; if it is lost too, the cluster's last block ends where the next
    /// cluster begins.
    fn enter_headless(&mut self, at: u64, next_cluster: Option<u64>) {
        let relatives = relatives(&mut self.file, at, next_cluster, &self.recorded);
        let Some(first) = relatives.first().copied().map(i64::from) else { return };
        let latest = self.latest;
        let slack = self.second / 5;
        let is_after = |time: i64| latest.is_none_or(|latest| time + first >= latest - slack);
        let goes_on =
            self.cluster.as_ref().is_some_and(|cluster| cluster.end.is_none() && cluster.time.is_some_and(is_after));
        if goes_on {
            return;
        }
        let mut sorted = relatives;
        let mut step = (self.second / 25).max(1);
        sorted.sort_unstable();
        if let [.., before, last] = sorted[..] {
            step = i64::from(last - before).clamp(1, self.second);
        }
        let last = sorted.last().map_or(0, |last| i64::from(*last));
        let own = self.time_before(at);
        let next = next_cluster.and_then(|next| self.time_of_cluster(next)).map(|next| next - step - last);
        let time = own.into_iter().chain(next).find(|time| is_after(*time));
        let after = latest.map_or(0, |latest| latest + step) - first;
        self.cluster = Some(Cluster { end: next_cluster, time: Some(time.unwrap_or(after)) });
    }

    /// Returns a cluster's time, if the element that has it lies right before `at`.
    fn time_before(&mut self, at: u64) -> Option<i64> {
        // An ID of one byte, a size of one byte, and up to eight bytes.
        (3..=10).find_map(|length| {
            let start = at.checked_sub(length)?;
            let header = header_at(&mut self.file, start).filter(|header| header.id == TIMESTAMP)?;
            let size = header.size.filter(|size| header.header_bytes + size == length)?;
            let bytes = self.file.read_exact(start + header.header_bytes, size).ok()?;
            i64::try_from(unsigned(&bytes)?).ok().filter(|time| *time < i64::MAX / 8)
        })
    }

    /// Returns the next cluster from `from` on.
    fn find_cluster(&mut self, from: u64) -> Option<u64> {
        if self.next_cluster.is_none_or(|next| next < from) {
            let is_mark = |mark: &[u8]| mark == CLUSTER.to_be_bytes();
            let found = self.file.find(from, u64::MAX, is_mark, |file, at| {
                header_at(file, at).is_some_and(|header| begins_cluster(file, at + header.header_bytes))
            });
            self.next_cluster = Some(found.unwrap_or(u64::MAX));
        }
        self.next_cluster.filter(|next| *next < self.file.size())
    }

    fn is_cluster(&mut self, at: u64, header: Header) -> bool {
        let body = at + header.header_bytes;
        body >= self.file.size() || header.size == Some(0) || begins_cluster(&mut self.file, body)
    }

    /// Returns whether a known element begins at `at`, or the file ends there.
    fn goes_on(&mut self, at: u64) -> bool {
        if at == self.file.size() {
            return true;
        }
        let recorded = std::mem::take(&mut self.recorded);
        let goes_on = is_element(&mut self.file, at, &recorded).is_some();
        self.recorded = recorded;
        goes_on
    }

    /// Returns whether an element that is not followed by a known one contains elements
    /// that it should not contain.
    fn leads_astray(&mut self, header: Header, body: u64, end: u64) -> bool {
        if matches!(header.id, INFO | TRACKS) {
            return false;
        }
        if self.find_cluster(body).is_some_and(|cluster| cluster < end) {
            return true;
        }
        let recorded = self.recorded.clone();
        let is_mark = |mark: &[u8]| mark[0] == 0xa3;
        self.file.find(body, end, is_mark, |file, at| is_chain(file, at, u64::MAX, &recorded)).is_some()
    }
}

fn header_at(file: &mut FileBytes, at: u64) -> Option<Header> {
    header(&file.read(at, HEADER_BYTES).ok()?)
}

/// Returns whether a cluster's body may begin at `body`.
fn begins_cluster(file: &mut FileBytes, body: u64) -> bool {
    header_at(file, body).is_some_and(|first| {
        let known = matches!(first.id, TIMESTAMP | SIMPLE_BLOCK | BLOCK_GROUP) || SKIPPED.contains(&first.id);
        known
            && first
                .size
                .is_some_and(|size| body.saturating_add(size) <= file.size().saturating_add(ELEMENT_LIMIT_BYTES))
    })
}

/// Returns the header of a known element that fits into the file.
fn is_element(file: &mut FileBytes, at: u64, recorded: &[u64]) -> Option<Header> {
    let header = header_at(file, at)?;
    let level_one = matches!(header.id, EBML | SEGMENT | CLUSTER | INFO | TRACKS) || OTHERS.contains(&header.id);
    if level_one {
        return Some(header);
    }
    let body = at + header.header_bytes;
    if body.saturating_add(header.size?) > file.size() {
        return None;
    }
    let known = match header.id {
        SIMPLE_BLOCK => {
            let track = file.read(body, HEADER_BYTES).ok().and_then(|bytes| block::track_and_time(&bytes));
            let track = track.map(|(track, _)| track);
            track.is_some_and(|track| recorded.is_empty() || recorded.contains(&track) || track < 128)
        }
        BLOCK_GROUP => {
            matches!(header_at(file, body)?.id, 0xa1 | 0x9b | 0xfb | 0x75a1 | 0xfa | 0xa4 | 0x75a2 | 0xbf | 0xec)
        }
        TIMESTAMP => header.size.is_some_and(|size| size <= 8),
        other => SKIPPED.contains(&other),
    };
    known.then_some(header)
}

/// Returns the relative times of the recorded blocks from `at` up to the next cluster.
fn relatives(file: &mut FileBytes, at: u64, until: Option<u64>, recorded: &[u64]) -> Vec<i16> {
    const MOST: usize = 1 << 14;
    let mut place = at;
    let mut found = Vec::new();
    while found.len() < MOST && until.is_none_or(|until| place < until) {
        let Some(header) = is_element(file, place, recorded) else { break };
        let body = place + header.header_bytes;
        let Some(size) = header.size else { break };
        let block = match header.id {
            SIMPLE_BLOCK => Some(body),
            BLOCK_GROUP => {
                header_at(file, body).filter(|inner| inner.id == 0xa1).map(|inner| body + inner.header_bytes)
            }
            _ => None,
        };
        let head = block.and_then(|block| file.read(block, HEADER_BYTES).ok());
        if let Some((track, relative)) = head.and_then(|head| block::track_and_time(&head))
            && recorded.first() == Some(&track)
        {
            found.push(relative);
        }
        place = body + size;
    }
    found
}

/// Returns whether a block certainly begins at `at`: other elements, or the end of the
/// file, follow it within `until`.
fn is_chain(file: &mut FileBytes, at: u64, until: u64, recorded: &[u64]) -> bool {
    let mut place = at;
    for n in 0..CHAIN {
        if n > 0 && (place == until || place == file.size()) {
            return true;
        }
        let Some(header) = is_element(file, place, recorded) else { return false };
        let body = place + header.header_bytes;
        let first = n == 0;
        let known_size = header.size.filter(|_| !first || header.size != Some(0));
        match (header.id, known_size) {
            (SIMPLE_BLOCK | BLOCK_GROUP, Some(size)) => {
                if first && header.id == SIMPLE_BLOCK {
                    let track = file.read(body, HEADER_BYTES).ok().and_then(|bytes| block::track_and_time(&bytes));
                    if track.is_none_or(|(track, _)| !recorded.contains(&track)) {
                        return false;
                    }
                }
                place = body + size;
            }
            _ if first => return false,
            (other, Some(size)) if SKIPPED.contains(&other) => place = body + size,
            // An element of a higher level, which ends the cluster.
            (other, _) => return other > 0xff_ffff,
        }
    }
    true
}
