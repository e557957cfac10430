//! Time as the service counts it: Unix seconds at the start, then boot time, so that a clock that is set by years while
//! it runs ends no lease.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Time since a start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    wall: u64,
    begin: u64,
}

fn boot() -> u64 {
    // A kernel without this clock is one that we do not run on.
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Clock {
    pub(super) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Self { wall, begin: boot() }
    }

    /// Milliseconds since the start.
    pub(super) fn milliseconds(&self) -> u64 {
        boot().saturating_sub(self.begin)
    }

    /// Seconds that leases are counted in.
    pub(super) fn seconds(&self) -> u64 {
        self.wall + self.milliseconds() / 1000
    }
}
