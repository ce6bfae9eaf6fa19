//! The sample tables of a movie without fragments, read one sample at a time in their packed form.

use super::super::demux::Fault;
use super::boxes::Box4;

/// Position and times of one sample, in units of its track.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) dts: i64,
    pub(super) pts: i64,
    pub(super) duration: u32,
    /// Index of the sample entry, from 1.
    pub(super) description: u32,
    /// Whether the sample is the first of its chunk or, in a fragment, of its run.
    pub(super) is_first_in_chunk: bool,
}

/// Chunk offsets with the width of the file (`stco` or `co64`, ISO/IEC 14496-12 §8.7.5).
enum Offsets {
    Narrow(Vec<u32>),
    Wide(Vec<u64>),
}

impl Offsets {
    fn len(&self) -> usize {
        match self {
            Self::Narrow(offsets) => offsets.len(),
            Self::Wide(offsets) => offsets.len(),
        }
    }

    fn get(&self, chunk: usize) -> Option<u64> {
        match self {
            Self::Narrow(offsets) => offsets.get(chunk).map(|offset| u64::from(*offset)),
            Self::Wide(offsets) => offsets.get(chunk).copied(),
        }
    }
}

/// Consecutive chunks with the same number of samples (`stsc`, ISO/IEC 14496-12 §8.7.4).
struct ChunkRun {
    /// Number of the first chunk, from 1.
    first: u32,
    samples: u32,
    /// Index of the sample entry, from 1.
    description: u32,
}

/// Sample sizes: one for all samples, or one for each.
enum Sizes {
    All { bytes: u32, count: u32 },
    Each(Vec<u32>),
}

impl Sizes {
    fn read(stbl: Box4<'_>) -> Result<Self, Fault> {
        if let Some(compact) = stbl.child(*b"stz2") {
            return compact_sizes(compact.body()).map(Self::Each).ok_or_else(|| Fault::new("the stz2 box is damaged"));
        }
        let body = stbl.child(*b"stsz").ok_or_else(|| missing("stsz"))?.body();
        let word = |at: usize| body.get(at..)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word));
        let (bytes, count) = word(4).zip(word(8)).ok_or_else(|| Fault::new("the stsz box is damaged"))?;
        Ok(match bytes {
            0 => Self::Each(rows::<1>(body, 8).into_iter().map(|[size]| size).collect()),
            bytes => Self::All { bytes, count },
        })
    }

    fn len(&self) -> u32 {
        match self {
            Self::All { count, .. } => *count,
            Self::Each(sizes) => u32::try_from(sizes.len()).unwrap_or(u32::MAX),
        }
    }

    fn get(&self, sample: u32) -> Option<u32> {
        match self {
            Self::All { bytes, count } => (sample < *count).then_some(*bytes),
            Self::Each(sizes) => sizes.get(usize::try_from(sample).ok()?).copied(),
        }
    }
}

/// Reads the body of an `stz2` box (ISO/IEC 14496-12 §8.7.3.3): sizes of 4, 8 or 16 bits.
fn compact_sizes(body: &[u8]) -> Option<Vec<u32>> {
    let (head, sizes) = body.split_first_chunk::<12>()?;
    let count = usize::try_from(u32::from_be_bytes([head[8], head[9], head[10], head[11]])).ok()?;
    let all: Vec<u32> = match head[7] {
        4 => sizes.iter().flat_map(|byte| [u32::from(byte >> 4), u32::from(byte & 15)]).take(count).collect(),
        8 => sizes.iter().map(|byte| u32::from(*byte)).take(count).collect(),
        16 => sizes.chunks_exact(2).map(|b| u32::from(u16::from_be_bytes([b[0], b[1]]))).take(count).collect(),
        _ => return None,
    };
    (all.len() == count).then_some(all)
}

/// Returns the rows of a table whose count is at `count_at` in the body: as many as the count says and as
/// exist. A count of zero is ignored if there are rows, because it must be damaged.
fn rows<const N: usize>(body: &[u8], count_at: usize) -> Vec<[u32; N]> {
    let Some((count, rows)) = body.get(count_at..).and_then(|rest| rest.split_first_chunk::<4>()) else {
        return Vec::new();
    };
    let count = match u32::from_be_bytes(*count) {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let word = |row: &[u8], n: usize| row[4 * n..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word));
    rows.chunks_exact(4 * N).take(count).map(|row| std::array::from_fn(|n| word(row, n))).collect()
}

