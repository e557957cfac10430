//! Random cells against the kernel: what the compiled table, rules and routes do with real packets is what walking them
//! says (`pic_plan::reach`), packet by packet and in both families. Groups, LANs, services, ports, schedules, expiry,
//! forwards, and bans are drawn by lot; a plain reading of the grants is compared with the walk
//! in `pic-plan/tests/policy.rs`, so all three agree. WireGuard is left out: a bridge bears the tunnel's name.
//!
//! Needs root. `PIC_SEED` plays a run again; `scripts/soak agree` runs it for as long as it is given.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod chance;
#[path = "../hosts/mod.rs"]
mod hosts;
mod net;
mod packets;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use chance::Chance;
use net::{HOSTS, Net, OUTSIDE};
use packets::Probe;
use pic_model::Desired;
use pic_model::ban::Ban;
use pic_model::reach::{Host as End, Target};
use pic_plan::compile::compile;
use pic_plan::facts::{Facts, HostNetwork, UplinkFacts};
use pic_plan::plan::Action;
use pic_plan::reach::{Verdict, Walker, ways};
use pic_plan::target::Targets;

/// Wednesday, 2026-11-25 12:00 in UTC, which is the cell's clock.
const NOW: i64 = 1_795_608_000;

const CELL: &str = r#"[cell]
name = "h"
[wireguard]
ipv6 = "fd00:77::/64"
[firewall]
limit = "off"
[[group]]
name = "family"
[[group]]
name = "work"
[[group]]
name = "kids"
[[reservation]]
lan = "home"
mac = "00:11:22:33:44:01"
address = "192.168.40.10"
address6 = "::10"
name = "nas"
groups = ["work"]
[[reservation]]
lan = "home"
mac = "00:11:22:33:44:02"
address = "192.168.40.11"
name = "printer"
[[reservation]]
lan = "iot"
mac = "00:11:22:33:44:03"
address = "192.168.50.10"
address6 = "::10"
name = "camera"
groups = ["kids"]
[[service]]
name = "files"
host = "nas"
ports = ["tcp/445", "udp/5000-5002"]
[[service]]
name = "screen"
host = "tv"
"#;

const SUBJECTS: [&str; 13] = [
    "phone", "laptop", "tablet", "tv", "nas", "printer", "camera", "family", "work", "kids", "peers", "home",
    "iot",
];
const TARGETS: [&str; 22] = [
    "phone",
    "tv",
    "nas",
    "printer",
    "camera",
    "family",
    "work",
    "kids",
    "peers",
    "home",
    "iot",
    "files",
    "screen",
    "192.168.40.0/24",
    "192.168.0.0/16",
    "192.168.50.10",
    "fd00:40::/64",
    "10.77.0.0/24",
    "internet",
    "198.51.100.0/24",
    "cell",
    "ping",
];
const PORTS: [&str; 5] = ["", ":445", ":tcp/80", ":udp/5001", ":tcp/1-1000"];
const ASKED: [&str; 5] = ["", ":445", ":80", ":udp/5001", ":999"];
/// Of the schedules half hold at [`NOW`].
const TERMS: [&str; 7] = [
    "",
    "",
    "",
    "when = \"daily 08:00-20:00\"\n",
    "when = \"mon-fri 20:00-07:00\"\n",
    "expires = \"2027-01-01\"\n",
    "expires = \"2026-11-01\"\n",
];
const ALLOWED: [&str; 5] = ["[]", "[]", "[\"internet\"]", "[\"cell\"]", "[\"internet\", \"cell\"]"];

