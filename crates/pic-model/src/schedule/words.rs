//! Schedules in words.

use super::parse::{EVERY_DAY, clock, runs};
use super::{DAY, Schedule, Window};

const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Schedule {
    /// As one would say it: `Monday to Friday from 20:00 to 07:00 the next day`.
    pub fn words(&self) -> String {
        self.windows.iter().map(|window| window.words()).collect::<Vec<_>>().join("; ")
    }
}

impl Window {
    fn words(self) -> String {
        let days = match self.days {
            EVERY_DAY => "every day".to_owned(),
            days => listed(runs(days)),
        };
        match (self.from, self.to) {
            (0, DAY) => days,
            (from, DAY) => format!("{days} from {} to midnight", clock(from)),
            (from, 0) => format!("{days} from {} to midnight", clock(from)),
            (from, to) if to > from => format!("{days} from {} to {}", clock(from), clock(to)),
            (from, to) => format!("{days} from {} to {} the next day", clock(from), clock(to)),
        }
    }
}

fn listed(runs: Vec<(usize, usize)>) -> String {
    let mut parts = Vec::new();
    for (first, last) in runs {
        match last - first {
            0 => parts.push(NAMES[first].to_owned()),
            1 => parts.extend([NAMES[first].to_owned(), NAMES[last].to_owned()]),
            _ => parts.push(format!("{} to {}", NAMES[first], NAMES[last])),
        }
    }
    match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => parts.concat(),
    }
}
