//! How much of the internet a device may use in a day or month, and how fast: `"50GB/month"`, `"20mbit"`.

use std::fmt;
use std::str::FromStr;

/// So many bytes in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// In both ways together, at least 1 MB.
    pub bytes: u64,
    /// In which time.
    pub per: Span,
}

/// The time of a [`Quota`], on the clock of the cell's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the next.
    Month,
}

/// Bits in a second, in each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(u64);

/// Not a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this takes a number, a unit and /day or /month, as \"50GB/month\"")]
pub struct NoQuota;

/// Not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this takes a number and a unit, from 64kbit to 100gbit, as \"20mbit\"")]
pub struct NoRate;

/// Units by their bytes; of those that fit a number the last is written.
const SIZES: [(&str, u64); 6] = [
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];
/// Units by their bits.
const RATES: [(&str, u64); 3] = [("kbit", 1000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];
/// The slowest at which a page still opens, and more than any uplink has; the kernel takes no more than 147 gbit.
const SENSIBLE: std::ops::RangeInclusive<u64> = 64_000..=100_000_000_000;

/// A number with one of these units right behind it.
fn sized(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, (_, size)) = units.iter().find_map(|unit| Some((text.strip_suffix(unit.0)?, unit)))?;
    let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_plain.then(|| number.parse::<u64>().ok()).flatten()?;
    number.checked_mul(*size).filter(|all| *all > 0)
}

/// The same, written with the largest unit that fits.
fn written(all: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().filter(|(_, size)| all.is_multiple_of(*size));
    let (name, size) = fitting.max_by_key(|(_, size)| *size).unwrap_or(&("", 1));
    format!("{}{name}", all / size)
}

impl Span {
    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl Rate {
    /// So many whole bytes in a second, whatever their number.
    pub fn of_bytes(bytes: u64) -> Self {
        Self(bytes.saturating_mul(8))
    }

    /// Whole bytes in a second.
    pub fn bytes(self) -> u64 {
        self.0 / 8
    }
}

impl FromStr for Quota {
    type Err = NoQuota;

    fn from_str(text: &str) -> Result<Self, NoQuota> {
        let (size, span) = text.split_once('/').ok_or(NoQuota)?;
        let per = [Span::Day, Span::Month].into_iter().find(|one| one.as_str() == span).ok_or(NoQuota)?;
        Ok(Self { bytes: sized(size, &SIZES).ok_or(NoQuota)?, per })
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", written(self.bytes, &SIZES), self.per.as_str())
    }
}

impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        sized(text, &RATES).filter(|bits| SENSIBLE.contains(bits)).map(Self).ok_or(NoRate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(self.0, &RATES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_and_rates_are_read_and_written() {
        for text in ["50GB/month", "1500MB/day", "2TiB/month"] {
            assert_eq!(text.parse::<Quota>().unwrap().to_string(), text);
        }
        assert_eq!("1000MB/day".parse::<Quota>().unwrap().to_string(), "1GB/day");
        for text in ["20mbit", "64kbit", "1gbit", "1500kbit"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("20mbit".parse::<Rate>().unwrap().bytes(), 2_500_000);
        for bad in ["", "50GB", "0GB/day", "5/month", "-1GB/day", "99999999999TB/day", "5GB/week"] {
            assert_eq!(bad.parse::<Quota>(), Err(NoQuota), "{bad}");
        }
        for bad in ["", "20", "0mbit", "1kbit", "101gbit", "20 mbit", "20Mbit"] {
            assert_eq!(bad.parse::<Rate>(), Err(NoRate), "{bad}");
        }
    }
}
