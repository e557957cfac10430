//! Queues against the real kernel; `tc` is the judge. Kernels with CAKE and without both do.

use crate::common;

use common::{in_namespace, run};
use pic_drivers::queue;
use pic_plan::plan::Action;
use pic_plan::target::queue::{Fair, Kind, ObservedQueue, Queue};

fn link() {
    run("ip link add eth0 type veth peer name far");
    run("ip link set eth0 up");
}

fn set(rate: &str, fair: Fair) -> Queue {
    let queue = Queue { rate: rate.parse().unwrap(), fair };
    queue::apply(&Action::QueueSet { interface: "eth0".to_owned(), queue }).unwrap();
    queue
}

fn remove() {
    queue::apply(&Action::QueueRemove { interface: "eth0".to_owned() }).unwrap();
}

#[test]
fn reads_back_what_it_makes_and_leaves_nothing() {
    in_namespace(|| {
        link();
        let before = run("tc qdisc show");
        for (rate, fair) in
            [("20mbit", Fair::Senders), ("64kbit", Fair::Receivers), ("100gbit", Fair::Senders)]
        {
            let queue = set(rate, fair);
            let observed = queue::observe().unwrap();
            assert!(observed["eth0"].meets(&queue), "{rate}: {observed:?}");
            let shown = run("tc -d qdisc show dev eth0");
            let ObservedQueue::Ours { kind, .. } = &observed["eth0"] else { panic!("{observed:?}") };
            match kind {
                Kind::Cake => assert!(shown.contains("cake 7700: root"), "{shown}"),
                Kind::Htb => {
                    assert!(shown.contains("htb 7700: root"), "{shown}");
                    let classes = run("tc class show dev eth0");
                    assert_eq!(classes.matches("parent 7700:1 ").count(), 256);
                    assert!(classes.contains("class htb 7700:1 root rate"), "{classes}");
                }
            }
        }
        remove();
        remove();
        assert_eq!(run("tc qdisc show"), before);
        assert!(queue::observe().unwrap().is_empty());
        run("ip link del eth0");
        remove();
    });
}

#[test]
fn what_somebody_has_broken_is_seen() {
    in_namespace(|| {
        link();
        let queue = set("20mbit", Fair::Receivers);
        if matches!(queue::observe().unwrap()["eth0"], ObservedQueue::Ours { kind: Kind::Cake, .. }) {
            run("tc qdisc change dev eth0 root cake bandwidth 5mbit");
        } else {
            run("tc class del dev eth0 classid 7700:107");
        }
        assert!(!queue::observe().unwrap()["eth0"].meets(&queue));
        set("20mbit", Fair::Receivers);
        assert!(queue::observe().unwrap()["eth0"].meets(&queue));
    });
}

#[test]
fn others_queues_are_left_alone() {
    in_namespace(|| {
        link();
        run("tc qdisc add dev eth0 root handle 1: tbf rate 1mbit burst 10k latency 50ms");
        let before = run("tc qdisc show");
        assert_eq!(queue::observe().unwrap()["eth0"], ObservedQueue::Foreign("tbf 1:".to_owned()));
        let queue = Queue { rate: "20mbit".parse().unwrap(), fair: Fair::Senders };
        let refused = queue::apply(&Action::QueueSet { interface: "eth0".to_owned(), queue });
        assert!(refused.unwrap_err().to_string().contains("a queue of its own"));
        remove();
        assert_eq!(run("tc qdisc show"), before);
    });
}
