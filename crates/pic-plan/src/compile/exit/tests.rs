use std::net::IpAddr;

use pic_model::config::parse;
use pic_model::exit::provider;
use pic_model::reach::{Host, Target};
use pic_model::snapshot::tor::transparent_port;

use super::*;
use crate::compile::{Network, compile};
use crate::diff::diff;
use crate::facts::UplinkFacts;
use crate::memory;
use crate::plan::Action;
use crate::reach::{Verdict, walk, ways};

const CELL: &str = r#"
[cell]
name = "home"
[[exit]]
name = "nl"
kind = "wireguard"
file = "nl.conf"
[[exit]]
name = "us"
kind = "wireguard"
file = "us.conf"
[[group]]
name = "kids"
exit = ["us"]
[[peer]]
name = "tv"
public_key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
exit = ["nl", "us"]
[[peer]]
name = "phone"
public_key = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="
[[peer]]
name = "tablet"
public_key = "Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2M="
groups = ["kids"]
[[lan]]
name = "guest"
interface = "eth1"
ipv4 = "192.168.41.1/24"
exit = "us"
"#;

fn file(addresses: &str) -> Provider {
    let text = format!(
        "[Interface]\nPrivateKey = ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ=\nAddress = {addresses}\n[Peer]\n\
         PublicKey = ZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWU=\nAllowedIPs = 0.0.0.0/0, ::/0\n\
         Endpoint = nl.example.org:51820\n"
    );
    provider::read(&text).unwrap()
}

fn facts(down: &[&str]) -> Facts {
    let mut facts = Facts {
        kernel_wireguard: false,
        uplink: Some(UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some([203, 0, 113, 9].into()),
            ipv6: Some("2001:db8:1::9".parse().unwrap()),
            routes6: true,
        }),
        ..crate::memory::facts()
    };
    facts.exits.files.insert("nl.conf".into(), Ok(file("10.64.1.2, fc00:bbbb::2")));
    facts.exits.files.insert("us.conf".into(), Ok(file("10.64.9.2")));
    facts.exits.down = down.iter().map(|name| name.parse().unwrap()).collect();
    facts
}

/// By which interface a host's packets to the internet leave, one per family; `None` where they do not.
fn leaves(cell: &str, facts: &Facts, from: &str) -> Vec<Option<String>> {
    let desired = parse(cell).unwrap();
    let targets = compile(Some(&desired), facts);
    let to: Target = "internet:443".parse().unwrap();
    let from: Host = from.parse().unwrap();
    let by = |interface: &str| match targets.exits.get(interface) {
        Some(exit) => exit.clone(),
        None => interface.to_owned(),
    };
    let one = |packet| {
        let trace = walk(&targets, facts, packet);
        let words = trace.steps.iter().find(|step| step.place == "routing").map(|step| step.words.clone());
        let words = words.filter(|_| trace.verdict == Verdict::Allowed)?;
        let interface =
            words.split(['(', ' ', ',']).find(|word| word.starts_with("pic") || *word == "eth0")?;
        Some(by(interface))
    };
    ways(&desired, facts, &targets, &from, &to).unwrap().iter().map(|way| one(&way.packet)).collect()
}

fn some(exit: &str) -> Option<String> {
    Some(exit.to_owned())
}

#[test]
fn everybody_leaves_by_the_first_exit_that_works_in_both_families_or_not_at_all() {
    let all = facts(&[]);
    assert_eq!(leaves(CELL, &all, "tv"), [some("nl"), some("nl")]);
    assert_eq!(leaves(CELL, &all, "phone"), [some("eth0"), some("eth0")]);
    // Its exit has no v6 address: v6 is stopped, not sent another way.
    assert_eq!(leaves(CELL, &all, "tablet"), [some("us"), None]);
    assert_eq!(leaves(CELL, &all, "guest"), [some("us"), None]);
    assert_eq!(leaves(CELL, &facts(&["nl"]), "tv"), [some("us"), None]);
    let open = CELL.replace("file = \"us.conf\"", "file = \"us.conf\"\nfail = \"open\"");
    let none = facts(&["nl", "us"]);
    assert_eq!(leaves(&open, &none, "tv"), [some("eth0"), some("eth0")], "said by name");
    let direct = CELL.replace("[\"nl\", \"us\"]", "[\"nl\", \"direct\"]");
    assert_eq!(leaves(&direct, &none, "tv"), [some("eth0"), some("eth0")]);
    let off = CELL.replace("file = \"nl.conf\"", "file = \"nl.conf\"\nenabled = false");
    assert_eq!(leaves(&off, &all, "tv"), [some("us"), None]);
}

