//! Finds the end of a recording without a duration, as in a live recording that was cut off.

use super::CLUSTER;
use super::ebml;
use crate::window::{Need, Stop, Window};
use framepost_media::be::array;
use framepost_media::ebml::{children, unsigned};

/// Bytes at the end of a file that are searched for its last cluster.
const TAIL_BYTES: u64 = 112 * 1024;

/// Returns the end of the last block in the file's end, in nanoseconds. Returns `None`
/// if no cluster begins there.
pub(super) fn end_ns(window: &Window, scale_ns: u64, frame_ns: u64) -> Result<Option<u64>, Stop> {
    let size = window.size();
    let Some((tail_at, tail)) = window.tail() else { return Err(Stop::Need(Need::Tail { most: TAIL_BYTES })) };
    let marker = CLUSTER.to_be_bytes();
    let found = tail.windows(4).enumerate().rev().filter(|(_, id)| *id == marker).find_map(|(at, _)| {
        let element = ebml::at(window, tail_at + at as u64).ok()??;
        // A cluster that is still being written may be larger than the data.
        let end = element.end.unwrap_or(size).min(size);
        last_block(window.peek(element.body, end.checked_sub(element.body)?)?)
    });
    Ok(found.and_then(|ticks| ticks.checked_mul(scale_ns)?.checked_add(frame_ns)))
}

/// Returns the latest time of a cluster's blocks, in ticks.
fn last_block(cluster: &[u8]) -> Option<u64> {
    const TIMESTAMP: u32 = 0xe7;
    const SIMPLE_BLOCK: u32 = 0xa3;
    const BLOCK_GROUP: u32 = 0xa0;
    const BLOCK: u32 = 0xa1;
    // Only a checksum may precede the timestamp. Otherwise the bytes resemble a cluster by chance.
    let (_, base) = children(cluster).take(2).find(|(id, _)| *id == TIMESTAMP)?;
    let base = unsigned(base)?;
    let block_time = |block: &[u8]| {
        let track_len = block.first()?.leading_zeros() as usize + 1;
        let offset = i16::from_be_bytes(array(block, track_len)?);
        base.checked_add_signed(offset.into())
    };
    let times = children(cluster).filter_map(|(id, body)| match id {
        SIMPLE_BLOCK => block_time(body),
        BLOCK_GROUP => children(body).find(|(id, _)| *id == BLOCK).and_then(|(_, block)| block_time(block)),
        _ => None,
    });
    Some(times.max().unwrap_or(base))
}
