//! Plans converge, are idempotent, undo each other, and never pass a state that opens what both ends close.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use pic_model::Desired;
use pic_model::config::parse;
use pic_model::exit::provider::{Provider, read};
use pic_model::key::PublicKey;
use pic_plan::compile::compile;
use pic_plan::diff::diff;
use pic_plan::facts::{ExitFacts, Facts, UplinkFacts};
use pic_plan::plan::Wave;
use pic_plan::target::link::HostLink;
use pic_plan::{Observed, Targets, memory};
use proptest::prelude::*;

fn facts(kernel: bool) -> Facts {
    Facts {
        now: 1_000_000,
        kernel_wireguard: kernel,
        uplink: Some(UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some("203.0.113.5".parse().unwrap()),
            ipv6: None,
            routes6: false,
        }),
        resolvers: vec!["203.0.113.1".parse().unwrap()],
        advertised: ["eth0".parse().unwrap()].into(),
        chronyd: kernel,
        exits: ExitFacts {
            files: [("a.conf", "10.64.1.2"), ("b.conf", "10.64.9.2, fc00:bbbb::2")].map(provider).into(),
            ..ExitFacts::default()
        },
        ..pic_plan::memory::facts()
    }
}

fn provider((name, addresses): (&str, &str)) -> (String, Result<Provider, String>) {
    let text = format!(
        "[Interface]\nPrivateKey = ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ=\nAddress = {addresses}\n[Peer]\n\
         PublicKey = ZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWU=\nAllowedIPs = 0.0.0.0/0, ::/0\n\
         Endpoint = 192.0.2.7:51820\n"
    );
    (name.to_owned(), read(&text).map_err(|error| error.to_string()))
}

const LANS: [&str; 8] = [
    "",
    "[[lan]]\nname=\"lan\"\ninterface=\"eth1\"\nipv4=\"192.168.40.1/24\"\n[lan.dhcp]\npool=\"192.168.40.100-192.168.40.199\"\n",
    "[[lan]]\nname=\"lan\"\ninterface=\"eth1\"\nipv4=\"192.168.40.1/24\"\nipv6=\"off\"\n[[lan]]\nname=\"guests\"\ninterface=\"eth1\"\nvlan=20\nipv4=\"192.168.41.1/24\"\nallow=[\"internet\"]\n",
    "[[lan]]\nname=\"guests\"\ninterface=\"eth1\"\nvlan=21\nipv4=\"192.168.41.1/24\"\nallow=[]\n[uplink]\nupload=\"40mbit\"\ndownload=\"200mbit\"\n",
    "[[exit]]\nname=\"nl\"\nkind=\"wireguard\"\nfile=\"a.conf\"\n[[lan]]\nname=\"lan\"\ninterface=\"eth1\"\nipv4=\"192.168.40.1/24\"\nexit=\"nl\"\n",
    "[[exit]]\nname=\"nl\"\nkind=\"wireguard\"\nfile=\"b.conf\"\n[[exit]]\nname=\"us\"\nkind=\"wireguard\"\nfile=\"a.conf\"\nfail=\"open\"\n[[group]]\nname=\"g\"\nexit=[\"us\",\"nl\"]\n[[peer]]\nname=\"x\"\npublic_key=\"enp6enp6enp6enp6enp6enp6enp6enp6enp6enp6eno=\"\naddress=\"10.77.9.9\"\ngroups=[\"g\"]\n",
    "[[app]]\nname=\"torrent\"\n[[app]]\nname=\"files\"\n[[grant]]\nfrom=[\"torrent\"]\nto=[\"internet\"]\n",
    "[[exit]]\nname=\"nl\"\nkind=\"wireguard\"\nfile=\"a.conf\"\n[[app]]\nname=\"torrent\"\nexit=\"nl\"\n[[app]]\nname=\"files\"\nenabled=false\n",
];