#[test]
fn an_exit_whose_file_is_gone_stops_everything() {
    let mut facts = facts(&[]);
    facts.exits.files.clear();
    assert_eq!(leaves(CELL, &facts, "tv"), [None, None]);
    let targets = compile(parse(CELL).ok().as_ref(), &facts);
    assert_eq!(targets.links.keys().collect::<Vec<_>>(), ["pic0"]);
    assert_eq!(targets.routes.iter().filter(|route| route.table > TABLE_BLOCKED).count(), 4);
}

#[test]
fn marks_are_the_only_way_into_an_exit_and_each_layer_holds_alone() {
    let (desired, facts) = (parse(CELL).unwrap(), facts(&[]));
    let whole = compile(Some(&desired), &facts);
    let (tv, to): (Host, Target) = ("tv".parse().unwrap(), "internet:443".parse().unwrap());
    for packet in ways(&desired, &facts, &whole, &tv, &to).unwrap().iter().map(|way| &way.packet) {
        // The firewall is flushed: what is not marked goes nowhere.
        let mut targets = whole.clone();
        targets.nft = None;
        assert_eq!(walk(&targets, &facts, packet).verdict, Verdict::Unreachable);
        // The rules of exits are flushed: what is marked for one goes nowhere.
        let mut targets = whole.clone();
        targets.rules.retain(|rule| rule.preference != PREFERENCE);
        assert_eq!(walk(&targets, &facts, packet).verdict, Verdict::Unreachable);
        // The tunnel is gone.
        let mut targets = whole.clone();
        targets.routes.retain(|route| route.kind == RouteKind::Unreachable);
        assert_eq!(walk(&targets, &facts, packet).verdict, Verdict::Unreachable);
    }
    // Somebody at the provider who sends to the cell, or through it.
    let exit = Resolved::all(&desired, &facts)[0].interface();
    for to in ["10.64.1.2", "203.0.113.9", "10.77.0.2", "192.168.41.5", "198.51.100.7"] {
        let packet = crate::reach::Packet {
            iif: Some(exit.clone()),
            source: IpAddr::from([198, 51, 100, 9]),
            destination: to.parse().unwrap(),
            service: "x:22".parse::<Target>().unwrap().service,
        };
        assert_ne!(walk(&whole, &facts, &packet).verdict, Verdict::Allowed, "{to}");
    }
}

#[test]
fn a_failover_changes_elements_of_sets_alone_and_plans_converge() {
    let desired = parse(&CELL.replace("exit = \"us\"", "exit = \"nl\"")).unwrap();
    let mut host = memory::fresh();
    host.host_links.insert("eth1".to_owned(), Default::default());
    let mut bring = |facts: &Facts| {
        let targets = compile(Some(&desired), facts);
        let steps = diff(&targets, &host);
        for step in &steps {
            memory::act(&mut host, &step.action).unwrap_or_else(|error| panic!("{step:?}: {error}"));
        }
        assert_eq!(diff(&targets, &host), [], "it stays");
        steps
    };
    bring(&facts(&[]));
    let steps = bring(&facts(&["us"]));
    assert!(steps.iter().all(|step| matches!(step.action, Action::NftElements(_))), "{steps:?}");
    let mut known = facts(&[]);
    known.exits.endpoints.insert("nl.example.org".parse().unwrap(), "192.0.2.7".parse().unwrap());
    let steps = bring(&known);
    let set = steps.iter().filter(|step| matches!(&step.action, Action::WireguardSet { .. })).count();
    assert_eq!(set, 2, "a provider that moved is dialled anew: {steps:?}");
    let mut targets = compile(None, &known);
    targets.nft = None;
    for step in diff(&targets, &host) {
        memory::act(&mut host, &step.action).unwrap();
    }
    assert!(host.links.is_empty() && host.wireguard.is_empty() && host.routes.is_empty());
}

/// What happens to the packets of somebody to the internet, one per family.
fn verdicts(cell: &str, facts: &Facts, from: &str, to: &str, change: impl Fn(&mut Targets)) -> Vec<Verdict> {
    let desired = parse(cell).unwrap();
    let mut targets = compile(Some(&desired), facts);
    let (from, to): (Host, Target) = (from.parse().unwrap(), to.parse().unwrap());
    let packets: Vec<_> =
        ways(&desired, facts, &targets, &from, &to).unwrap().iter().map(|way| way.packet.clone()).collect();
    change(&mut targets);
    packets.into_iter().map(|packet| walk(&targets, facts, &packet).verdict).collect()
}

