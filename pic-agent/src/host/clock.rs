//! Time: the wall clock for people, the boot clock for windows.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use pic_engine::Clock;

/// The host's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> i64 {
        now()
    }

    fn boot(&self) -> Duration {
        boot()
    }

    fn boot_id(&self) -> String {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        id.trim().to_owned()
    }
}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Time since boot, sleep included. The clock exists on every kernel since 2.6.39.
pub(crate) fn boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}
