//! What time the cell goes by when it decides who has expired.
//!
//! The wall clock may be wrong by years: a board without a battery starts in 1970, somebody mistypes a date, a server
//! lies. So it is believed only while the kernel says that it is synchronised, or where it is near to what must be by what
//! was known before. Else time goes on from there by the clock that never jumps. So nobody expires by a jump, and who had
//! expired does not come back by one; and once the clock is right, what is decided is right.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Seconds that an unsynchronised clock may be ahead of what is known: set right by hand, in one run of the host.
const WEEK: i64 = 7 * 86_400;
/// The same over a reboot: the host was switched off meanwhile.
const YEAR: i64 = 366 * 86_400;
/// Between two writes of what is known. It is what may be forgotten by a host that has no battery for its clock.
const HOUR: Duration = Duration::from_secs(3600);

/// The clocks at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// Unix seconds by the wall clock.
    pub(crate) wall: i64,
    /// Since the host's start.
    pub(crate) boot: Duration,
    /// Which start that was.
    pub(crate) boot_id: String,
    /// Whether the kernel says that the wall clock is synchronised.
    pub(crate) synchronised: bool,
}

/// A moment whose time was known: content of `clock.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Anchor {
    /// Unix seconds.
    seconds: i64,
    /// The boot it belongs to.
    boot_id: String,
    /// Seconds since that boot.
    boot: u64,
}

impl Anchor {
    fn at(seconds: i64, reading: &Reading) -> Self {
        Self { seconds, boot_id: reading.boot_id.clone(), boot: reading.boot.as_secs() }
    }

    fn is_of(&self, reading: &Reading) -> bool {
        self.boot_id == reading.boot_id
    }

    /// What time it is at least.
    fn expected(&self, reading: &Reading) -> i64 {
        let boot = reading.boot.as_secs();
        let since = if self.is_of(reading) { boot.saturating_sub(self.boot) } else { boot };
        self.seconds.saturating_add_unsigned(since)
    }
}

/// What is known of the time.
#[derive(Debug)]
pub(crate) struct Time {
    anchor: Anchor,
    /// As on the disk: the time, and when it was written by the clock that never jumps.
    saved: Option<(i64, Duration)>,
}

impl Time {
    /// Takes up what an earlier run has written. `latest` stands in for it: there was a change then, by whatever clock.
    pub(crate) fn take_up(saved: Option<&[u8]>, latest: i64, reading: &Reading) -> Self {
        let saved: Option<Anchor> = saved.and_then(|bytes| serde_json::from_slice(bytes).ok());
        let seconds = match &saved {
            Some(anchor) => {
                let slack = if anchor.is_of(reading) { WEEK } else { YEAR };
                believed(anchor.expected(reading), slack, reading)
            }
            None if latest > 0 => believed(latest, YEAR, reading),
            None => reading.wall,
        };
        Self { anchor: Anchor::at(seconds, reading), saved: None }
    }

    /// Unix seconds.
    pub(crate) fn now(&self, reading: &Reading) -> i64 {
        believed(self.anchor.expected(reading), WEEK, reading)
    }

    /// Learns from a clock that is synchronised. What is to be written, when it is time to: `passed` says whether somebody
    /// has expired since this time, which must not be forgotten.
    pub(crate) fn learn(&mut self, reading: &Reading, passed: impl Fn(i64) -> bool) -> Option<Vec<u8>> {
        let now = self.now(reading);
        if reading.synchronised {
            self.anchor = Anchor::at(now, reading);
        }
        let is_due = self.saved.is_none_or(|(seconds, at)| {
            passed(seconds) || seconds > now || reading.boot.saturating_sub(at) >= HOUR
        });
        // Plain data always serialises.
        is_due.then(|| {
            self.saved = Some((now, reading.boot));
            serde_json::to_vec(&Anchor::at(now, reading)).unwrap_or_default()
        })
    }
}