#[test]
fn tcp_alone_is_led_to_tor_and_each_layer_holds_alone() {
    let cell = CELL.replacen("kind = \"wireguard\"\nfile = \"nl.conf\"", "kind = \"tor\"", 1);
    let cell = cell.replace("exit = [\"nl\", \"us\"]", "exit = [\"nl\"]");
    let mut facts = facts(&[]);
    facts.exits.tor = true;
    let as_it_is = |_: &mut Targets| {};
    let both = |verdict: Verdict| vec![verdict; 2];
    assert_eq!(verdicts(&cell, &facts, "tv", "internet:443", as_it_is), both(Verdict::Allowed));
    for to in ["internet:udp/443", "internet"] {
        assert_eq!(verdicts(&cell, &facts, "tv", to, as_it_is), both(Verdict::Unreachable), "{to}");
    }
    // Flushed, one layer after the other; with rules alone gone, TCP still goes nowhere but to tor.
    let no_table = |targets: &mut Targets| targets.nft = None;
    assert_eq!(verdicts(&cell, &facts, "tv", "internet:443", no_table), both(Verdict::Unreachable));
    let no_rules = |targets: &mut Targets| targets.rules.clear();
    assert_eq!(verdicts(&cell, &facts, "tv", "internet:443", no_rules), both(Verdict::Allowed));
    for verdict in verdicts(&cell, &facts, "tv", "internet:udp/443", no_rules) {
        assert_ne!(verdict, Verdict::Allowed);
    }
    // Switched off nothing is led anywhere, and nothing leaves.
    let off = cell.replacen("kind = \"tor\"", "kind = \"tor\"\nenabled = false", 1);
    assert_eq!(verdicts(&off, &facts, "tv", "internet:443", as_it_is), both(Verdict::Unreachable));
    // Others are not let in at the port, nor is whoever knows it.
    let desired = parse(&cell).unwrap();
    let whole = compile(Some(&desired), &facts);
    let taken_in = Network::new(&desired, &facts).cell4;
    let port = transparent_port(ExitName::number(&"nl".parse().unwrap()));
    for (iif, source) in [("pic0", [10, 77, 0, 2]), ("pic0", [10, 77, 0, 3]), ("eth0", [198, 51, 100, 9])] {
        let packet = crate::reach::Packet {
            iif: Some(iif.to_owned()),
            source: source.into(),
            destination: taken_in.into(),
            service: format!("x:{port}").parse::<Target>().unwrap().service,
        };
        assert_ne!(walk(&whole, &facts, &packet).verdict, Verdict::Allowed, "{iif} {source:?}");
    }
}

#[test]
fn tor_runs_while_it_is_wanted_and_there() {
    let cell = CELL.replacen("kind = \"wireguard\"\nfile = \"nl.conf\"", "kind = \"tor\"", 1);
    let desired = parse(&cell).unwrap();
    let mut facts = facts(&[]);
    let runs = |facts: &Facts| {
        let targets = compile(Some(&desired), facts);
        targets.units.keys().filter(|unit| unit.starts_with(crate::marks::UNIT_TOR)).count()
    };
    assert_eq!(runs(&facts), 0);
    let problems = crate::overlap::check(None, &desired, &facts).unwrap_err().to_string();
    assert!(
        problems.contains("tor is not installed") && problems.contains("apt-get install tor"),
        "{problems}"
    );
    facts.exits.tor = true;
    assert_eq!(runs(&facts), 1);
    let mut host = memory::fresh();
    host.host_links.insert("eth1".to_owned(), Default::default());
    let mut bring = |targets: &Targets| {
        let steps = diff(targets, &host);
        for step in &steps {
            memory::act(&mut host, &step.action).unwrap_or_else(|error| panic!("{step:?}: {error}"));
        }
        assert_eq!(diff(targets, &host), [], "it stays");
        steps
            .iter()
            .any(|step| matches!(&step.action, Action::UnitStop { name } if name.starts_with("pic-tor@")))
    };
    assert!(!bring(&compile(Some(&desired), &facts)));
    let without = parse(CELL).unwrap();
    assert!(bring(&compile(Some(&without), &facts)), "it is stopped");
    assert!(host.files.keys().all(|path| !path.starts_with(crate::marks::FOLDER_TOR)));
}
