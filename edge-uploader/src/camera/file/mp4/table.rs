//! The sample tables of a movie without fragments, walked one sample at a time in their packed form.

use super::super::demux::Fault;
use super::boxes::Box4;
use re_mp4::{Co64Box, CttsBox, StcoBox, StscBox, StszBox, SttsBox};

/// Where one sample is and when it is decoded and shown, in units of its track.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) dts: i64,
    pub(super) pts: i64,
    pub(super) duration: u32,
    /// Which sample entry, from 1.
    pub(super) description: u32,
}

/// Chunk offsets, as wide as the file has them.
enum Offsets {
    Narrow(Vec<u32>),
    Wide(Vec<u64>),
}

impl Offsets {
    fn get(&self, chunk: usize) -> Option<u64> {
        match self {
            Self::Narrow(offsets) => offsets.get(chunk).map(|offset| u64::from(*offset)),
            Self::Wide(offsets) => offsets.get(chunk).copied(),
        }
    }
}

/// Sample sizes: one for all, or each its own.
enum Sizes {
    All { bytes: u32, count: u32 },
    Each(Vec<u32>),
}

impl Sizes {
    fn read(stbl: Box4<'_>) -> Result<Self, Fault> {
        if let Some(compact) = stbl.child(*b"stz2") {
            return compact_sizes(compact.body()).map(Self::Each).ok_or_else(|| Fault::new("the stz2 box is damaged"));
        }
        let sizes: StszBox = stbl.child(*b"stsz").ok_or_else(|| missing("stsz"))?.read()?;
        Ok(match sizes.sample_size {
            0 => Self::Each(sizes.sample_sizes),
            bytes => Self::All { bytes, count: sizes.sample_count },
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

/// The body of a `stz2` box (8.7.3.3): sizes of 4, 8 or 16 bits.
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

fn missing(kind: &str) -> Fault {
    Fault::new(format!("the sample table has no {kind} box"))
}

/// A run-length table with a place in it.
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

    /// The next value; the last one again after the end, as players do.
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

/// A walk over a track's samples.
pub(super) struct Table {
    sizes: Sizes,
    offsets: Offsets,
    chunks: StscBox,
    deltas: Runs<i32>,
    shifts: Runs<i32>,
    sample: u32,
    dts: i64,
    /// The current chunk, from 0; `None` before the first.
    chunk: Option<usize>,
    /// Which entry of `stsc` it belongs to.
    chunk_run: usize,
    left_in_chunk: u32,
    offset: u64,
}

impl Table {
    pub(super) fn read(stbl: Box4<'_>) -> Result<Self, Fault> {
        let sizes = Sizes::read(stbl)?;
        let chunks: StscBox = stbl.child(*b"stsc").ok_or_else(|| missing("stsc"))?.read()?;
        let deltas: SttsBox = stbl.child(*b"stts").ok_or_else(|| missing("stts"))?.read()?;
        let shifts: Option<CttsBox> = stbl.child(*b"ctts").map(Box4::read).transpose()?;
        let offsets = match (stbl.child(*b"stco"), stbl.child(*b"co64")) {
            (Some(stco), _) => Offsets::Narrow(stco.read::<StcoBox>()?.entries),
            (None, Some(co64)) => Offsets::Wide(co64.read::<Co64Box>()?.entries),
            (None, None) => return Err(missing("stco or co64")),
        };
        let shifts = shifts.map(|b| b.entries).unwrap_or_default();
        Ok(Self {
            sizes,
            offsets,
            chunks,
            // Unsigned they say, but a writer whose times went back has written what it computed; none stands for hours.
            deltas: Runs::new(deltas.entries.iter().map(|e| (e.sample_count, e.sample_delta.cast_signed())).collect()),
            shifts: Runs::new(shifts.iter().map(|e| (e.sample_count, e.sample_offset)).collect()),
            sample: 0,
            dts: 0,
            chunk: None,
            chunk_run: 0,
            left_in_chunk: 0,
            offset: 0,
        })
    }

    /// How many samples there are.
    pub(super) fn len(&self) -> u32 {
        self.sizes.len()
    }

    pub(super) fn next(&mut self) -> Result<Option<Sample>, Fault> {
        if self.sample >= self.len() {
            return Ok(None);
        }
        let damaged = |sample: u32| Fault::new(format!("the sample table ends before sample {sample}"));
        let size = self.sizes.get(self.sample).ok_or_else(|| damaged(self.sample))?;
        if self.left_in_chunk == 0 {
            self.enter_next_chunk().ok_or_else(|| damaged(self.sample))?;
        }
        let delta = self.deltas.step().ok_or_else(|| Fault::new("the sample table gives its frames no times"))?;
        let sample = Sample {
            offset: self.offset,
            size,
            dts: self.dts,
            pts: self.dts.saturating_add(self.shifts.step().unwrap_or(0).into()),
            duration: u32::try_from(delta).unwrap_or(0),
            description: self.chunks.entries.get(self.chunk_run).map_or(1, |e| e.sample_description_index),
        };
        self.offset = self.offset.saturating_add(size.into());
        self.left_in_chunk -= 1;
        self.sample += 1;
        self.dts = self.dts.saturating_add(delta.into());
        Ok(Some(sample))
    }

    fn enter_next_chunk(&mut self) -> Option<()> {
        let chunk = self.chunk.map_or(0, |chunk| chunk + 1);
        let begins = |run: usize| self.chunks.entries.get(run).map(|entry| entry.first_chunk);
        while begins(self.chunk_run + 1)
            .is_some_and(|first| usize::try_from(first).is_ok_and(|first| chunk + 1 >= first))
        {
            self.chunk_run += 1;
        }
        self.left_in_chunk = self.chunks.entries.get(self.chunk_run)?.samples_per_chunk;
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
