//! A link with the rate of a recorded one. The trace is in mahimahi's format: each line is the millisecond at
//! which one packet of 1500 bytes may leave. An unused opportunity is lost. At its end the trace starts again.
//!
//! A tunnel can be laid over it ([`Link::with_tunnel`]): in it nothing leaves, nobody new gets through, and a connection that
//! was open in it never moves a byte again, as when a modem comes back with another address.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that one line of a trace lets through.
pub(super) const PACKET_BYTES: usize = 1500;

/// A link, shared by all connections through it.
#[derive(Debug)]
pub struct Link {
    opportunities_ms: Vec<u64>,
    period_ms: u64,
    tunnel: Option<Tunnel>,
    state: Mutex<State>,
}

/// When nothing leaves, counted from the link's start.
#[derive(Debug, Clone, Copy)]
struct Tunnel {
    from: Duration,
    to: Duration,
}

/// What became of bytes that were given to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// They are at the other end.
    Through,
    /// Their connection was in the tunnel.
    Lost,
}

#[derive(Debug)]
struct State {
    started: Instant,
    /// Number of opportunities that have passed or been used, over all rounds of the trace.
    used: u64,
}

impl Link {
    pub fn from_trace(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self::parse(&text).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()))
    }

    /// A link of an even rate, in bits a second.
    pub fn steady(bits_per_second: u64) -> Self {
        let packets_per_second = (bits_per_second / 8 / PACKET_BYTES as u64).max(1);
        let opportunities_ms: Vec<u64> = (1..=packets_per_second).map(|n| n * 1000 / packets_per_second).collect();
        Self::new(opportunities_ms, 1000)
    }

    fn parse(trace: &str) -> Result<Self, String> {
        let mut opportunities_ms: Vec<u64> = Vec::new();
        for line in trace.lines().filter(|line| !line.trim().is_empty()) {
            let at = line.trim().parse().map_err(|_| format!("{line:?} is not a millisecond"))?;
            if opportunities_ms.last().is_some_and(|last| *last > at) {
                return Err(format!("{at} comes after a later time"));
            }
            opportunities_ms.push(at);
        }
        let period_ms = *opportunities_ms.last().ok_or("no opportunities")?;
        if period_ms == 0 { Err("a trace of no length".to_owned()) } else { Ok(Self::new(opportunities_ms, period_ms)) }
    }

    fn new(opportunities_ms: Vec<u64>, period_ms: u64) -> Self {
        let state = Mutex::new(State { started: Instant::now(), used: 0 });
        Self { opportunities_ms, period_ms, tunnel: None, state }
    }

    /// The same link, through which nothing goes between `from` and `to` after its start.
    #[must_use]
    pub fn with_tunnel(mut self, from: Duration, to: Duration) -> Self {
        self.tunnel = Some(Tunnel { from, to });
        self
    }

    /// What could pass in the first `time` after the start, in bytes.
    pub fn capacity_bytes(&self, time: Duration) -> u64 {
        let end_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let usable = (0..).map(|n| self.at_ms(n)).take_while(|at_ms| *at_ms < end_ms);
        let open = |at_ms: &u64| self.tunnel.is_none_or(|tunnel| !tunnel.holds(Duration::from_millis(*at_ms)));
        usable.filter(open).count() as u64 * PACKET_BYTES as u64
    }

    /// When the tunnel ends, if there is one, after the start.
    pub fn tunnel_end(&self) -> Option<Duration> {
        Some(self.tunnel?.to)
    }

    fn elapsed(&self) -> Duration {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).started.elapsed()
    }

    /// How long the tunnel goes on, if the link is in it.
    pub(super) fn tunnel_left(&self) -> Option<Duration> {
        let tunnel = self.tunnel?;
        let now = self.elapsed();
        tunnel.holds(now).then(|| tunnel.to.saturating_sub(now))
    }

    /// Whether a connection that was there at `since` has been in the tunnel by now.
    pub(super) fn has_lost(&self, since: Instant) -> bool {
        let now = self.elapsed();
        let since = now.saturating_sub(since.elapsed());
        self.tunnel.is_some_and(|tunnel| since < tunnel.to && now >= tunnel.from)
    }

    /// Returns the time of opportunity `n`, in ms from the start.
    fn at_ms(&self, n: u64) -> u64 {
        let round = self.opportunities_ms.len() as u64;
        let place = usize::try_from(n % round).unwrap_or(0);
        (n / round) * self.period_ms + self.opportunities_ms[place]
    }

    /// Returns the time, in ms from the start, at which the last of `packets` packets that are
    /// ready at `now_ms` has left.
    fn book(&self, used: &mut u64, now_ms: u64, packets: u64) -> u64 {
        // Whole rounds that have passed are skipped together, the rest one by one.
        let round = self.opportunities_ms.len() as u64;
        *used = (*used).max((now_ms / self.period_ms).saturating_sub(1) * round);
        while self.at_ms(*used) < now_ms {
            *used += 1;
        }
        *used += packets;
        self.at_ms(*used - 1)
    }

    /// Waits until `bytes` of a connection that was there at `since` have had their turn: the one place where time itself is
    /// what is simulated.
    pub(super) fn pass(&self, bytes: usize, since: Instant) -> Passage {
        let packets = bytes.div_ceil(PACKET_BYTES) as u64;
        if packets == 0 {
            return Passage::Through;
        }
        if self.has_lost(since) {
            return Passage::Lost;
        }
        let (started, at_ms) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now_ms = u64::try_from(state.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let mut used = state.used;
            let at_ms = self.book(&mut used, now_ms, packets);
            state.used = used;
            (state.started, at_ms)
        };
        let left = Duration::from_millis(at_ms).saturating_sub(started.elapsed());
        std::thread::sleep(left);
        if self.has_lost(since) { Passage::Lost } else { Passage::Through }
    }
}

