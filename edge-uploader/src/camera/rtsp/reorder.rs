//! Restores the order of one UDP stream's packets. Does no I/O and has no clock.

use std::collections::BTreeMap;
use std::time::Duration;

/// Most packets that wait for a missing one.
const PACKETS_MAX: usize = 256;
/// Longest wait for a missing packet. Paths through one network differ by a few milliseconds, so a
/// later packet counts as lost.
const WAIT: Duration = Duration::from_millis(100);

/// Packets that arrived before a missing one.
#[derive(Debug, Default)]
pub(super) struct Reorder {
    /// The next sequence number, unwrapped like all numbers here.
    next: Option<u64>,
    /// The waiting packets with their arrivals.
    waiting: BTreeMap<u64, (Duration, Vec<u8>)>,
}

impl Reorder {
    /// Takes a packet, and passes those that are in order now to `out`.
    ///
    /// A sequence number far from the last one belongs to another sequence. The packet is passed on
    /// immediately, so that [`Sequence`](super::rtp::Sequence) can judge it.
    pub(super) fn push(&mut self, sequence: u16, packet: &[u8], now: Duration, mut out: impl FnMut(&[u8])) {
        let next = *self.next.get_or_insert(u64::from(sequence) + (1 << 16));
        let ahead = sequence.wrapping_sub((next & 0xffff) as u16);
        match ahead {
            0 => {
                out(packet);
                self.next = Some(next + 1);
                self.release(&mut out);
            }
            1..1024 => {
                self.waiting.entry(next + u64::from(ahead)).or_insert_with(|| (now, packet.to_vec()));
                if self.waiting.len() > PACKETS_MAX {
                    self.give_up(&mut out);
                }
            }
            // The packet is late, and its successors were passed on without it.
            0xfc00..=0xffff => {}
            _ => {
                while !self.waiting.is_empty() {
                    self.give_up(&mut out);
                }
                out(packet);
                self.next = Some(u64::from(sequence) + (1 << 16) + 1);
            }
        }
    }

    /// Returns when to call [`expire`](Self::expire); `None` while no packet waits.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.waiting.values().map(|(arrival, _)| *arrival).min().map(|arrival| arrival + WAIT)
    }

    /// Passes on packets that have waited long enough, without the missing ones.
    pub(super) fn expire(&mut self, now: Duration, mut out: impl FnMut(&[u8])) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.give_up(&mut out);
        }
    }

    /// Passes on the first waiting packet and those in order after it.
    fn give_up(&mut self, out: &mut impl FnMut(&[u8])) {
        if let Some((first, _)) = self.waiting.first_key_value() {
            self.next = Some(*first);
            self.release(out);
        }
    }

    fn release(&mut self, out: &mut impl FnMut(&[u8])) {
        while let Some(next) = self.next
            && let Some((_, packet)) = self.waiting.remove(&next)
        {
            out(&packet);
            self.next = Some(next + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the output for packets that arrive one after the other, a millisecond apart.
    fn order(numbers: &[u16]) -> Vec<u16> {
        let mut reorder = Reorder::default();
        let mut out = Vec::new();
        let mut take = |packet: &[u8]| out.push(u16::from_be_bytes([packet[0], packet[1]]));
        for (n, number) in (0..).zip(numbers) {
            let now = Duration::from_millis(n);
            reorder.expire(now, &mut take);
            reorder.push(*number, &number.to_be_bytes(), now, &mut take);
        }
        reorder.expire(Duration::from_hours(1), &mut take);
        out
    }

    #[test]
    fn late_packets_take_their_places() {
        assert_eq!(order(&[65_534, 0, 65_535, 2, 3, 1, 4]), [65_534, 65_535, 0, 1, 2, 3, 4]);
        assert_eq!(order(&[1, 2, 2, 1, 3]), [1, 2, 3]);
        // Packet 3 never arrives; packet 2 arrives after the wait.
        let late: Vec<u16> = [1, 4].into_iter().chain(5..150).chain([2, 150]).collect();
        let expected: Vec<u16> = [1].into_iter().chain(4..=150).collect();
        assert_eq!(order(&late), expected);
        // A completely different sequence.
        assert_eq!(order(&[1, 3, 30_000, 30_002, 30_001]), [1, 3, 30_000, 30_001, 30_002]);
    }

    #[test]
    fn what_waits_is_bounded_in_packets_and_time() {
        let mut reorder = Reorder::default();
        reorder.push(0, b"", Duration::ZERO, |_| {});
        assert_eq!(reorder.deadline(), None);
        for number in 2..=1000 {
            reorder.push(number, b"", Duration::ZERO, |_| {});
            assert!(reorder.waiting.len() <= PACKETS_MAX);
        }
        let mut reorder = Reorder::default();
        for number in [0, 2] {
            reorder.push(number, b"", Duration::from_secs(5), |_| {});
        }
        assert_eq!(reorder.deadline(), Some(Duration::from_secs(5) + WAIT));
        let mut out = 0;
        reorder.expire(Duration::from_secs(5) + WAIT, |_| out += 1);
        assert_eq!((out, reorder.deadline()), (1, None));
    }

    proptest! {
        #[test]
        fn neighbours_that_changed_places_are_put_back(
            start in any::<u16>(),
            swaps in proptest::collection::vec(0..98_usize, 0..60),
        ) {
            let mut numbers: Vec<u16> = (0..100).map(|n| start.wrapping_add(n)).collect();
            let expected = numbers.clone();
            // The first packet is where the sequence begins.
            for at in swaps {
                if at > 0 {
                    numbers.swap(at, at + 1);
                }
            }
            prop_assert_eq!(order(&numbers), expected);
        }

        #[test]
        fn nothing_comes_twice_or_from_nowhere(numbers in proptest::collection::vec(0..300_u16, 0..300)) {
            let out = order(&numbers);
            prop_assert!(out.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(out.iter().all(|number| numbers.contains(number)));
        }
    }
}
