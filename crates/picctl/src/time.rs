//! Times as people write and read them. The only place that looks at the clock.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

/// `90s`, `5m`, `2h`, `7d`, `4w`, or a plain number of seconds; as seconds.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err("write it as 90s, 5m, 2h, 7d or 4w".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write it as 90s, 5m, 2h, 7d or 4w".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "this is too long".to_owned())
}

/// A moment in the future, RFC 3339: from `7d`, `2027-01-01` (its first second, UTC) or a full time.
pub(crate) fn expiry(text: &str) -> Result<String, String> {
    moment(text, Timestamp::now())
}

fn moment(text: &str, now: Timestamp) -> Result<String, String> {
    let hint = || "write it as 7d, 2027-01-01 or 2027-01-01T12:00:00Z".to_owned();
    let at = if let Ok(at) = text.parse::<Timestamp>() {
        at
    } else if let Ok(date) = text.parse::<civil::Date>() {
        date.to_zoned(TimeZone::UTC).map_err(|_| hint())?.timestamp()
    } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Of seconds, by duration's rule; whoever writes 7 means days.
        return Err(format!("which unit? {}", hint()));
    } else {
        let seconds = duration(text).map_err(|_| hint())?;
        let ahead = i64::try_from(seconds).map(SignedDuration::from_secs).map_err(|_| hint())?;
        now.checked_add(ahead).map_err(|_| "this is too far away".to_owned())?
    };
    if at <= now {
        return Err("this is in the past".to_owned());
    }
    Timestamp::from_second(at.as_second()).map(|at| at.to_string()).map_err(|_| hint())
}

/// The time of day some seconds from now, in the zone of this host.
pub(crate) fn clock_in(seconds: u64) -> String {
    let ahead = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    match Timestamp::now().checked_add(ahead) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string(),
        Err(_) => "never".to_owned(),
    }
}

/// `12 s ago`, `5 min ago`, `3 d ago` of an RFC 3339 time; the text itself when it is none.
pub(crate) fn ago(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => spoken(Timestamp::now().as_second() - at.as_second()) + " ago",
        Err(_) => text.to_owned(),
    }
}

/// `12 s`, `5 min`, `3 d` until an RFC 3339 time; the text itself when it is none.
pub(crate) fn until(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => spoken(at.as_second() - Timestamp::now().as_second()),
        Err(_) => text.to_owned(),
    }
}

/// Seconds in the largest unit that fits.
pub(crate) fn spoken(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..=119 => format!("{s} s"),
        s @ 120..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("90s"), Ok(90));
        assert_eq!(duration("90"), Ok(90));
        assert_eq!(duration("2w"), Ok(1_209_600));
        for bad in ["", "s", "-1s", "1y", "1.5h", "99999999999999999999", "9999999999999999w", "7 d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments() {
        let now: Timestamp = "2026-11-22T14:00:00.5Z".parse().unwrap();
        assert_eq!(moment("7d", now).as_deref(), Ok("2026-11-29T14:00:00Z"));
        assert_eq!(moment("2027-01-01", now).as_deref(), Ok("2027-01-01T00:00:00Z"));
        assert_eq!(moment("2027-01-01T01:00:00+01:00", now).as_deref(), Ok("2027-01-01T00:00:00Z"));
        assert!(moment("2020-01-01", now).unwrap_err().contains("past"));
        assert!(moment("soon", now).is_err());
        assert!(moment("7", now).unwrap_err().contains("7d"));
        assert!(moment("9223372036854775807s", now).is_err());
    }

    #[test]
    fn words() {
        assert_eq!(spoken(119), "119 s");
        assert_eq!(spoken(600), "10 min");
        assert_eq!(spoken(-5), "0 s");
        assert_eq!(ago("whenever"), "whenever");
    }
}
