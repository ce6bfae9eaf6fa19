//! Decides from the times of the surrounding frames whether damage cost pictures.
//!
//! Matroska has only presentation times, and blocks are in decoding order. With B-frames, the frame after the
//! damage is rarely the next one that is shown. The frames after damage therefore wait until all frames have
//! arrived that could fill a hole.

use super::super::demux::{Item, note};
use crate::camera::{FaultCost, SourceFault};
use std::collections::VecDeque;

/// Most frames that are decoded before a frame that is shown earlier (H.264 §A.3.1 and H.265 §A.4.1: the
/// decoded picture buffer holds 16 frames).
const REORDERED_MAX: usize = 16;
/// Number of frames after the damage whose times are compared. Later ones may still wait for others.
const BEHIND: usize = 4;

/// The times of the latest frames.
#[derive(Debug, Default)]
pub(super) struct Recent {
    times: VecDeque<i64>,
}

impl Recent {
    pub(super) fn see(&mut self, time: i64) {
        self.times.push_back(time);
        if self.times.len() > 2 * REORDERED_MAX {
            self.times.pop_front();
        }
    }

    /// Forgets the times, because a new time line begins.
    pub(super) fn clear(&mut self) {
        self.times.clear();
    }

    /// Called at damage between the frames so far and those to come, which have this `duration` if it is known.
    pub(super) fn damaged(&self, fault: SourceFault, duration: Option<u32>) -> Held {
        Held {
            fault,
            before: self.times.iter().copied().collect(),
            duration: duration.map(i64::from).filter(|duration| *duration > 0),
            behind: Vec::new(),
            items: VecDeque::new(),
        }
    }
}

/// Items read after damage, until the cost of the damage is known.
#[derive(Debug)]
pub(super) struct Held {
    fault: SourceFault,
    before: Vec<i64>,
    duration: Option<i64>,
    behind: Vec<i64>,
    items: VecDeque<Item>,
}

impl Held {
    pub(super) fn push(&mut self, item: Item) {
        self.items.push_back(item);
    }

    /// Adds the presentation time of a following video frame.
    pub(super) fn see(&mut self, time: i64) {
        self.behind.push(time);
    }

    /// Adds a further fault.
    pub(super) fn more(&mut self, fault: SourceFault) {
        let mut both = Some(self.fault.clone());
        note(&mut both, fault);
        self.fault = both.unwrap_or_else(|| self.fault.clone());
    }

    /// Returns whether all frames have arrived that could fill a hole.
    pub(super) fn is_decided(&self) -> bool {
        self.behind.len() >= BEHIND + REORDERED_MAX
    }

    /// Returns the fault with its cost, followed by the items read after it.
    pub(super) fn released(mut self) -> VecDeque<Item> {
        if self.fault.cost == FaultCost::Pictures && self.is_continuous() {
            self.fault.cost = FaultCost::NoPicture;
        }
        self.items.push_front(Item::Fault(self.fault));
        self.items
    }

    /// Returns whether the times are continuous, so that no frame can be missing.
    fn is_continuous(&self) -> bool {
        let Some(step) = self.duration.or_else(|| regular_step(&self.before)) else { return false };
        let near = self.behind.iter().take(BEHIND);
        let Some(until) = self.before.iter().chain(near).max() else { return false };
        let Some(from) = self.before.iter().rev().take(REORDERED_MAX).min() else { return false };
        let mut times: Vec<i64> = self.before.iter().chain(&self.behind).copied().collect();
        times.sort_unstable();
        let mut pairs = times.windows(2).filter(|pair| pair[0] >= *from && pair[1] <= *until);
        pairs.all(|pair| pair[1] - pair[0] <= step + step / 2)
    }
}

/// Returns the usual step between frames in presentation order, if there is one.
fn regular_step(times: &[i64]) -> Option<i64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let mut steps: Vec<i64> = sorted.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable();
    let median = *steps.get(steps.len() / 2)?;
    // The frames decoded last may still have holes between them.
    let regular = steps.iter().filter(|step| **step <= median + median / 2).count();
    (median > 0 && regular * 4 >= steps.len() * 3).then_some(median)
}

#[cfg(test)]
mod tests {
    use super::*;
    use FaultCost::{NoPicture, Pictures};

    /// Returns frames of 40 units in decoding order, two B-frames after each P-frame.
    fn decoded(count: i64) -> Vec<i64> {
        let group = |n: i64| [3 * n + 3, 3 * n + 1, 3 * n + 2].map(|frame| 40 * frame);
        std::iter::once(0).chain((0..count).flat_map(group)).collect()
    }

    fn cost(before: &[i64], behind: &[i64], duration: Option<u32>) -> FaultCost {
        let mut recent = Recent::default();
        for time in before {
            recent.see(*time);
        }
        let fault = SourceFault { cost: Pictures, detail: String::new(), bytes: None };
        let mut held = recent.damaged(fault, duration);
        for time in behind {
            if !held.is_decided() {
                held.see(*time);
            }
        }
        let Some(Item::Fault(fault)) = held.released().pop_front() else { panic!("the fault comes first") };
        fault.cost
    }

    #[test]
    fn each_lost_frame_is_noticed() {
        let all = decoded(20);
        for at in 20..40 {
            for duration in [Some(40), None] {
                let (before, behind) = all.split_at(at);
                assert_eq!(cost(before, behind, duration), NoPicture, "{at}");
                for lost in 1..5 {
                    assert_eq!(cost(before, &behind[lost..], duration), Pictures, "{lost} at {at}");
                }
            }
        }
    }

    #[test]
    fn what_nothing_can_be_told_of_has_cost_pictures() {
        assert_eq!(cost(&[], &[0, 40, 80], Some(40)), Pictures);
        assert_eq!(cost(&[0, 7, 300, 301, 900, 2000], &[2040, 2080], None), Pictures);
    }
}
