//! Whether somebody has set the host's clock. chronyd takes it for a clock that runs by itself: after a jump what it
//! knows of it is wrong, and it must measure afresh before it serves again.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Seconds. Less is how clocks are corrected all the time.
const JUMP: f64 = 0.2;

/// Where the clock stood against the one that never jumps.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    ahead: Option<f64>,
}

impl Watch {
    /// Looks at the clocks; whether the wall clock has jumped since the last look.
    pub(crate) fn has_jumped(&mut self) -> bool {
        let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default().as_secs_f64();
        self.look(read(ClockId::CLOCK_REALTIME) - read(ClockId::CLOCK_BOOTTIME))
    }

    fn look(&mut self, ahead: f64) -> bool {
        self.ahead.replace(ahead).is_some_and(|before| (ahead - before).abs() > JUMP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_and_half_seconds_are_jumps_and_corrections_are_not() {
        let mut watch = Watch::default();
        let decade = 315_576_000.0;
        assert!(!watch.look(decade), "the first look");
        assert!(!watch.look(decade + 0.05));
        assert!(watch.look(decade + 0.6));
        assert!(watch.look(2.0 * decade), "ahead");
        assert!(watch.look(0.0), "back");
        assert!(!watch.look(0.0));
    }
}
