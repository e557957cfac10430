//! Whether a way that is asked again and again for a sign of life works: quick to find it dead, slow to trust it again.
//!
//! Pure: the times that come in are those of a clock that never jumps.

use std::time::Duration;

/// How long a way may be silent.
const SILENCE: Duration = Duration::from_millis(1_500);
/// The same until its first sign of life: a tunnel that was just made has to come up first.
const BEGIN: Duration = Duration::from_secs(6);
/// Signs of life in a row after which a way that was dead is trusted again.
const AGAIN: u32 = 6;
/// The same at the most, for one that keeps coming and going.
const AGAIN_MOST: u32 = 240;
/// One that dies sooner than this after it came back is coming and going.
const STEADY: Duration = Duration::from_secs(60);

/// What is known of one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Liveness {
    begin: Duration,
    alive: Option<bool>,
    /// When it became what it is.
    since: Duration,
    last: Option<Duration>,
    /// Signs of life in a row while it counts as dead.
    streak: u32,
    needed: u32,
}

impl Liveness {
    /// A way of which nothing is known yet; it counts as working.
    pub fn new(now: Duration) -> Self {
        Self { begin: now, alive: None, since: now, last: None, streak: 0, needed: AGAIN }
    }

    /// Takes what a look found: whether there was a sign of life since the look before.
    pub fn take(&mut self, now: Duration, sign: bool) {
        if sign {
            self.last = Some(now);
            self.streak += 1;
            let trusted = self.alive.is_none() || self.streak >= self.needed;
            if self.alive != Some(true) && trusted {
                (self.alive, self.since) = (Some(true), now);
            }
            return;
        }
        let (since, patience) = match self.last {
            Some(last) => (last, SILENCE),
            None => (self.begin, BEGIN),
        };
        if self.alive == Some(false) {
            self.streak = 0;
        } else if now.saturating_sub(since) >= patience {
            let brief = self.alive == Some(true) && now.saturating_sub(self.since) < STEADY;
            let was_dead_before = self.streak >= self.needed && self.needed > 0 && brief;
            self.needed = if was_dead_before { (self.needed * 2).min(AGAIN_MOST) } else { AGAIN };
            (self.alive, self.since, self.streak) = (Some(false), now, 0);
        }
    }

    /// Whether it works; unknown counts as working.
    pub fn works(&self) -> bool {
        self.alive != Some(false)
    }

    /// Whether there ever was a sign of life, or of none.
    pub fn known(&self) -> Option<bool> {
        self.alive
    }

    /// When it became what it is.
    pub fn since(&self) -> Duration {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks twice a second from `from` on; the moment at which the answer changes.
    fn changes(way: &mut Liveness, from: u64, sign: bool) -> Option<u64> {
        let before = way.works();
        (from..from + 300_000).step_by(500).find(|at| {
            way.take(Duration::from_millis(*at), sign);
            way.works() != before
        })
    }

    #[test]
    fn dead_within_three_seconds_and_trusted_only_after_some() {
        let mut way = Liveness::new(Duration::ZERO);
        assert!(way.works());
        way.take(Duration::from_millis(500), true);
        assert_eq!(way.known(), Some(true));
        assert_eq!(changes(&mut way, 1_000, false), Some(2_000));
        assert_eq!(changes(&mut way, 2_500, true), Some(5_000));
    }

    #[test]
    fn one_that_never_spoke_is_dead_a_little_later() {
        let mut way = Liveness::new(Duration::ZERO);
        assert_eq!(changes(&mut way, 500, false), Some(6_000));
    }

    #[test]
    fn whoever_comes_and_goes_is_trusted_later_each_time() {
        let mut way = Liveness::new(Duration::ZERO);
        way.take(Duration::ZERO, true);
        let (mut at, mut waits) = (500, Vec::new());
        for _ in 0..4 {
            let dead = changes(&mut way, at, false).unwrap();
            let back = changes(&mut way, dead + 500, true).unwrap();
            waits.push(back - dead);
            at = back + 500;
        }
        assert!(waits.is_sorted() && waits[0] < waits[3], "{waits:?}");
        // Single signs between silences are no way back.
        changes(&mut way, at, false).unwrap();
        for step in 0..200 {
            way.take(Duration::from_secs(1_000 + step), step % 3 == 0);
        }
        assert!(!way.works());
    }
}
