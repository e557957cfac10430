//! How often something may happen: `"50/second burst 200"`.

use std::fmt;
use std::str::FromStr;

/// So many in a time, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    /// How many, at least 1.
    pub count: u32,
    /// In which time.
    pub per: Unit,
    /// How many at once, at least 1.
    pub burst: u32,
}

/// The time of a [`Limit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

/// Not a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not so many in a second, minute or hour")]
pub struct NoLimit;

/// Most that a limit can say, of each number.
const MOST: u32 = 1_000_000;

impl Unit {
    /// Its seconds.
    pub fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }
}

impl Limit {
    /// Seconds after which who was stopped has the whole burst again.
    pub fn recovery(self) -> u32 {
        let seconds = u64::from(self.burst) * u64::from(self.per.seconds());
        u32::try_from(seconds.div_ceil(u64::from(self.count.max(1)))).unwrap_or(u32::MAX)
    }
}

impl FromStr for Limit {
    type Err = NoLimit;

    fn from_str(text: &str) -> Result<Self, NoLimit> {
        let number = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = is_plain.then(|| text.parse::<u32>().ok()).flatten();
            number.filter(|number| (1..=MOST).contains(number)).ok_or(NoLimit)
        };
        let (rate, burst) =
            text.split_once(" burst ").map_or((text, None), |(rate, burst)| (rate, Some(burst)));
        let (count, unit) = rate.split_once('/').ok_or(NoLimit)?;
        let count = number(count)?;
        let units = [Unit::Second, Unit::Minute, Unit::Hour];
        let per = units.into_iter().find(|one| one.as_str() == unit).ok_or(NoLimit)?;
        Ok(Self { count, per, burst: burst.map_or(Ok(count), number)? })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.as_str())?;
        if self.burst != self.count { write!(f, " burst {}", self.burst) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_written() {
        for text in ["50/second burst 200", "30/minute", "1/hour"] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
        assert_eq!("30/minute burst 60".parse::<Limit>().unwrap().recovery(), 120);
        for bad in
            ["", "5", "0/second", "+5/second", "5/second burst 0", "5/day", "5/second burst", "9999999/hour"]
        {
            assert_eq!(bad.parse::<Limit>(), Err(NoLimit), "{bad}");
        }
    }
}
