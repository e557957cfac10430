//! Events of a namespace in which someone else changes things.

use crate::common;

use std::time::Duration;

use common::{in_namespace, run};
use pic_drivers::watch::{self, Event};
use tokio::sync::mpsc::Receiver;

fn watched(test: impl AsyncFnOnce(Receiver<Event>, watch::Ear) + Send + 'static) {
    in_namespace(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (events, ear) = watch::start().unwrap();
            test(events, ear).await;
        });
    });
}

/// Waits for an event and returns those before it.
async fn until(events: &mut Receiver<Event>, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    let search = async {
        while let Some(event) = events.recv().await {
            if wanted(&event) {
                return;
            }
            seen.push(event);
        }
        panic!("the channel ended");
    };
    let found = tokio::time::timeout(Duration::from_secs(2), search).await;
    assert!(found.is_ok(), "only saw {seen:?}");
    seen
}

#[test]
fn interfaces_addresses_routes_and_rules() {
    watched(async |mut events, _ear| {
        let link = |event: &Event| *event == Event::Link { name: "pic0".into() };
        run("ip tuntap add dev pic0 mode tun");
        until(&mut events, link).await;
        run("ip link set pic0 up");
        run("ip addr add 10.9.0.1/24 dev pic0");
        until(&mut events, |event| *event == Event::Address).await;
        run("ip route add unreachable default table 7700 proto 77");
        until(&mut events, |event| *event == Event::Route { ours: true }).await;
        run("ip route add 192.0.2.0/24 dev pic0");
        until(&mut events, |event| *event == Event::Route { ours: false }).await;
        run("ip -6 rule add pref 7700 lookup 7700");
        until(&mut events, |event| *event == Event::Rule).await;
        run("ip rule flush");
        until(&mut events, |event| *event == Event::Rule).await;
        run("ip link del pic0");
        until(&mut events, link).await;
    });
}

#[test]
fn a_flushed_firewall_names_the_culprit() {
    watched(async |mut events, _ear| {
        run("nft add table inet pic");
        run("nft flush ruleset");
        until(&mut events, |event| *event == Event::Nft { foreign: true, process: "nft".into() }).await;
    });
}

#[test]
fn a_covered_ear_hears_nothing_and_then_again() {
    watched(async |mut events, ear| {
        let by_nft = |event: &Event| *event == Event::Nft { foreign: true, process: "nft".into() };
        let covered = ear.cover();
        run("nft add table inet pic");
        drop(covered);
        run("ip link add veth0 type veth peer name peer0");
        let link = |event: &Event| *event == Event::Link { name: "veth0".into() };
        let before = until(&mut events, link).await;
        assert!(!before.iter().any(by_nft), "{before:?}");
        run("nft delete table inet pic");
        until(&mut events, by_nft).await;
    });
}

#[test]
fn a_slow_reader_gets_less_but_never_nothing() {
    watched(async |mut events, _ear| {
        for n in 0..400 {
            run(&format!("ip link add veth{n} type veth peer name peer{n}"));
            tokio::task::yield_now().await;
        }
        let seen = until(&mut events, |event| *event == Event::Lost).await;
        assert!(seen.len() < 300, "{}", seen.len());
    });
}