fn missing(kind: &str) -> Fault {
    Fault::new(format!("the sample table has no {kind} box"))
}

/// A run-length table with a read position.
#[derive(Default)]
struct Runs<T> {
    counted: Vec<(u32, T)>,
    at: usize,
    used: u32,
}

impl<T: Copy> Runs<T> {
    fn new(counted: Vec<(u32, T)>) -> Self {
        Self { counted, at: 0, used: 0 }
    }

    /// Returns the next value. After the end, returns the last one again, as players do.
    fn step(&mut self) -> Option<T> {
        while self.counted.get(self.at).is_some_and(|(count, _)| self.used >= *count)
            && self.at + 1 < self.counted.len()
        {
            self.at += 1;
            self.used = 0;
        }
        self.used = self.used.saturating_add(1);
        self.counted.get(self.at).map(|(_, value)| *value)
    }
}

/// Iterates over a track's samples.
pub(super) struct Table {
    sizes: Sizes,
    offsets: Offsets,
    chunks: Vec<ChunkRun>,
    deltas: Runs<i32>,
    shifts: Runs<i32>,
    timescale: u32,
    last_delta: i32,
    is_damaged: bool,
    sample: u32,
    dts: i64,
    /// The current chunk, from 0; `None` before the first.
    chunk: Option<usize>,
    /// Index of its entry in `stsc`.
    chunk_run: usize,
    left_in_chunk: u32,
    offset: u64,
}

impl Table {
    /// If sizes and positions are intact, replaces other tables if they are damaged: `duration` (of the
    /// whole track, in its units) is distributed over the samples, and all chunks are assumed to have
    /// the same number of samples.
    pub(super) fn read(stbl: Box4<'_>, duration: u64, timescale: u32) -> Result<Self, Fault> {
        let sizes = Sizes::read(stbl)?;
        let offsets = match (stbl.child(*b"stco"), stbl.child(*b"co64")) {
            (Some(stco), _) => Offsets::Narrow(rows::<1>(stco.body(), 4).into_iter().map(|[offset]| offset).collect()),
            (None, Some(co64)) => {
                let wide = |[high, low]: [u32; 2]| u64::from(high) << 32 | u64::from(low);
                Offsets::Wide(rows::<2>(co64.body(), 4).into_iter().map(wide).collect())
            }
            (None, None) => return Err(missing("stco or co64")),
        };
        let read = |kind: [u8; 4]| stbl.child(kind).map(Box4::body).unwrap_or_default();
        let mut chunks: Vec<ChunkRun> = rows::<3>(read(*b"stsc"), 4)
            .into_iter()
            .map(|[first, samples, description]| ChunkRun { first, samples, description })
            .collect();
        if chunks.is_empty() && sizes.len() > 0 {
            let count = u32::try_from(offsets.len()).unwrap_or(u32::MAX).max(1);
            // There is one chunk for all samples, or one for each. Other cases cannot be reconstructed.
            if count != 1 && count != sizes.len() {
                return Err(missing("stsc"));
            }
            chunks = vec![ChunkRun { first: 1, samples: sizes.len().div_ceil(count), description: 1 }];
        }
        // The deltas are unsigned, but a writer whose times went back stores negative ones. No
        // real delta lasts for hours.
        let signed = |[count, value]: [u32; 2]| (count, value.cast_signed());
        let mut deltas: Vec<(u32, i32)> = rows::<2>(read(*b"stts"), 4).into_iter().map(signed).collect();
        let timed = deltas.iter().fold(0_u64, |timed, (count, _)| timed + u64::from(*count));
        if deltas.is_empty() && sizes.len() > 0 {
            let each = duration.checked_div(sizes.len().into()).and_then(|each| i32::try_from(each).ok());
            let each = each
                .filter(|each| *each > 0)
                .ok_or_else(|| Fault::new("the sample table gives its frames no times"))?;
            deltas = vec![(1, each)];
        }
        let shifts = rows::<2>(read(*b"ctts"), 4).into_iter().map(signed).collect();
        let is_damaged = timed > sizes.len().into() || (timed == 0 && sizes.len() > 0);
        Ok(Self {
            sizes,
            offsets,
            chunks,
            deltas: Runs::new(deltas),
            shifts: Runs::new(shifts),
            timescale,
            is_damaged,
            last_delta: 1,
            sample: 0,
            dts: 0,
            chunk: None,
            chunk_run: 0,
            left_in_chunk: 0,
            offset: 0,
        })
    }