/// A cell drawn by lot.
fn draw(chance: &mut Chance) -> String {
    let mut text = CELL.to_owned();
    for (lan, number) in [("home", 40), ("iot", 50)] {
        let allow = chance.one(&ALLOWED);
        writeln!(
            text,
            "[[lan]]\nname = \"{lan}\"\ninterface = \"eth{}\"\nipv4 = \"192.168.{number}.1/24\"\n\
             ipv6 = \"fd00:{number}::/64\"\nallow = {allow}",
            number / 10 - 3
        )
        .unwrap();
    }
    for (number, host) in HOSTS.iter().enumerate().filter(|(_, host)| host.is_peer()) {
        let key = pic_model::key::PublicKey::from_bytes([u8::try_from(number).unwrap() + 65; 32]);
        let (allow, out) = (chance.one(&ALLOWED), chance.below(10) == 0);
        let enabled = if out { "enabled = false\n" } else { "" };
        let (name, groups) = (host.name, host.groups);
        write!(
            text,
            "[[peer]]\nname = \"{name}\"\npublic_key = \"{key}\"\naddress = \"{}\"\naddress6 = \"{}\"\n\
             groups = {groups:?}\nallow = {allow}\n{enabled}",
            host.v4, host.v6
        )
        .unwrap();
    }
    for _ in 0..chance.below(10) {
        let (from, to) = (chance.one(&SUBJECTS), chance.one(&TARGETS));
        let has_ports = !["internet", "files", "screen", "ping"].contains(to);
        let ports = if has_ports { *chance.one(&PORTS) } else { "" };
        let to = if to.contains("::") && !ports.is_empty() { format!("[{to}]") } else { (*to).to_owned() };
        // A v6 network has no port in this language.
        let ports = if to.starts_with('[') { "" } else { ports };
        let to = to.trim_matches(['[', ']']);
        writeln!(text, "[[grant]]\nfrom = [\"{from}\"]\nto = [\"{to}{ports}\"]\n{}", chance.one(&TERMS))
            .unwrap();
    }
    for (number, listen) in ["tcp/8445", "udp/8446", "tcp/8080"].iter().enumerate() {
        if chance.below(2) == 0 {
            let (to, port) = (chance.one(&["nas", "camera", "tv", "printer"]), [445, 5001, 80][number]);
            let from =
                ["", "from = [\"192.0.2.0/24\"]\n", "from = [\"198.51.100.0/24\", \"3fff:fff::/32\"]\n"];
            writeln!(text, "[[forward]]\nlisten = \"{listen}\"\nto = \"{to}:{port}\"\n{}", chance.one(&from))
                .unwrap();
        }
    }
    text
}

fn facts(chance: &mut Chance) -> Facts {
    let near = |network: &str| HostNetwork { network: network.parse().unwrap(), interface: "eth0".into() };
    let ban = |network: &str, until: i64| Ban {
        network: network.parse().unwrap(),
        since: NOW - 60,
        until,
        reason: String::new(),
    };
    let bans = match chance.below(6) {
        0 => vec![ban("198.51.100.0/24", NOW + 60)],
        1 => vec![ban("3fff:fff::77/128", NOW + 60), ban("198.51.100.77/32", NOW - 1)],
        2 => vec![ban("10.77.0.0/30", NOW + 60)],
        _ => Vec::new(),
    };
    Facts {
        now: NOW,
        uplink: Some(UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some([203, 0, 113, 9].into()),
            ipv6: Some("2001:db8:1::9".parse().unwrap()),
            routes6: true,
        }),
        host_networks: vec![near("203.0.113.0/24"), near("2001:db8:1::/64")],
        interfaces: ["eth0", "eth1", "eth2"].map(str::to_owned).into(),
        bans,
        ..pic_plan::memory::facts()
    }
}

