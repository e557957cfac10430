use proptest::prelude::*;

use super::*;

fn at(day: &str, time: &str) -> WeekMinute {
    let day = parse::DAYS.iter().position(|known| *known == day).unwrap();
    let (hour, minute) = time.split_once(':').unwrap();
    let minute = hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap();
    WeekMinute::new(u8::try_from(day).unwrap(), minute).unwrap()
}

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap()
}

#[test]
fn school_nights() {
    let nights = schedule("mon-fri 20:00-07:00");
    for (day, time, inside) in [
        ("mon", "19:59", false),
        ("mon", "20:00", true),
        ("tue", "06:59", true),
        ("tue", "07:00", false),
        ("sat", "06:59", true),
        ("sat", "20:00", false),
        ("mon", "03:00", false),
    ] {
        assert_eq!(nights.contains(at(day, time)), inside, "{day} {time}");
    }
    assert_eq!(nights.next_change(at("mon", "12:00")), Some(8 * 60));
    assert_eq!(nights.next_change(at("fri", "20:00")), Some(11 * 60));
    assert_eq!(nights.next_change(at("sat", "07:00")), Some(2 * DAY + 13 * 60));
    assert_eq!(nights.words(), "Monday to Friday from 20:00 to 07:00 the next day");
}

#[test]
fn other_ways_to_say_it() {
    for (text, same, words) in [
        ("08:00-20:00", "daily 08:00-20:00", "every day from 08:00 to 20:00"),
        ("sat,sun", "sat-sun 00:00-24:00", "Saturday and Sunday"),
        ("weekends 10:00-24:00", "sat-sun 10:00-24:00", "Saturday and Sunday from 10:00 to midnight"),
        (
            "fri-mon 22:00-00:00",
            "mon,fri-sun 22:00-00:00",
            "Monday and Friday to Sunday from 22:00 to midnight",
        ),
        (
            "weekdays 07:00-08:00,12:30-13:30",
            "mon-fri 07:00-08:00; mon-fri 12:30-13:30",
            "Monday to Friday from 07:00 to 08:00; Monday to Friday from 12:30 to 13:30",
        ),
        ("sun 23:00-01:00; wed 1:00-02:00", "", ""),
    ] {
        match text.parse::<Schedule>() {
            Ok(schedule) => {
                assert_eq!((schedule.to_string().as_str(), schedule.words().as_str()), (same, words))
            }
            Err(error) => assert_eq!((error, same), (ScheduleError::Time, "")),
        }
    }
    assert_eq!(schedule("daily").next_change(at("wed", "12:00")), None);
    assert!(schedule("sun 23:00-01:00").contains(at("mon", "00:59")));
}

#[test]
fn what_is_no_schedule() {
    for (text, error) in [
        ("", ScheduleError::Empty),
        ("mon 08:00-09:00;", ScheduleError::Empty),
        ("someday 08:00-09:00", ScheduleError::Day),
        ("mon-", ScheduleError::Day),
        ("mon 08:00", ScheduleError::Time),
        ("mon 08:00-24:01", ScheduleError::Time),
        ("mon 24:00-08:00", ScheduleError::Time),
        ("mon 08:60-09:00", ScheduleError::Time),
        ("mon +8:00-09:00", ScheduleError::Time),
        ("mon 08:00 09:00", ScheduleError::Time),
        ("mon 08:00-08:00", ScheduleError::NoLength),
    ] {
        assert_eq!(text.parse::<Schedule>(), Err(error), "{text}");
    }
    assert_eq!("a".repeat(2_000).parse::<Schedule>(), Err(ScheduleError::TooMany));
    let many: Vec<_> = (0..33).map(|minute| format!("00:{minute:02}-12:00")).collect();
    assert_eq!(many.join(",").parse::<Schedule>(), Err(ScheduleError::TooMany));
}

pub(super) fn any_schedule() -> impl Strategy<Value = Schedule> {
    let window = (1..128_u8, 0..DAY, 0..=DAY)
        .prop_filter("has a length", |(_, from, to)| from != to)
        .prop_map(|(days, from, to)| Window { days, from, to });
    proptest::collection::vec(window, 1..6).prop_map(|mut windows| {
        windows.sort_unstable();
        windows.dedup();
        Schedule { windows }
    })
}

proptest! {
    #[test]
    fn text_says_the_same(schedule in any_schedule()) {
        prop_assert_eq!(schedule.to_string().parse::<Schedule>(), Ok(schedule.clone()));
        let json = serde_json::to_string(&schedule).unwrap();
        prop_assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
    }

    #[test]
    fn the_next_change_is_the_first(schedule in any_schedule(), start in 0..WEEK) {
        let start = WeekMinute(start);
        let now = schedule.contains(start);
        let first = (1..=WEEK).find(|wait| schedule.contains(start.later(*wait)) != now);
        prop_assert_eq!(schedule.next_change(start), first);
    }

    #[test]
    fn a_window_is_as_long_as_it_says(days in 1..128_u8, from in 0..DAY, to in 0..=DAY) {
        prop_assume!(from != to);
        let window = Window { days, from, to };
        let inside = (0..WEEK).filter(|minute| window.contains(WeekMinute(*minute))).count();
        let most = usize::from(window.length()) * days.count_ones() as usize;
        prop_assert!(inside <= most && inside >= usize::from(window.length()));
        if to > from {
            prop_assert_eq!(inside, most);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,60}") {
        if let Ok(schedule) = text.parse::<Schedule>() {
            prop_assert_eq!(schedule.to_string().parse::<Schedule>(), Ok(schedule));
        }
    }
}
