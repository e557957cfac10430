//! What time it is, and whether to believe it.
//!
//! A machine without a battery wakes up in 1970, and the servers that would tell it the time have names. So until this
//! machine's clock was once seen to agree with the trust anchor's own signature, signatures are checked but their
//! dates are not, except that none may have ended before [`FLOOR`]: nothing older than this release can be replayed.
//! From the first agreement on dates count, until the clock jumps.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// When the built-in trust anchors were checked: 2026-11-01. It was not earlier than this, whatever a clock says.
const FLOOR: u32 = 1_793_491_200;
/// Clocks are set by less than this in good health.
const JUMP: Duration = Duration::from_secs(86_400);

/// The clock of one validator.
#[derive(Debug)]
pub(super) struct Clock(Mutex<State>);

#[derive(Debug)]
struct State {
    agreed: bool,
    /// When the trust anchor's signature began and ends, where that does not fit the clock.
    doubt: Option<(u32, u32)>,
    last: Option<(u64, Instant)>,
}

/// A moment, and how strictly it is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// Seconds since 1970, as far as 32 bits go.
    pub(super) wall: u32,
    /// Dates of signatures are not judged by it.
    pub(super) lenient: bool,
}

/// How a period of validity relates to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Validity {
    Now,
    Over,
    NotYet,
}

impl Now {
    /// By serial number arithmetic, as RFC 4034 section 3.1.5 wants it.
    pub(super) fn within(self, inception: u32, expiration: u32) -> Validity {
        let is_over = |at: u32| is_before(expiration, at);
        if self.lenient {
            return if is_over(FLOOR) { Validity::Over } else { Validity::Now };
        }
        if is_over(self.wall) {
            Validity::Over
        } else if is_before(self.wall, inception) {
            Validity::NotYet
        } else {
            Validity::Now
        }
    }

    /// Seconds until `expiration`.
    pub(super) fn until(self, expiration: u32) -> u32 {
        if self.lenient { u32::MAX } else { expiration.wrapping_sub(self.wall) }
    }
}

fn is_before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 1 << 31
}

impl Clock {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { agreed: false, doubt: None, last: None }))
    }

    /// The moment, and whether the clock jumped since the last call: then nothing judged before counts any more.
    pub(super) fn read(&self) -> (Now, bool) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.read_as(wall, Instant::now())
    }

    fn read_as(&self, wall: u64, at: Instant) -> (Now, bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let jumped = state.last.is_some_and(|(before, then)| {
            let expected = before + at.saturating_duration_since(then).as_secs();
            wall.abs_diff(expected) > JUMP.as_secs()
        });
        state.last = Some((wall, at));
        if jumped {
            (state.agreed, state.doubt) = (false, None);
        }
        // The low 32 bits are what serial numbers compare.
        let [.., a, b, c, d] = wall.to_be_bytes();
        (Now { wall: u32::from_be_bytes([a, b, c, d]), lenient: state.doubt.is_some() }, jumped)
    }

    /// Takes note of the trust anchor's own signature, which was found right but for its dates. How to go on.
    pub(super) fn compare(&self, now: Now, inception: u32, expiration: u32) -> Now {
        let strict = Now { lenient: false, ..now };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if strict.within(inception, expiration) == Validity::Now {
            (state.agreed, state.doubt) = (true, None);
        } else if !state.agreed {
            state.doubt = Some((inception, expiration));
        }
        Now { lenient: state.doubt.is_some(), ..now }
    }

    /// The period that the trust anchor is signed for, where this machine's clock is outside it.
    pub(super) fn doubt(&self) -> Option<(u32, u32)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).doubt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u32 = 86_400;
    const TODAY: u32 = FLOOR + 30 * DAY;
    const PERIOD: (u32, u32) = (TODAY - 5 * DAY, TODAY + 5 * DAY);

    fn at(clock: &Clock, wall: u32, since: Instant, later: u64) -> (Now, bool) {
        clock.read_as(wall.into(), since + Duration::from_secs(later))
    }

    #[test]
    fn dates_count_from_the_first_agreement_until_the_next_jump() {
        let (clock, begin) = (Clock::new(), Instant::now());
        // 1970: everything seems to be not yet valid, and is judged without dates.
        let (now, _) = at(&clock, 100, begin, 0);
        let now = clock.compare(now, PERIOD.0, PERIOD.1);
        assert_eq!((now.lenient, now.within(PERIOD.0, PERIOD.1)), (true, Validity::Now));
        assert_eq!(now.within(FLOOR - 20 * DAY, FLOOR - DAY), Validity::Over, "older than this release");
        assert_eq!(clock.doubt(), Some(PERIOD));
        // The time is set: all is judged anew, and agrees.
        let (now, jumped) = at(&clock, TODAY, begin, 60);
        assert!(jumped && !now.lenient);
        assert!(!clock.compare(now, PERIOD.0, PERIOD.1).lenient);
        // From here on an old signature is an old signature, also the anchor's own.
        let (now, jumped) = at(&clock, TODAY + 6 * DAY, begin, 60 + u64::from(6 * DAY));
        assert!(!jumped);
        let now = clock.compare(now, PERIOD.0, PERIOD.1);
        assert_eq!((now.lenient, now.within(PERIOD.0, PERIOD.1)), (false, Validity::Over));
        assert_eq!(clock.doubt(), None);
        // Years ahead.
        let (now, jumped) = at(&clock, TODAY + 3_000 * DAY, begin, 120 + u64::from(6 * DAY));
        assert!(jumped && clock.compare(now, PERIOD.0, PERIOD.1).lenient);
    }

    #[test]
    fn numbers_go_round() {
        let now = Now { wall: 5, lenient: false };
        assert_eq!(now.within(u32::MAX - 5, 10), Validity::Now);
        assert_eq!(now.within(u32::MAX - 5, 4), Validity::Over);
        assert_eq!(now.within(6, 10), Validity::NotYet);
        assert_eq!(now.until(10), 5);
    }
}