/// What is sent in one case, each with what walking says.
fn probes(desired: &Desired, facts: &Facts, targets: &Targets, next: &mut u16) -> Vec<Probe> {
    let walker = Walker::new(targets, facts);
    let mut probes = Vec::new();
    let mut ask = |from: usize, sender: &End, target: &str| {
        let target: Target = target.parse().unwrap();
        for way in ways(desired, facts, targets, sender, &target).unwrap_or_default() {
            let trace = walker.walk(&way.packet);
            // What WireGuard itself would stop.
            let is_stopped = trace.steps.iter().any(|step| step.place == "tunnel");
            // A host that comes back to itself by a forward is looked at with whole connections, in the lab's `t1_grants`.
            let itself = format!("on to {}:", way.packet.source);
            let is_itself = trace.steps.iter().any(|step| step.words.contains(&itself));
            if is_stopped || is_itself {
                continue;
            }
            let allowed = trace.verdict == Verdict::Allowed;
            probes.push(Probe { from, packet: way.packet, id: *next, allowed, trace });
            *next += 1;
        }
    };
    for (from, host) in HOSTS.iter().enumerate() {
        let sender: End = host.name.parse().unwrap();
        for to in HOSTS.iter().map(|to| to.name).chain(["internet", "cell"]).filter(|to| *to != host.name) {
            let lan = |name: &str| HOSTS.iter().find(|host| host.name == name).and_then(|host| host.lan);
            // Neighbours in a LAN need no cell.
            if host.lan.is_some() && lan(to) == host.lan {
                continue;
            }
            for port in ASKED {
                ask(from, &sender, &format!("{to}{port}"));
            }
        }
        // By the cell's outside address, as the outside does.
        for port in ["8445", "udp/8446", "8080"] {
            ask(from, &sender, &format!("203.0.113.9:{port}"));
        }
    }
    for at in OUTSIDE {
        let sender: End = at.parse().unwrap();
        let cell = if at.contains(':') { "[2001:db8:1::9]" } else { "203.0.113.9" };
        for port in ["8445", "udp/8446", "8080", "80"] {
            ask(HOSTS.len(), &sender, &format!("{cell}:{port}"));
        }
        for host in HOSTS {
            let to = if at.contains(':') { format!("[{}]", host.v6) } else { host.v4.to_owned() };
            ask(HOSTS.len(), &sender, &format!("{to}:445"));
        }
    }
    probes
}

/// Plays cases of seeds that follow the first one until `is_enough`; how many, and how many packets were compared.
fn agree(first: u64, is_enough: impl Fn(u64) -> bool) -> (u64, usize) {
    let net = Net::new();
    let (mut played, mut compared, mut passed, mut next) = (0, 0, 0, 1024);
    while !is_enough(played) {
        let seed = first + played;
        let mut chance = Chance::new(seed);
        let (text, facts) = (draw(&mut chance), facts(&mut chance));
        let desired =
            pic_model::config::parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let targets = compile(Some(&desired), &facts);
        net.install(&targets, played == 0);
        if next > 50_000 {
            next = 1024;
            net.forget_connections();
        }
        let probes = probes(&desired, &facts, &targets, &mut next);
        let expected: BTreeSet<u16> = probes.iter().filter(|one| one.allowed).map(|one| one.id).collect();
        let arrived = net.send(&probes, &expected);
        let wrong = probes.iter().filter(|probe| arrived.contains(&probe.id) != probe.allowed);
        let told = wrong.map(|probe| {
            let met = arrived.contains(&probe.id);
            format!(
                "{:?}: the kernel {met}, walking it {}: {:?}",
                probe.packet, probe.allowed, probe.trace.steps
            )
        });
        let wrong: Vec<_> = told.collect();
        assert!(wrong.is_empty(), "seed {seed}: {} differ:\n{}\n{text}", wrong.len(), wrong.join("\n"));
        compared += probes.len();
        passed += expected.len();
        played += 1;
    }
    assert!(passed > compared / 50, "{passed} of {compared} passed: not much was tried");
    (played, compared)
}

#[test]
fn a_sample_of_cells_does_what_walking_it_says() {
    let seed = chance::seed(1);
    let (cells, packets) = agree(seed, |played| played >= 12);
    println!("{cells} cells from seed {seed} on, {packets} packets");
}

#[test]
#[ignore = "takes as long as it is given: scripts/soak agree"]
fn random_cells_until_the_time_is_over() {
    let (seed, begin) = (chance::seed(1000), Instant::now());
    let minutes = std::env::var("PIC_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let end = begin + Duration::from_secs(60 * minutes);
    let (cells, packets) = agree(seed, |_| Instant::now() >= end);
    println!("agreement: {cells} cells from seed {seed} on, {packets} packets, all as walked");
}

/// What the tests apply by hand.
fn parts(targets: &Targets) -> Vec<Action> {
    let routes = targets.routes.iter().cloned().map(Action::RouteAdd);
    let ours = targets.rules.iter().filter(|rule| rule.owner == pic_plan::target::rule::Owner::Cell);
    routes.chain(ours.cloned().map(Action::RuleAdd)).collect()
}
