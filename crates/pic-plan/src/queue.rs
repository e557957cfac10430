//! Which queues are made and removed, and what is said of those that cannot be.

use std::collections::BTreeMap;

use crate::diff;
use crate::plan::{Action, Step, Wave};
use crate::target::queue::{Fair, ObservedQueue, Queue};
use crate::target::{Observed, Targets};

/// Steps from the queues that there are to those that should be. What others have put in place stays.
pub fn steps(targets: &Targets, observed: &Observed) -> Vec<Step> {
    let is_there = |name: &str| targets.links.contains_key(name) || observed.host_links.contains_key(name);
    let mut steps = Vec::new();
    for (name, queue) in targets.queues.iter().filter(|(name, _)| is_there(name)) {
        let stays =
            |present: &ObservedQueue| matches!(present, ObservedQueue::Foreign(_)) || present.meets(queue);
        // With an interface that is made anew its queue goes.
        if diff::is_remade(name, targets, observed) || !observed.queues.get(name).is_some_and(stays) {
            let action = Action::QueueSet { interface: name.clone(), queue: *queue };
            steps.push(Step { wave: Wave::Open, action, why: setting(queue).to_owned() });
        }
    }
    for (name, present) in &observed.queues {
        if matches!(present, ObservedQueue::Ours { .. }) && !targets.queues.contains_key(name) {
            let action = Action::QueueRemove { interface: name.clone() };
            steps.push(Step { wave: Wave::Remove, action, why: "no longer wanted".to_owned() });
        }
    }
    steps
}

/// The setting that asks for a queue.
pub fn setting(queue: &Queue) -> &'static str {
    match queue.fair {
        Fair::Senders => "uplink.upload",
        Fair::Receivers => "uplink.download",
    }
}

/// What is not as the owner wants it, in words.
pub fn complaint(
    wanted: &BTreeMap<String, Queue>,
    observed: &BTreeMap<String, ObservedQueue>,
) -> Option<String> {
    let mut foreign = wanted.iter().filter_map(|(name, queue)| match observed.get(name)? {
        ObservedQueue::Foreign(words) => Some(format!(
            "{name} has a queue of its own ({words}), which is left alone; remove it (`tc qdisc del dev {name} root`) or drop {}",
            setting(queue)
        )),
        ObservedQueue::Ours { .. } => None,
    });
    foreign.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::compile;
    use crate::facts::UplinkFacts;
    use crate::memory;
    use crate::target::queue::Kind;

    const CELL: &str = "[cell]\nname = \"home\"\n[uplink]\nupload = \"40mbit\"\ndownload = \"200mbit\"\n\
        [[lan]]\nname = \"lan\"\ninterface = \"eth1\"\nipv4 = \"192.168.40.1/24\"\n";

    fn targets(text: &str) -> Targets {
        let desired = pic_model::config::parse(text).unwrap();
        let uplink = UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some([203, 0, 113, 7].into()),
            ipv6: None,
            routes6: false,
        };
        compile(Some(&desired), &crate::Facts { uplink: Some(uplink), ..memory::facts() })
    }

    fn host() -> Observed {
        let mut host = memory::fresh();
        host.host_links = ["eth0", "eth1"].map(|name| (name.to_owned(), Default::default())).into();
        host
    }

    #[test]
    fn each_line_has_its_queue_and_the_firewall_says_whose_a_packet_is() {
        let targets = targets(CELL);
        let said = |name: &str| targets.queues.get(name).map(|queue| (queue.rate.to_string(), queue.fair));
        assert_eq!(said("eth0"), Some(("40mbit".to_owned(), Fair::Senders)));
        assert_eq!(said("eth1"), Some(("200mbit".to_owned(), Fair::Receivers)));
        assert_eq!(said("pic0"), said("eth1"));
        assert_eq!(targets.queues.len(), 3);
        let chains: Vec<_> = targets.nft.unwrap().chains.into_iter().map(|chain| chain.name).collect();
        assert!(chains.iter().any(|name| name == "share") && chains.iter().any(|name| name == "share_own"));
    }

    #[test]
    fn nobody_pays_for_what_is_not_asked_for() {
        let plain = targets(&CELL.replace("upload", "# ").replace("download", "# "));
        assert!(plain.queues.is_empty());
        assert!(!plain.nft.unwrap().chains.iter().any(|chain| chain.name.starts_with("share")));
        let only = targets(&CELL.replace("download", "# "));
        assert_eq!(only.queues.keys().collect::<Vec<_>>(), ["eth0"]);
    }

    #[test]
    fn what_is_wrong_is_made_anew_and_what_is_anothers_is_left_and_told() {
        let targets = targets(CELL);
        let ours = |rate: &str| ObservedQueue::Ours {
            kind: Kind::Htb,
            rate: Some(rate.parse().unwrap()),
            fair: None,
        };
        let mut host = host();
        host.queues = [
            ("eth0".to_owned(), ObservedQueue::Foreign("fq 8001:".to_owned())),
            ("eth1".to_owned(), ours("100mbit")),
            ("pic0".to_owned(), ours("200mbit")),
            ("eth7".to_owned(), ours("200mbit")),
            ("eth8".to_owned(), ObservedQueue::Foreign("fq 8002:".to_owned())),
        ]
        .into();
        let actions: Vec<_> = steps(&targets, &host).into_iter().map(|step| step.action).collect();
        assert_eq!(
            actions,
            [
                Action::QueueSet { interface: "eth1".to_owned(), queue: targets.queues["eth1"] },
                Action::QueueRemove { interface: "eth7".to_owned() },
            ]
        );
        let words = complaint(&targets.queues, &host.queues).unwrap();
        assert!(words.starts_with("eth0 has a queue of its own (fq 8001:)"), "{words}");
        assert!(words.ends_with("or drop uplink.upload"), "{words}");
        // Where there is no interface there is nothing to do about its queue.
        host.host_links.clear();
        assert_eq!(steps(&targets, &host).len(), 1);
    }

    #[test]
    fn a_host_gets_its_queues_and_loses_them_again() {
        let (targets, mut host) = (targets(CELL), host());
        for wanted in [&targets, &Targets::default()] {
            for step in diff::diff(wanted, &host) {
                memory::act(&mut host, &step.action).unwrap();
            }
            assert_eq!(host.queues.len(), wanted.queues.len());
        }
    }
}
