//! Time as leases count it: it goes on by itself while the machine runs, and never goes back. Pure.
//!
//! The wall clock is asked for one thing only, how long the machine was off, and is believed only as far as that can be: a
//! board without a battery starts in 1970, one with a wrong clock years ahead. So a clock that is off by years, or is set
//! by years while the service runs, ends no lease that its client still counts on, and makes none last longer than its
//! client was told. What people are shown is counted back to the wall clock.

use serde::{Deserialize, Serialize};

/// Seconds that a machine may have been off by its clock's word. One that says more was off for an unknown time, or is
/// wrong: leases then have as long to go as they had before.
pub const PLAUSIBLE: u64 = 30 * 86_400;

/// Two clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Version of this form.
    pub version: u32,
    /// Seconds that leases are counted in.
    pub seconds: u64,
    /// What the other clock showed: Unix seconds, or milliseconds since the machine was started.
    pub shown: u64,
}

impl Mark {
    /// The version of this form.
    pub const VERSION: u32 = 1;
}

/// The time at a start of the service, in seconds that leases are counted in.
///
/// `boot` is a mark of this same run of the machine with the milliseconds since then, `wall` one from before with what
/// the wall clock shows now. `newest` is the latest time in any record: what was written then was true then.
pub fn at_start(boot: Option<(Mark, u64)>, wall: (Option<Mark>, u64), newest: u64) -> u64 {
    if let Some((mark, now)) = boot
        && let Some(passed) = now.checked_sub(mark.shown)
    {
        return mark.seconds.saturating_add(passed / 1000).max(newest);
    }
    let (mark, now) = wall;
    let newest = newest.max(mark.map_or(0, |mark| mark.seconds));
    // Without a mark the records are counted as the wall clock counts.
    let (seconds, shown) = mark.map_or((newest, newest), |mark| (mark.seconds, mark.shown));
    if newest == 0 {
        return now;
    }
    let by_wall = now.checked_sub(shown).and_then(|passed| seconds.checked_add(passed));
    by_wall.filter(|time| (newest..=newest.saturating_add(PLAUSIBLE)).contains(time)).unwrap_or(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DECADE: u64 = 315_576_000;

    fn mark(seconds: u64, shown: u64) -> Mark {
        Mark { version: Mark::VERSION, seconds, shown }
    }

    #[test]
    fn a_service_that_starts_again_goes_on_whatever_the_clock_shows() {
        let boot = Some((mark(NOW, 5000), 65_999));
        for wall in [0, NOW - DECADE, NOW + DECADE] {
            assert_eq!(at_start(boot, (Some(mark(NOW, NOW)), wall), NOW - 5), NOW + 60);
        }
        // A mark of another run of the machine that was not taken away.
        assert_eq!(at_start(Some((mark(NOW, 5000), 10)), (Some(mark(NOW, NOW)), NOW + 7), 0), NOW + 7);
    }

    #[test]
    fn after_a_reboot_the_clock_counts_as_far_as_it_can_be() {
        let from = |wall| at_start(None, (Some(mark(NOW, NOW)), wall), NOW - 100);
        assert_eq!(from(NOW + 3600), NOW + 3600, "off for an hour");
        assert_eq!(from(NOW + PLAUSIBLE), NOW + PLAUSIBLE);
        for wrong in [0, NOW - DECADE, NOW - 1, NOW + PLAUSIBLE + 1, NOW + DECADE, u64::MAX] {
            assert_eq!(from(wrong), NOW, "{wrong}");
        }
        // A clock that was years off while the service ran, and still is.
        let skewed = |wall| at_start(None, (Some(mark(NOW, NOW - DECADE)), wall), NOW);
        assert_eq!(skewed(NOW - DECADE + 60), NOW + 60);
        assert_eq!(skewed(NOW + 60), NOW, "put right while the machine was off");
    }

    #[test]
    fn without_a_mark_records_speak() {
        assert_eq!(at_start(None, (None, NOW), 0), NOW, "the first start");
        assert_eq!(at_start(None, (None, 0), 0), 0, "the first start in 1970");
        assert_eq!(at_start(None, (None, NOW + 60), NOW), NOW + 60);
        assert_eq!(at_start(None, (None, NOW + DECADE), NOW), NOW);
        assert_eq!(at_start(None, (None, 17), NOW), NOW);
        // They were written in 1970, and the clock was put right later.
        assert_eq!(at_start(None, (None, NOW), 400), 400);
        // A record that is younger than the mark of the last hour.
        assert_eq!(at_start(None, (Some(mark(NOW, NOW)), 17), NOW + 900), NOW + 900);
        assert_eq!(at_start(None, (Some(mark(NOW, NOW)), NOW + 950), NOW + 900), NOW + 950);
    }
}