fn desired(peers: &BTreeMap<u8, (bool, bool, bool)>, port: u16, closed: bool, v6: bool) -> Desired {
    with_lans(peers, port, closed, v6, "")
}

fn with_lans(
    peers: &BTreeMap<u8, (bool, bool, bool)>,
    port: u16,
    closed: bool,
    v6: bool,
    lans: &str,
) -> Desired {
    let mut text = format!(
        "[cell]\nname = \"home\"\n[wireguard]\nport = {port}\nipv6 = \"{}\"\n[firewall]\ninbound = \"{}\"\n",
        if v6 { "auto" } else { "off" },
        if closed { "closed" } else { "open" },
    );
    for (id, (enabled, internet, preshared)) in peers {
        let key = PublicKey::from_bytes([*id + 1; 32]);
        let allow = if *internet { "\"internet\", \"cell\"" } else { "\"cell\"" };
        text.push_str(&format!(
            "[[peer]]\nname = \"p{id}\"\npublic_key = \"{key}\"\naddress = \"10.77.1.{id}\"\nenabled = {enabled}\nallow = [{allow}]\npreshared = {preshared}\n"
        ));
    }
    parse(&(text + lans)).unwrap()
}

fn fresh() -> Observed {
    let mut host = memory::fresh();
    let foreign = HostLink { others: ["192.0.2.9/24".parse().unwrap()].into(), ..HostLink::default() };
    host.host_links = [("eth1".to_owned(), foreign), ("eth2".to_owned(), HostLink::default())].into();
    host
}

/// As the engine does it: looks again, as what a unit makes is there only then. How many steps it began with.
fn converge(world: &mut Observed, targets: &Targets) -> usize {
    let first = round(world, targets);
    for _ in 0..2 {
        round(world, targets);
    }
    first
}

fn round(world: &mut Observed, targets: &Targets) -> usize {
    let steps = diff(targets, world);
    for step in &steps {
        memory::act(world, &step.action).unwrap();
        // Forwarding is never on without the firewall and the blocking rules.
        let forwards =
            world.sysctls.iter().any(|(key, value)| key.to_string().contains("forward") && value == "1");
        // A LAN that joins gets its own rules one by one, before anything of it is opened.
        if forwards && targets.nft.is_some() && step.wave > Wave::Guard {
            assert!(world.nft.is_some(), "forwards without a firewall after {step:?}");
            assert!(world.rules.is_superset(&targets.rules), "forwards without its rules after {step:?}");
        }
    }
    steps.len()
}

prop_compose! {
    fn any_desired()(
        peers in proptest::collection::btree_map(2u8..60, (any::<bool>(), any::<bool>(), any::<bool>()), 0..6),
        port in 1000u16..1003, closed in any::<bool>(), v6 in any::<bool>(), lans in 0usize..LANS.len(),
    ) -> Desired {
        with_lans(&peers, port, closed, v6, LANS[lans])
    }
}

proptest! {
    #[test]
    fn converges_is_idempotent_and_undoes(states in proptest::collection::vec((any_desired(), any::<bool>()), 1..5)) {
        let mut world = fresh();
        for (state, kernel) in &states {
            let targets = compile(Some(state), &facts(*kernel));
            converge(&mut world, &targets);
            prop_assert_eq!(converge(&mut world, &targets), 0, "second apply must do nothing");
        }
        converge(&mut world, &Targets::default());
        prop_assert_eq!(diff(&Targets::default(), &world).len(), 0);
        prop_assert!(world.links.is_empty() && world.nft.is_none() && world.files.is_empty() && world.routes.is_empty());
        let addresses = |host: &Observed| host.host_links.values().map(|l| (l.ours.clone(), l.others.clone())).collect::<Vec<_>>();
        prop_assert_eq!(addresses(&world), addresses(&fresh()));
        prop_assert_eq!(&world.rules, &fresh().rules);
        prop_assert!(world.sysctls.values().all(|value| value == "0"));
    }

    #[test]
    fn stopping_anywhere_still_converges(a in any_desired(), b in any_desired(), at in 0usize..40, kernel in any::<bool>()) {
        let mut world = fresh();
        converge(&mut world, &compile(Some(&a), &facts(kernel)));
        let targets = compile(Some(&b), &facts(kernel));
        for step in diff(&targets, &world).iter().take(at) {
            memory::act(&mut world, &step.action).unwrap();
        }
        // The agent died there; whichever state it takes up, it gets there.
        let mut back = world.clone();
        converge(&mut world, &targets);
        prop_assert_eq!(converge(&mut world, &targets), 0);
        let targets = compile(Some(&a), &facts(kernel));
        converge(&mut back, &targets);
        prop_assert_eq!(converge(&mut back, &targets), 0);
    }
}