impl Tunnel {
    fn holds(self, at: Duration) -> bool {
        (self.from..self.to).contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_when_the_trace_says() {
        let link = Link::parse("0\n10\n10\n40\n").unwrap();
        let mut used = 0;
        assert_eq!(link.book(&mut used, 0, 1), 0);
        assert_eq!(link.book(&mut used, 0, 2), 10);
        assert_eq!(link.book(&mut used, 20, 1), 40);
        assert_eq!(link.book(&mut used, 40, 2), 50, "the second round");
        assert_eq!(link.book(&mut used, 1_000_000, 1), 1_000_000, "what was not used is lost");
        assert!(Link::parse("").is_err());
        assert!(Link::parse("3\n2\n").is_err());
        assert!(Link::parse("soon\n").is_err());
    }

    #[test]
    fn what_could_pass_leaves_out_the_tunnel() {
        let link = Link::parse("5\n10\n15\n20\n").unwrap();
        assert_eq!(link.capacity_bytes(Duration::from_millis(41)), 8 * 1500, "two rounds, and none at 45");
        let link = link.with_tunnel(Duration::from_millis(10), Duration::from_millis(30));
        assert_eq!(link.capacity_bytes(Duration::from_millis(41)), 4 * 1500, "5, 30, 35 and 40");
    }

    #[test]
    fn a_connection_that_was_in_the_tunnel_is_lost() {
        let began = Instant::now();
        let tunnel =
            |from, to| Link::steady(1_200_000).with_tunnel(Duration::from_millis(from), Duration::from_millis(to));
        let before = tunnel(3_600_000, 3_600_001);
        assert_eq!((before.pass(1500, began), before.tunnel_left()), (Passage::Through, None));
        let within = tunnel(0, 3_600_000);
        assert_eq!(within.pass(1500, began), Passage::Lost);
        assert!(within.tunnel_left().is_some());
    }

    #[test]
    fn a_steady_link_has_its_rate() {
        let link = Link::steady(1_200_000);
        let mut used = 0;
        assert_eq!(link.book(&mut used, 0, 100), 1000, "100 packets of 12 kbit in a second");
        assert_eq!(link.book(&mut used, 0, 50), 1500);
    }
}
