//! Schedules as text, and back.

use std::fmt;
use std::str::FromStr;

use super::{DAY, Schedule, Window};

/// Windows of one schedule: more than anybody has in mind at once.
pub const MAX_WINDOWS: usize = 32;
const MAX_TEXT: usize = 1_024;
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
pub(super) const EVERY_DAY: u8 = 0x7F;
const WEEKDAYS: u8 = 0x1F;
const WEEKEND: u8 = 0x60;

/// Why a text is no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Nothing there.
    #[error("it says no time")]
    Empty,
    /// Not a day.
    #[error(
        "days are mon, tue, wed, thu, fri, sat, sun, as \"mon-fri\" or \"sat,sun\", or daily, weekdays, weekends"
    )]
    Day,
    /// Not a time.
    #[error("times are written as \"20:00-07:00\", with hours of 00 to 24 and two digits each")]
    Time,
    /// From and to are the same.
    #[error("it begins and ends at the same minute; the whole day is \"00:00-24:00\"")]
    NoLength,
    /// Too long.
    #[error("it has more than {MAX_WINDOWS} windows")]
    TooMany,
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    /// Windows with semicolons between, each `DAYS`, `TIMES` or `DAYS TIMES`; several times have commas between.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        if text.len() > MAX_TEXT {
            return Err(ScheduleError::TooMany);
        }
        let mut windows = Vec::new();
        for part in text.split(';') {
            one(part, &mut windows)?;
        }
        Self::of(windows)
    }
}

impl Schedule {
    /// All windows of several schedules.
    pub fn union(all: impl IntoIterator<Item = Self>) -> Result<Self, ScheduleError> {
        Self::of(all.into_iter().flat_map(|schedule| schedule.windows).collect())
    }

    fn of(mut windows: Vec<Window>) -> Result<Self, ScheduleError> {
        windows.sort_unstable();
        windows.dedup();
        match windows.len() {
            0 => Err(ScheduleError::Empty),
            1..=MAX_WINDOWS => Ok(Self { windows }),
            _ => Err(ScheduleError::TooMany),
        }
    }
}

fn one(part: &str, windows: &mut Vec<Window>) -> Result<(), ScheduleError> {
    let mut words = part.split_ascii_whitespace();
    let (first, second) = (words.next().ok_or(ScheduleError::Empty)?, words.next());
    if words.next().is_some() {
        return Err(ScheduleError::Time);
    }
    let begins_with_time = first.starts_with(|c: char| c.is_ascii_digit());
    let (days, times) = match second {
        Some(times) => (days(first)?, Some(times)),
        None if begins_with_time => (EVERY_DAY, Some(first)),
        None => (days(first)?, None),
    };
    for range in times.unwrap_or("00:00-24:00").split(',') {
        let (from, to) = range.split_once('-').ok_or(ScheduleError::Time)?;
        let (from, to) = (time(from)?, time(to)?);
        if from == to {
            return Err(ScheduleError::NoLength);
        }
        if from == DAY {
            return Err(ScheduleError::Time);
        }
        windows.push(Window { days, from, to });
        if windows.len() > MAX_WINDOWS {
            return Err(ScheduleError::TooMany);
        }
    }
    Ok(())
}

fn days(text: &str) -> Result<u8, ScheduleError> {
    match text {
        "daily" => return Ok(EVERY_DAY),
        "weekdays" => return Ok(WEEKDAYS),
        "weekends" => return Ok(WEEKEND),
        _ => {}
    }
    text.split(',').try_fold(0, |days, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let count = (last + 7 - first) % 7;
        Ok((0..=count).fold(days, |days, more| days | 1 << ((first + more) % 7)))
    })
}

fn day(text: &str) -> Result<usize, ScheduleError> {
    DAYS.iter().position(|day| *day == text).ok_or(ScheduleError::Day)
}

fn time(text: &str) -> Result<u16, ScheduleError> {
    let number = |text: &str| {
        let is_two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_two).ok_or(ScheduleError::Time)
    };
    let (hours, minutes) = text.split_once(':').ok_or(ScheduleError::Time)?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let whole = hours * 60 + minutes;
    if minutes < 60 && whole <= DAY { Ok(whole) } else { Err(ScheduleError::Time) }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, window) in self.windows.iter().enumerate() {
            let gap = if index > 0 { "; " } else { "" };
            let (from, to) = (clock(window.from), clock(window.to));
            write!(f, "{gap}{} {from}-{to}", days_text(window.days))?;
        }
        Ok(())
    }
}

fn days_text(days: u8) -> String {
    if days == EVERY_DAY {
        return "daily".to_owned();
    }
    let part = |(first, last): (usize, usize)| match last - first {
        0 => DAYS[first].to_owned(),
        _ => format!("{}-{}", DAYS[first], DAYS[last]),
    };
    runs(days).into_iter().map(part).collect::<Vec<_>>().join(",")
}

/// Runs of neighbouring days, first and last of each.
pub(super) fn runs(days: u8) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for day in (0..7).filter(|day| days >> day & 1 == 1) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == day => *last = day,
            _ => runs.push((day, day)),
        }
    }
    runs
}

/// `07:30`
pub(super) fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;
    fn try_from(text: String) -> Result<Self, ScheduleError> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}
