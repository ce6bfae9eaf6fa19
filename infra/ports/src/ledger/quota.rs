//! A number of units that many may take from, and that is never exceeded.
//!
//! The units lie in up to [`SHARDS`] entries of the ledger, each of which is written conditionally: a store that allows one
//! write a second of an entry, as Cloud Storage does, so allows many. Who takes begins at any of the entries and goes through
//! all of them before it says that there are no more.
//!
//! What was taken is only known to be taken: who dies between taking and using has used it. So the limit is never exceeded,
//! and can be missed by what was lost.

use super::{Entry, Ledger, State, Version, Written, entry};
use crate::{Error, ErrorKind, Result};
use std::time::Duration;

/// Entries of one quota, at most.
const SHARDS: u64 = 16;
/// How often one call goes through the entries that others were writing.
const MAX_PASSES: u32 = 64;

/// A number of units to be taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The same for everybody who takes from it; a day's quota has the day in it.
    pub name: String,
    /// The number of units.
    pub most: u64,
    /// How many are usually taken at a time. What remains at the end and is less than this may not be found.
    pub quantum: u64,
    /// How long the entries are kept after the last change.
    pub keep: Duration,
}

/// The result of [`Ledger::take`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "without the units, there is no right to what they are for"]
pub enum Taken {
    /// The units belong to the caller.
    Yes,
    /// There are not so many left, and none was taken.
    TooFew,
}

impl Quota {
    /// The units of each entry: multiples of the quantum, and what remains in the first.
    fn shares(&self) -> Vec<u64> {
        let quantum = self.quantum.max(1);
        let quanta = self.most / quantum;
        let shards = quanta.clamp(1, SHARDS);
        let share = |shard| (quanta / shards + u64::from(shard < quanta % shards)) * quantum;
        let rest = self.most - quanta * quantum;
        (0..shards).map(|shard| share(shard) + if shard == 0 { rest } else { 0 }).collect()
    }
}

impl Ledger {
    /// Takes `units` of the quota, all or none.
    ///
    /// # Errors
    ///
    /// When the store fails. Some units may then have been taken for nothing.
    pub async fn take(&self, quota: &Quota, units: u64) -> Result<Taken> {
        let shares = quota.shares();
        let start = fastrand::usize(..shares.len());
        let mut unknown: Vec<usize> = (start..shares.len()).chain(0..start).collect();
        let mut got = vec![0; shares.len()];
        let missing = |got: &[u64]| units - got.iter().sum::<u64>();
        for _ in 0..MAX_PASSES {
            let mut contended = Vec::new();
            for shard in unknown {
                let wanted = missing(&got);
                if wanted == 0 {
                    return Ok(Taken::Yes);
                }
                match self.take_of(quota, shard, shares[shard], wanted).await? {
                    Some(taken) => got[shard] += taken,
                    None => contended.push(shard),
                }
            }
            unknown = contended;
            if missing(&got) == 0 {
                return Ok(Taken::Yes);
            }
            if unknown.is_empty() {
                self.put_back(quota, &got).await?;
                return Ok(Taken::TooFew);
            }
        }
        Err(busy(quota))
    }

    /// Gives `units` back that were taken and not used.
    pub async fn give_back(&self, quota: &Quota, units: u64) -> Result<()> {
        let shares = quota.shares();
        let mut left = units;
        for shard in 0..shares.len() {
            if left == 0 {
                break;
            }
            left -= self.lower(quota, shard, |used| used - used.min(left)).await?;
        }
        Ok(())
    }

    async fn put_back(&self, quota: &Quota, got: &[u64]) -> Result<()> {
        for (shard, units) in got.iter().enumerate().filter(|(_, units)| **units > 0) {
            self.lower(quota, shard, |used| used.saturating_sub(*units)).await?;
        }
        Ok(())
    }

    /// Takes as many of `wanted` units as this entry has. `None` if somebody else wrote it in the meantime.
    async fn take_of(&self, quota: &Quota, shard: usize, portion: u64, wanted: u64) -> Result<Option<u64>> {
        let there = self.store.read(&work(quota, shard)).await?;
        let used = used(there.as_ref());
        let taken = portion.saturating_sub(used).min(wanted);
        if taken == 0 {
            return Ok(Some(0));
        }
        let written = self.write_used(quota, shard, there.as_ref(), used + taken).await;
        match written {
            Ok(Written::Mine(_)) => Ok(Some(taken)),
            Ok(Written::Other(_)) => Ok(None),
            // It is written too often: another entry may have some left.
            Err(error) if error.kind() == ErrorKind::Busy => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lowers what is used of an entry. Returns by how much.
    async fn lower(&self, quota: &Quota, shard: usize, to: impl Fn(u64) -> u64) -> Result<u64> {
        for _ in 0..MAX_PASSES {
            let there = self.store.read(&work(quota, shard)).await?;
            let before = used(there.as_ref());
            let after = to(before);
            if after >= before {
                return Ok(0);
            }
            if let Written::Mine(_) = self.write_used(quota, shard, there.as_ref(), after).await? {
                return Ok(before - after);
            }
        }
        Err(busy(quota))
    }

    async fn write_used(
        &self,
        quota: &Quota,
        shard: usize,
        there: Option<&(Entry, Version)>,
        used: u64,
    ) -> Result<Written> {
        let now = self.clock.now();
        let next = Entry {
            state: State::Working,
            attempts: 0,
            until: now,
            job: Some(used.to_string()),
            reason: None,
            keep_until: entry::after(now, quota.keep),
            write: entry::unique(),
        };
        self.write(&work(quota, shard), there.map(|(_, version)| version), &next).await
    }
}

fn work(quota: &Quota, shard: usize) -> String {
    format!("{}/{shard}", quota.name)
}

fn used(there: Option<&(Entry, Version)>) -> u64 {
    there.and_then(|(entry, _)| entry.job.as_deref()?.parse().ok()).unwrap_or(0)
}

fn busy(quota: &Quota) -> Error {
    Error::new(ErrorKind::Busy, "take from", &quota.name).because("its entries are contended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_all_units_and_each_but_the_rest_can_be_used_up() {
        for (most, quantum) in [(0, 1), (1, 1), (20, 1), (1000, 7), (5, 9), (20_000, 1000), (u64::MAX, 3)] {
            let quota = Quota { name: "q".to_owned(), most, quantum, keep: Duration::ZERO };
            let shares = quota.shares();
            assert_eq!(shares.iter().sum::<u64>(), most);
            assert!(shares.len() <= 16 && shares[1..].iter().all(|share| share % quantum == 0));
        }
    }
}
