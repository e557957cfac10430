use std::net::IpAddr;

use pic_model::config::parse;
use pic_model::exit::provider;
use pic_model::reach::{Host, Target};
use pic_model::snapshot::exit::transparent_port;
use pic_model::snapshot::openvpn::OpenvpnGiven;

use super::*;
use crate::compile::{Network, compile};
use crate::diff::diff;
use crate::facts::UplinkFacts;
use crate::memory;
use crate::plan::Action;
use crate::reach::{Verdict, walk, ways};

pub(super) const CELL: &str = r#"
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

pub(super) fn facts(down: &[&str]) -> Facts {
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
    leaves_to(cell, facts, from, "internet:443")
}

/// The same of packets to somebody in particular.
fn leaves_to(cell: &str, facts: &Facts, from: &str, to: &str) -> Vec<Option<String>> {
    let desired = parse(cell).unwrap();
    let targets = compile(Some(&desired), facts);
    let to: Target = to.parse().unwrap();
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
            learned: Vec::new(),
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
pub(super) fn verdicts(
    cell: &str,
    facts: &Facts,
    from: &str,
    to: &str,
    change: impl Fn(&mut Targets),
) -> Vec<Verdict> {
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
            learned: Vec::new(),
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
        targets.units.keys().filter(|unit| unit.starts_with("pic-tor@")).count()
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
    assert!(host.files.keys().all(|path| !path.starts_with(&crate::marks::TOR.folder())));
}

const OPENVPN: &str = "client\ndev tun\nremote vpn.example.org 1194\nauth-user-pass\nremote-cert-tls server\n<ca>\nA\n</ca>\n\
    <auth-user-pass>\nme\nSECRET\n</auth-user-pass>\n";

fn openvpn() -> (String, Facts) {
    let cell = CELL.replacen(
        "kind = \"wireguard\"\nfile = \"nl.conf\"",
        "kind = \"openvpn\"\nfile = \"nl.ovpn\"",
        1,
    );
    let mut facts = facts(&[]);
    facts.exits.openvpn = true;
    facts.exits.profiles.insert("nl.ovpn".into(), Ok(pic_model::exit::openvpn::read(OPENVPN).unwrap()));
    facts.exits.endpoints.insert("vpn.example.org".parse().unwrap(), [203, 0, 113, 40].into());
    (cell, facts)
}

fn give(facts: &mut Facts, file: &str, addresses: &[&str]) {
    let interface =
        format!("pic{}", crate::marks::EXIT_INTERFACES + ExitName::number(&"nl".parse().unwrap()));
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let dns = vec!["198.51.100.53".parse().unwrap()];
    facts.exits.given.insert(interface, OpenvpnGiven { file: file.to_owned(), addresses, dns });
}

#[test]
fn what_the_server_gives_opens_its_family_and_nothing_else() {
    let (cell, mut facts) = openvpn();
    assert_eq!(leaves(&cell, &facts, "tv"), [None, None], "it is coming up");
    give(&mut facts, "other.ovpn", &["10.8.0.2"]);
    assert_eq!(leaves(&cell, &facts, "tv"), [None, None], "another server gave it");
    give(&mut facts, "nl.ovpn", &["10.8.0.2"]);
    assert_eq!(leaves(&cell, &facts, "tv"), [some("nl"), None]);
    give(&mut facts, "nl.ovpn", &["10.8.0.2", "fd64::2"]);
    assert_eq!(leaves(&cell, &facts, "tv"), [some("nl"), some("nl")]);
    let desired = parse(&cell).unwrap();
    let all = Resolved::all(&desired, &facts);
    let nl = all.iter().find(|exit| exit.name.as_str() == "nl").unwrap();
    let asked = names(&desired, &facts, nl).upstreams;
    assert_eq!(asked, [Upstream::Plain { address: "198.51.100.53:53".parse().unwrap() }]);
    // What it gives is one of the host's own, or of somebody on the internet.
    for bad in [
        "10.77.0.2",
        "192.168.41.9",
        "203.0.113.9",
        "198.51.100.1",
        "127.0.0.1",
        "0.0.0.0",
        "fe80::1",
        "::1",
        "2001:db8:1::9",
    ] {
        give(&mut facts, "nl.ovpn", &[bad]);
        assert_eq!(leaves(&cell, &facts, "tv"), [None, None], "{bad}");
        assert!(clash(&desired, &facts, bad.parse().unwrap()).is_some());
    }
}

#[test]
fn openvpn_runs_while_it_is_wanted_and_its_interface_goes_with_it() {
    let (cell, mut facts) = openvpn();
    let desired = parse(&cell).unwrap();
    give(&mut facts, "nl.ovpn", &["10.8.0.2"]);
    let without = |change: fn(&mut Facts)| {
        let mut facts = facts.clone();
        change(&mut facts);
        compile(Some(&desired), &facts).units.keys().filter(|unit| unit.starts_with("pic-openvpn@")).count()
    };
    assert_eq!(without(|_| {}), 1);
    assert_eq!(without(|facts| facts.exits.openvpn = false), 0);
    assert_eq!(without(|facts| facts.exits.endpoints.clear()), 0);
    assert_eq!(without(|facts| facts.exits.profiles.clear()), 0);
    let mut host = memory::fresh();
    host.host_links.insert("eth1".to_owned(), Default::default());
    let mut bring = |desired: &Desired, facts: &Facts| {
        let targets = compile(Some(desired), facts);
        for _ in 0..3 {
            for step in diff(&targets, &host) {
                memory::act(&mut host, &step.action).unwrap_or_else(|error| panic!("{step:?}: {error}"));
            }
        }
        assert_eq!(diff(&targets, &host), [], "it stays");
        assert!(!format!("{host:?}").contains("SECRET"));
        host.links.contains_key(&Resolved::all(desired, facts)[0].interface())
    };
    assert!(bring(&desired, &facts));
    for (from, to) in
        [("\"openvpn\"\nfile = \"nl.ovpn\"", "\"tor\""), ("\"nl.ovpn\"", "\"nl.ovpn\"\nenabled = false")]
    {
        let other = parse(&cell.replacen(from, to, 1)).unwrap();
        assert!(!bring(
            &other,
            &Facts { exits: crate::facts::ExitFacts { tor: true, ..facts.exits.clone() }, ..facts.clone() }
        ));
        assert!(bring(&desired, &facts));
    }
    // From one kind to another and back, in the kernel and beside it.
    for kernel_wireguard in [true, false] {
        let facts = Facts { kernel_wireguard, ..facts.clone() };
        assert!(bring(&parse(CELL).unwrap(), &facts));
        assert!(bring(&desired, &facts));
    }
    facts.exits.openvpn = false;
    let problems = crate::overlap::check(None, &desired, &facts).unwrap_err().to_string();
    assert!(problems.contains("apt-get install openvpn"), "{problems}");
}

const LINES: &str = r#"
[[egress]]
from = ["phone"]
to = ["www.shop.example"]
exit = ["direct"]
[[egress]]
from = ["phone", "kids", "guest"]
to = ["*.video.example", "198.51.100.0/24", "198.51.100.0/25", "2001:db8:77::/48"]
exit = ["nl", "us"]
[[egress]]
to = "*.shop.example"
exit = "us"
"#;

#[test]
fn a_destination_decides_before_its_sender() {
    let (cell, all) = (format!("{CELL}{LINES}"), facts(&[]));
    let to = |from: &str, to: &str| leaves_to(&cell, &all, from, to);
    for from in ["phone", "tablet", "guest"] {
        assert_eq!(to(from, "a.video.example:443"), [some("nl"), some("nl")], "{from}");
        assert_eq!(to(from, "198.51.100.9:443"), [some("nl")], "{from}");
        assert_eq!(to(from, "[2001:db8:77::1]:443"), [some("nl")], "{from}");
    }
    assert_eq!(to("tv", "198.51.100.9:443"), [some("nl")], "its own exit");
    assert_eq!(to("phone", "video.example:443"), [some("eth0"), some("eth0")]);
    assert_eq!(to("phone", "203.0.113.200:443"), [some("eth0")]);
    assert_eq!(leaves(&cell, &all, "phone"), [some("eth0"), some("eth0")]);
    assert_eq!(leaves(&cell, &all, "tablet"), [some("us"), None]);
    // The first line that fits counts: an exception, and what stands behind it.
    assert_eq!(to("phone", "www.shop.example:443"), [some("eth0"), some("eth0")]);
    assert_eq!(to("tv", "www.shop.example:443"), [some("us"), None]);
    assert_eq!(to("phone", "pay.shop.example:443"), [some("us"), None]);
    // What was learnt, by the address itself.
    let desired = parse(&cell).unwrap();
    let mut learnt = all.clone();
    let key = egress::learned(&desired.egress[1]).unwrap();
    learnt.learned.insert(key, [[203, 0, 113, 200].into(), "2001:db8:9::9".parse().unwrap()].into());
    assert_eq!(leaves_to(&cell, &learnt, "phone", "203.0.113.200:443"), [some("nl")]);
    assert_eq!(leaves_to(&cell, &learnt, "phone", "[2001:db8:9::9]:443"), [some("nl")]);
    assert_eq!(leaves_to(&cell, &learnt, "phone", "203.0.113.201:443"), [some("eth0")]);
    // With none that works it is stopped.
    let none = facts(&["nl", "us"]);
    let dead = leaves_to(&cell, &Facts { exits: none.exits, ..all.clone() }, "phone", "198.51.100.9:443");
    assert_eq!(dead, [some("nl")], "into the tunnel of the first");
    let mut gone = all.clone();
    gone.exits.files.clear();
    assert_eq!(leaves_to(&cell, &gone, "phone", "a.video.example:443"), [None, None]);
}

#[test]
fn the_name_server_knows_whom_lines_are_for() {
    let desired = parse(&format!("{CELL}{LINES}")).unwrap();
    let snapshot = crate::compile::dns_snapshot(&desired, &facts(&[]));
    assert_eq!(snapshot.egress.len(), 3);
    assert_eq!(snapshot.egress[0].exit, None);
    assert!(snapshot.egress[0].open && !snapshot.egress[1].open);
    assert_eq!(snapshot.exits[usize::from(snapshot.egress[1].exit.unwrap())].name, "nl");
    let of = |client: &str| {
        let client: IpAddr = client.parse().unwrap();
        let length = |view: &pic_model::snapshot::dns::View| {
            view.clients.iter().filter(|net| net.contains(&client)).map(|net| net.prefix_len()).max()
        };
        let view =
            snapshot.views.iter().filter(|view| length(view).is_some()).max_by_key(|view| length(view));
        view.unwrap().egress.clone()
    };
    assert_eq!(of("10.77.0.2"), [2], "tv");
    assert_eq!(of("10.77.0.3"), [0, 1, 2], "phone");
    assert_eq!(of("10.77.0.4"), [1, 2], "tablet, by its group");
    assert_eq!(of("192.168.41.77"), [1, 2], "a guest");
    assert_eq!(of("10.77.0.1"), [] as [u16; 0], "the host itself");
}

#[test]
fn what_was_learnt_is_added_and_never_taken_away() {
    let desired = parse(&format!("{CELL}{LINES}")).unwrap();
    let mut facts = facts(&[]);
    let mut host = memory::fresh();
    host.host_links.insert("eth1".to_owned(), Default::default());
    for step in diff(&compile(Some(&desired), &facts), &host) {
        memory::act(&mut host, &step.action).unwrap();
    }
    let key = egress::learned(&desired.egress[1]).unwrap();
    let learnt: IpAddr = [203, 0, 113, 200].into();
    facts.learned.insert(key.clone(), [learnt].into());
    let targets = compile(Some(&desired), &facts);
    let steps = diff(&targets, &host);
    assert!(
        matches!(steps.as_slice(), [step] if matches!(&step.action, Action::NftElements(all) if all.len() == 1))
    );
    for step in &steps {
        memory::act(&mut host, &step.action).unwrap();
    }
    assert_eq!(diff(&targets, &host), []);
    facts.learned.clear();
    assert_eq!(diff(&compile(Some(&desired), &facts), &host), [], "the kernel forgets by itself");
    let expected = egress::learned_of(&desired, &pic_model::dns::Name::absolute("x.video.example").unwrap());
    assert_eq!(expected, [key].into());
}

#[test]
fn another_cell_dials_or_is_dialled_and_its_packets_take_no_line() {
    const CELLS: &str = r#"
[[exit]]
name = "cabin"
kind = "cell"
file = "nl.conf"
listen = 51821
[[peer]]
name = "asks"
public_key = "ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY="
allow = ["internet"]
endpoint = "far.example.org:51821"
offer = true
"#;
    let cell = format!("{CELL}{CELLS}{LINES}");
    let (desired, mut facts) = (parse(&cell).unwrap(), facts(&[]));
    let one = || {
        let far: pic_model::name::DomainName = "far.example.org".parse().unwrap();
        (far, IpAddr::from([192, 0, 2, 8]))
    };
    let dialled = |facts: &Facts| {
        let targets = compile(Some(&desired), facts);
        let peer =
            targets.wireguard["pic0"].peers[&desired.peers[&"asks".parse().unwrap()].public_key].clone();
        (peer.keepalive, peer.endpoint)
    };
    assert_eq!(dialled(&facts), (Some(25), None), "its name is not known yet");
    facts.exits.endpoints.extend([one()]);
    assert_eq!(dialled(&facts), (Some(25), Some("192.0.2.8:51821".parse().unwrap())));
    let targets = compile(Some(&desired), &facts);
    let cabin =
        Resolved::all(&desired, &facts).into_iter().find(|exit| exit.name.as_str() == "cabin").unwrap();
    assert_eq!(targets.wireguard[&cabin.interface()].listen_port, 51821);
    assert!(has_interface(&cabin) && targets.links.contains_key(&cabin.interface()));
    // The port is open outside, while the exit is on.
    let packet = crate::reach::Packet {
        learned: Vec::new(),
        iif: Some("eth0".to_owned()),
        source: IpAddr::from([192, 0, 2, 8]),
        destination: IpAddr::from([203, 0, 113, 9]),
        service: "x:udp/51821".parse::<Target>().unwrap().service,
    };
    assert_eq!(walk(&targets, &facts, &packet).verdict, Verdict::Allowed);
    let off = cell.replace("listen = 51821", "listen = 51821\nenabled = false");
    let targets = compile(parse(&off).ok().as_ref(), &facts);
    assert_eq!(walk(&targets, &facts, &packet).verdict, Verdict::Dropped);
    // A line that is for everybody is not for another cell; for all others it is as before.
    assert_eq!(leaves_to(&cell, &facts, "asks", "pay.shop.example:443"), [some("eth0"), some("eth0")]);
    assert_eq!(leaves_to(&cell, &facts, "tv", "pay.shop.example:443"), [some("us"), None]);
    assert_eq!(leaves_to(&cell, &facts, "guest", "pay.shop.example:443"), [some("us"), None]);
}
