//! Lines that are shared fairly, as `/api/status` and the doctor tell of them.

use std::collections::BTreeMap;

use pic_api::status::{Check, Health3, Queue};
use pic_engine::Report;
use pic_plan::plan::Domain;
use pic_plan::target::queue::{self, Kind, ObservedQueue};

use super::doctor::{check, good};

const NAME: &str = "queues";

/// Every one that is wanted.
pub(super) fn queues(report: &Report) -> Vec<Queue> {
    let wanted = report.targets.as_ref().map(|targets| &targets.queues);
    wanted.into_iter().flatten().map(|(name, queue)| one(name, queue, &report.queues)).collect()
}

fn one(name: &str, queue: &queue::Queue, seen: &BTreeMap<String, ObservedQueue>) -> Queue {
    let kind = match seen.get(name).filter(|seen| seen.meets(queue)) {
        Some(ObservedQueue::Ours { kind: Kind::Cake, .. }) => "cake",
        Some(ObservedQueue::Ours { kind: Kind::Htb, .. }) => "htb",
        Some(ObservedQueue::Foreign(_)) | None => "none",
    };
    Queue { interface: name.to_owned(), rate: queue.rate.to_string(), kind: kind.to_owned() }
}

/// Nothing to say where no speed is named.
pub(super) fn check_queues(report: &Report) -> Option<Check> {
    let all = queues(report);
    if all.is_empty() {
        return None;
    }
    let wrong = report.domains.get(&Domain::Queue).map(|found| found.words.as_str());
    if let Some(words) = wrong.filter(|words| !words.is_empty()) {
        let fix = "see `tc qdisc`; without a queue of the cell's the line works, and whoever sends most has most of it";
        return Some(check(NAME, Health3::Degraded, words, fix));
    }
    let words: Vec<_> = all.iter().map(words).collect();
    Some(good(NAME, words.join("; ")))
}

fn words(queue: &Queue) -> String {
    let Queue { interface, rate, kind } = queue;
    match kind.as_str() {
        "cake" => format!("{interface} {rate} by CAKE"),
        "htb" => format!("{interface} {rate} by HTB, as the kernel has no CAKE"),
        _ => format!("{interface} {rate} not in force yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pic_plan::target::queue::Fair;

    #[test]
    fn what_is_in_force_is_told() {
        let queue = queue::Queue { rate: "40mbit".parse().unwrap(), fair: Fair::Senders };
        let ours = |kind, rate| ObservedQueue::Ours { kind, rate: Some(rate), fair: Some(Fair::Senders) };
        let said = |seen: Option<ObservedQueue>| {
            let seen = seen.into_iter().map(|seen| ("eth0".to_owned(), seen)).collect();
            words(&one("eth0", &queue, &seen))
        };
        assert_eq!(said(Some(ours(Kind::Cake, queue.rate))), "eth0 40mbit by CAKE");
        assert!(said(Some(ours(Kind::Htb, queue.rate))).contains("by HTB"));
        assert!(said(Some(ours(Kind::Cake, "1mbit".parse().unwrap()))).contains("not in force"));
        assert!(said(None).contains("not in force"));
    }
}