#[test]
fn a_peer_more_changes_elements_only() {
    let mut world = fresh();
    let one = BTreeMap::from([(2, (true, true, true))]);
    converge(&mut world, &compile(Some(&desired(&one, 1000, true, true)), &facts(true)));
    let two = BTreeMap::from([(2, (true, true, true)), (3, (true, false, true))]);
    let steps = diff(&compile(Some(&desired(&two, 1000, true, true)), &facts(true)), &world);
    let words: Vec<_> = steps.iter().map(|step| pic_plan::words::of(&step.action)).collect();
    insta::assert_debug_snapshot!(words);
}

#[test]
fn from_an_empty_host_what_blocks_comes_first() {
    let one = BTreeMap::from([(2, (true, true, true))]);
    let steps = diff(&compile(Some(&desired(&one, 1000, true, true)), &facts(true)), &fresh());
    let words: Vec<_> = steps
        .iter()
        .map(|step| format!("{:?}: {} ({})", step.wave, pic_plan::words::of(&step.action), step.why))
        .collect();
    insta::assert_debug_snapshot!(words);
    assert!(steps.windows(2).all(|pair| pair[0].wave <= pair[1].wave));
    assert!(steps.iter().any(|step| step.wave == Wave::Open));
}

#[test]
fn no_plan_prints_a_secret() {
    let one = BTreeMap::from([(2, (true, true, true))]);
    let facts = facts(true);
    let steps = diff(&compile(Some(&desired(&one, 1000, true, true)), &facts), &fresh());
    let text = format!("{steps:?}");
    let key = facts.private_key.expose_base64();
    assert!(!text.contains(key.as_str()));
}

#[test]
fn peers_with_global_addresses_get_their_answers() {
    let text = "[cell]\nname = \"home\"\n[wireguard]\nipv6 = \"2001:db8:5::/64\"\n";
    let table = compile(Some(&parse(text).unwrap()), &facts(true)).nft.unwrap();
    let rules = |name: &str| table.chains.iter().find(|chain| chain.name == name).unwrap().rules.clone();
    let hidden = rules("prerouting").into_iter().filter(|rule| rule.why.contains("not reachable"));
    for rule in hidden.filter(|rule| format!("{rule:?}").contains("2001:db8:5")) {
        assert!(
            format!("{rule:?}").contains("DestinationLocal"),
            "only the cell's own address is hidden: {rule:?}"
        );
    }
    assert!(
        !format!("{:?}", rules("postrouting")).contains("2001:db8:5"),
        "global addresses are not translated"
    );
}

#[test]
fn an_uplink_that_is_a_bridge_is_outside() {
    let mut facts = facts(true);
    facts.uplink.as_mut().unwrap().interface = "br-lan".parse().unwrap();
    let table = compile(Some(&desired(&BTreeMap::new(), 1000, true, true)), &facts).nft.unwrap();
    let input = &table.chains.iter().find(|chain| chain.name == "input").unwrap().rules;
    let place = |words: &str| input.iter().position(|rule| format!("{rule:?}").contains(words)).unwrap();
    assert!(place("br-lan") < place("br-*"));
}
