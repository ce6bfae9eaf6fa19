//! Blocks and their lacing (RFC 9559 §10.3).

use framepost_media::ebml::{self, number, unsigned};

/// A block of one track.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) track: u64,
    /// Time relative to the cluster's, in units of the segment.
    pub(super) relative: i16,
    /// Duration in units of the segment, if the block has one.
    pub(super) duration: Option<u64>,
    /// The frames: one, or several if the block uses lacing.
    pub(super) frames: Vec<Vec<u8>>,
}

/// Returns track, relative time and flags at the start of a block, and what follows them.
fn head(body: &[u8]) -> Option<(u64, i16, u8, &[u8])> {
    let (track, length) = number(body)?;
    let [high, low, flags, data @ ..] = body.get(length..)? else { return None };
    Some((track?, i16::from_be_bytes([*high, *low]), *flags, data))
}

/// Returns track and relative time of the block that `body` begins with.
pub(super) fn track_and_time(body: &[u8]) -> Option<(u64, i16)> {
    head(body).map(|(track, relative, ..)| (track, relative))
}

/// Reads a `SimpleBlock`, or the `Block` of a group.
pub(super) fn read(body: &[u8]) -> Option<Block> {
    let (track, relative, flags, data) = head(body)?;
    let frames = match flags >> 1 & 3 {
        0 => vec![data.to_vec()],
        lacing => laced(lacing, data)?,
    };
    Some(Block { track, relative, duration: None, frames })
}

/// Reads a `BlockGroup` (RFC 9559 §5.1.3.5); `None` if it has no readable block.
pub(super) fn read_group(body: &[u8]) -> Option<Block> {
    let duration = ebml::child(body, 0x9b).and_then(unsigned);
    Some(Block { duration, ..read(ebml::child(body, 0xa1)?)? })
}

fn laced(lacing: u8, data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (count, mut rest) = data.split_first()?;
    let count = usize::from(*count) + 1;
    let mut sizes = Vec::with_capacity(count);
    match lacing {
        // Xiph lacing: each size except the last is a sum of bytes that ends with one other than 255.
        1 => {
            for _ in 1..count {
                let mut size = 0_usize;
                loop {
                    let (byte, after) = rest.split_first()?;
                    rest = after;
                    size += usize::from(*byte);
                    if *byte != 255 {
                        break;
                    }
                }
                sizes.push(size);
            }
        }
        // Fixed-size lacing.
        2 => sizes.resize(count - 1, (rest.len() % count == 0).then_some(rest.len() / count)?),
        // EBML lacing: the first size, then the difference of each size to the one before.
        _ => {
            let mut size = 0_i64;
            for n in 1..count {
                let (value, length) = number(rest)?;
                let value = i64::try_from(value?).ok()?;
                // The difference is stored with a bias: half of the range of its length.
                let bias = if n == 1 { 0 } else { (1_i64 << (7 * length - 1)) - 1 };
                size = size.checked_add(value - bias)?;
                rest = &rest[length..];
                sizes.push(usize::try_from(size).ok()?);
            }
        }
    }
    let mut frames = Vec::with_capacity(count);
    for size in sizes {
        let (frame, after) = rest.split_at_checked(size)?;
        frames.push(frame.to_vec());
        rest = after;
    }
    frames.push(rest.to_vec());
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(flags: u8, data: &[u8]) -> Option<Vec<usize>> {
        let block = read(&[&[0x81, 0, 5, flags], data].concat())?;
        assert_eq!((block.track, block.relative), (1, 5));
        Some(block.frames.iter().map(Vec::len).collect())
    }

    #[test]
    fn frames_are_laced_in_three_ways() {
        assert_eq!(frames(0, &[7; 9]), Some(vec![9]));
        let xiph = [&[2, 255, 1, 3][..], &[0; 256 + 3 + 4]].concat();
        assert_eq!(frames(2, &xiph), Some(vec![256, 3, 4]));
        assert_eq!(frames(4, &[&[2][..], &[0; 9]].concat()), Some(vec![3, 3, 3]));
        assert_eq!(frames(4, &[&[2][..], &[0; 8]].concat()), None);
        // The example of RFC 9559 §10.3.3: 800, 500, 1000.
        let ebml = [&[2, 0x43, 0x20, 0x5e, 0xd3][..], &[0; 2300]].concat();
        assert_eq!(frames(6, &ebml), Some(vec![800, 500, 1000]));
        assert_eq!(frames(6, &ebml[..1000]), None);
    }

    proptest! {
        #[test]
        fn anything_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for block in [read(&bytes), read_group(&bytes)].into_iter().flatten() {
                prop_assert!(block.frames.iter().map(Vec::len).sum::<usize>() <= bytes.len());
            }
        }
    }
}