/// The wall clock's time, where it can be.
fn believed(expected: i64, slack: i64, reading: &Reading) -> i64 {
    let can_be = (expected..=expected.saturating_add(slack)).contains(&reading.wall);
    if reading.synchronised || can_be { reading.wall } else { expected }
}

/// The time at early boot, when nothing is synchronised yet. `saved` is the content of `clock.json`.
pub fn at_boot(saved: Option<&[u8]>, latest: i64, wall: i64, boot: Duration, boot_id: &str) -> i64 {
    let reading = Reading { wall, boot, boot_id: boot_id.to_owned(), synchronised: false };
    Time::take_up(saved, latest, &reading).now(&reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DECADE: i64 = 10 * 365 * 86_400;

    fn reading(wall: i64, boot: u64, id: &str, synchronised: bool) -> Reading {
        Reading { wall, boot: Duration::from_secs(boot), boot_id: id.to_owned(), synchronised }
    }

    #[test]
    fn jumps_of_a_clock_that_nobody_vouches_for_are_not_believed() {
        let mut time = Time::take_up(None, 0, &reading(NOW, 100, "a", true));
        assert!(time.learn(&reading(NOW, 100, "a", true), |_| false).is_some());
        for jump in [DECADE, -DECADE, -NOW] {
            assert_eq!(time.now(&reading(NOW + jump, 160, "a", false)), NOW + 60);
        }
        // Each second back, for a day.
        assert_eq!(time.now(&reading(NOW - 86_400, 86_500, "a", false)), NOW + 86_400);
        assert_eq!(time.now(&reading(NOW + 3600, 160, "a", false)), NOW + 3600, "set by hand");
    }

    #[test]
    fn a_synchronised_clock_is_right_in_both_directions() {
        let mut time = Time::take_up(None, 0, &reading(NOW, 100, "a", true));
        for wall in [NOW + DECADE, NOW, 5, NOW] {
            let now = reading(wall, 200, "a", true);
            assert_eq!(time.now(&now), wall);
            time.learn(&now, |_| false);
        }
        // Its last word goes on without it.
        assert_eq!(time.now(&reading(0, 260, "a", false)), NOW + 60);
    }

    #[test]
    fn a_boot_without_a_battery_goes_on_where_it_was() {
        let mut time = Time::take_up(None, 0, &reading(NOW, 100, "a", true));
        let saved = time.learn(&reading(NOW, 100, "a", true), |_| false).unwrap();
        let now = |wall, boot, id| {
            let reading = reading(wall, boot, id, false);
            Time::take_up(Some(&saved), 0, &reading).now(&reading)
        };
        assert_eq!(now(0, 9, "b"), NOW + 9, "1970");
        assert_eq!(now(NOW + 90 * 86_400, 9, "b"), NOW + 90 * 86_400, "switched off for three months");
        assert_eq!(now(NOW + DECADE, 9, "b"), NOW + 9, "a decade ahead");
        assert_eq!(now(NOW + 90 * 86_400, 200, "a"), NOW + 100, "the agent alone was started again");
        assert_eq!(at_boot(Some(b"{"), NOW, 0, Duration::ZERO, "b"), NOW, "a damaged file");
    }

    #[test]
    fn what_must_not_be_forgotten_is_written() {
        let mut time = Time::take_up(None, 0, &reading(NOW, 0, "a", true));
        let mut writes =
            |wall, boot, passed: bool| time.learn(&reading(wall, boot, "a", true), |_| passed).is_some();
        assert!(writes(NOW, 0, false), "the first");
        assert!(!writes(NOW + 60, 60, false));
        assert!(writes(NOW + 120, 120, true), "somebody expired");
        assert!(!writes(NOW + 3600, 3600, false));
        assert!(writes(NOW + 3720, 3720, false), "an hour later");
        assert!(writes(NOW, 3800, false), "it was ahead");
    }
}
