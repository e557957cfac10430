//! When something holds: windows of a week on the clock of the wall.
//!
//! `"mon-fri 20:00-07:00"`, `"daily 08:00-20:00"`, `"sat,sun"`, `"20:00-07:00"`. Pure: a weekday and a minute come in. Which
//! they are at a moment is a matter of the time zone and of whoever has a clock. A window names what the clock shows, so
//! an hour that the clock skips is in no window, and one that it shows twice is in a window both times.

mod parse;
mod words;
mod zone;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use parse::{MAX_WINDOWS, ScheduleError};
pub use zone::{Period, period, week_minute, zone_name};

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;
/// Minutes of a week.
pub const WEEK: u16 = 7 * DAY;

/// A minute of the week, from Monday 00:00 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WeekMinute(u16);

impl WeekMinute {
    /// `weekday` from 0, Monday, to 6; `minute` of the day. `None` outside of that.
    pub fn new(weekday: u8, minute: u16) -> Option<Self> {
        (weekday < 7 && minute < DAY).then(|| Self(u16::from(weekday) * DAY + minute))
    }

    /// Minutes since Monday 00:00.
    pub fn minutes(self) -> u16 {
        self.0
    }

    /// That many minutes later.
    fn later(self, minutes: u16) -> Self {
        let whole = u32::from(self.0) + u32::from(minutes);
        Self(u16::try_from(whole % u32::from(WEEK)).unwrap_or(0))
    }
}

/// One window, on some days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Window {
    /// Days on which it begins, a bit each, Monday the lowest.
    days: u8,
    /// First minute of the day.
    from: u16,
    /// Minute at which it has ended; not after `from`: on the next day.
    to: u16,
}

impl Window {
    fn length(self) -> u16 {
        if self.to > self.from { self.to - self.from } else { DAY - self.from + self.to }
    }

    fn contains(self, at: WeekMinute) -> bool {
        (0..7).filter(|day| self.days >> day & 1 == 1).any(|day| {
            let since = (at.0 + WEEK - (day * DAY + self.from)) % WEEK;
            since < self.length()
        })
    }
}

/// Windows of a week; what is in one of them is in the schedule.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    windows: Vec<Window>,
}

impl Schedule {
    /// Whether it holds at that minute.
    pub fn contains(&self, at: WeekMinute) -> bool {
        self.windows.iter().any(|window| window.contains(at))
    }

    /// Minutes from `at` until it begins or ends; `None` when it always holds.
    pub fn next_change(&self, at: WeekMinute) -> Option<u16> {
        let now = self.contains(at);
        let edges = self.windows.iter().flat_map(|window| {
            let days = (0..7_u16).filter(|day| window.days >> day & 1 == 1);
            days.flat_map(|day| {
                let from = WeekMinute(day * DAY + window.from);
                [from, from.later(window.length())]
            })
        });
        let wait = |edge: WeekMinute| match (edge.0 + WEEK - at.0) % WEEK {
            0 => WEEK,
            minutes => minutes,
        };
        edges.filter(|edge| self.contains(*edge) != now).map(wait).min()
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod zone_tests;