    /// Returns the number of samples.
    pub(super) fn len(&self) -> u32 {
        self.sizes.len()
    }

    /// Returns whether the numbers of times and sizes differ, or there are no times.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Returns the positions of the chunks.
    pub(super) fn chunk_places(&self) -> impl Iterator<Item = u64> {
        (0..self.offsets.len()).filter_map(|chunk| self.offsets.get(chunk))
    }

    /// Returns the next sample. Fails if the tables end before the last sample.
    pub(super) fn next(&mut self) -> Result<Option<Sample>, Fault> {
        if self.sample >= self.len() {
            return Ok(None);
        }
        let damaged = |sample: u32| Fault::new(format!("the sample table ends before sample {sample}"));
        let size = self.sizes.get(self.sample).ok_or_else(|| damaged(self.sample))?;
        let is_first_in_chunk = self.left_in_chunk == 0;
        if is_first_in_chunk {
            self.enter_next_chunk().ok_or_else(|| damaged(self.sample))?;
        }
        let delta = self.deltas.step().ok_or_else(|| Fault::new("the sample table gives its frames no times"))?;
        // A step back of more than reordering explains is damage, not rounding by the writer.
        let delta = if i64::from(delta) < -i64::from(self.timescale / 4) { self.last_delta } else { delta };
        self.last_delta = delta;
        let shift = i64::from(self.shifts.step().unwrap_or(0));
        let limit = i64::from(delta).max(self.timescale.into()).saturating_mul(64);
        let shift = if shift.abs() > limit { 0 } else { shift };
        let sample = Sample {
            offset: self.offset,
            size,
            dts: self.dts,
            pts: self.dts.saturating_add(shift),
            duration: u32::try_from(delta).unwrap_or(0),
            description: self.chunks.get(self.chunk_run).map_or(1, |run| run.description),
            is_first_in_chunk,
        };
        self.offset = self.offset.saturating_add(size.into());
        self.left_in_chunk -= 1;
        self.sample += 1;
        self.dts = self.dts.saturating_add(delta.into());
        Ok(Some(sample))
    }

    /// Moves the samples that are left in the current chunk, because the size of one before them was wrong.
    pub(super) fn move_rest_of_chunk(&mut self, by: i64) {
        self.offset = self.offset.saturating_add_signed(by);
    }

    fn enter_next_chunk(&mut self) -> Option<()> {
        let chunk = self.chunk.map_or(0, |chunk| chunk + 1);
        let begins = |run: usize| self.chunks.get(run).map(|run| run.first);
        while begins(self.chunk_run + 1)
            .is_some_and(|first| usize::try_from(first).is_ok_and(|first| chunk + 1 >= first))
        {
            self.chunk_run += 1;
        }
        self.left_in_chunk = self.chunks.get(self.chunk_run)?.samples;
        self.offset = self.offsets.get(chunk)?;
        self.chunk = Some(chunk);
        (self.left_in_chunk > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_sizes_are_unpacked() {
        let body = |bits: u8, count: u8, sizes: &[u8]| [&[0, 0, 0, 0, 0, 0, 0, bits, 0, 0, 0, count], sizes].concat();
        for (bits, count, packed, sizes) in [
            (4, 3, &[0x12, 0x30][..], Some(vec![1, 2, 3])),
            (8, 2, &[7, 255], Some(vec![7, 255])),
            (16, 2, &[1, 0, 0, 9], Some(vec![256, 9])),
            (16, 2, &[1, 0, 0], None),
            (32, 1, &[0, 0, 0, 1], None),
        ] {
            assert_eq!(compact_sizes(&body(bits, count, packed)), sizes, "{bits}");
        }
        assert_eq!(compact_sizes(&[0; 11]), None);
    }
}
