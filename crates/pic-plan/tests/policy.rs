//! Random grants: what the compiled tables let pass is what a plain reading of the grants says, packet by packet.
#![expect(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::net::IpAddr;

use pic_model::Desired;
use pic_model::config::parse;
use pic_model::reach::{Service, Target};
use pic_plan::compile::{Before, again, compile};
use pic_plan::facts::{Facts, UplinkFacts};
use pic_plan::reach::{Verdict, walk, ways};
use proptest::prelude::*;

/// Hosts: name, groups, LAN (none: a peer).
const HOSTS: [(&str, &[&str], Option<&str>); 7] = [
    ("phone", &["family"], None),
    ("laptop", &["family", "work"], None),
    ("tablet", &["kids"], None),
    ("tv", &[], None),
    ("nas", &["work"], Some("home")),
    ("printer", &[], Some("home")),
    ("camera", &["kids"], Some("iot")),
];

const CELL: &str = r#"
[cell]
name = "h"
[[group]]
name = "family"
[[group]]
name = "work"
[[group]]
name = "kids"
[[lan]]
name = "home"
interface = "eth1"
ipv4 = "192.168.40.1/24"
allow = []
[[lan]]
name = "iot"
interface = "eth2"
ipv4 = "192.168.50.1/24"
allow = []
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
const TARGETS: [&str; 20] = [
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
    "10.77.0.0/24",
    "internet",
    "203.0.113.0/24",
    "cell",
];
const PORTS: [&str; 5] = ["", ":445", ":tcp/80", ":udp/5001", ":tcp/1-1000"];
/// More lines of a grant.
const TERMS: [&str; 5] = [
    "",
    "",
    "when = \"daily 08:00-20:00\"\n",
    "expires = \"1970-01-01T06:00:00Z\"\n",
    "expires = \"2030-01-01T00:00:00Z\"\n",
];
const ASKED: [&str; 5] = ["", ":445", ":80", ":udp/5001", ":9999"];

#[derive(Debug, Clone)]
struct Granted {
    from: usize,
    to: usize,
    ports: usize,
}

impl Granted {
    fn ports(&self) -> &'static str {
        let has_ports = !["internet", "files", "screen", "cell"].contains(&TARGETS[self.to]);
        if has_ports { PORTS[self.ports] } else { "" }
    }

    fn text(&self) -> String {
        let (from, to) = (SUBJECTS[self.from], TARGETS[self.to]);
        format!("[[grant]]\nfrom = [\"{from}\"]\nto = [\"{to}{}\"]\n", self.ports())
    }

    /// The plain reading.
    fn lets(&self, from: usize, to: &Ask, destination: IpAddr) -> bool {
        let (name, groups, lan) = HOSTS[from];
        let subject = SUBJECTS[self.from];
        let is_it = subject == name
            || groups.contains(&subject)
            || lan == Some(subject)
            || (subject == "peers" && lan.is_none());
        is_it && self.reaches(to, destination) && self.opens(to)
    }

    fn reaches(&self, to: &Ask, destination: IpAddr) -> bool {
        let target = TARGETS[self.to];
        if let Ok(net) = target.parse::<ipnet::IpNet>() {
            return net.contains(&destination);
        }
        if let Ok(address) = target.parse::<IpAddr>() {
            return address == destination;
        }
        let Some(host) = to.host else { return target == "internet" };
        let (name, groups, lan) = HOSTS[host];
        match target {
            "files" => name == "nas",
            "screen" => name == "tv",
            "peers" => lan.is_none(),
            _ => target == name || groups.contains(&target) || lan == Some(target),
        }
    }

    fn opens(&self, to: &Ask) -> bool {
        let asked = ASKED[to.port];
        match (TARGETS[self.to], self.ports()) {
            ("files", _) => [":445", ":udp/5001"].contains(&asked),
            (_, "") => true,
            (_, ":tcp/1-1000") => [":445", ":80"].contains(&asked),
            (_, ":tcp/80") => asked == ":80",
            (_, ports) => asked == ports,
        }
    }
}

/// What is asked: a host, or the internet.
#[derive(Debug)]
struct Ask {
    host: Option<usize>,
    port: usize,
}

fn facts() -> Facts {
    Facts {
        uplink: Some(UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some([203, 0, 113, 9].into()),
            ipv6: Some("2001:db8:1::9".parse().unwrap()),
            routes6: true,
        }),
        interfaces: ["eth0", "eth1", "eth2"].map(str::to_owned).into(),
        ..pic_plan::memory::facts()
    }
}

fn cell(granted: &[Granted]) -> String {
    let mut text = CELL.to_owned();
    for (number, (name, groups, _)) in HOSTS.iter().filter(|(.., lan)| lan.is_none()).enumerate() {
        let key = pic_model::key::PublicKey::from_bytes([u8::try_from(number).unwrap() + 65; 32]);
        write!(
            text,
            "[[peer]]\nname = \"{name}\"\npublic_key = \"{key}\"\ngroups = {groups:?}\nallow = []\n"
        )
        .unwrap();
    }
    for one in granted {
        text += &one.text();
    }
    text
}

/// Every pair of hosts, and the internet, with some ports.
fn all_agree(granted: &[Granted]) -> Result<(), TestCaseError> {
    let (desired, facts) = (parse(&cell(granted)).unwrap(), facts());
    let targets = compile(Some(&desired), &facts);
    let others = (0..HOSTS.len()).map(Some).chain([None]);
    let pairs = others.flat_map(|to| (0..HOSTS.len()).map(move |from| (from, to)));
    for (from, host) in pairs.filter(|(from, to)| Some(*from) != *to) {
        // Neighbours in a LAN need no cell.
        if host.is_some_and(|to| HOSTS[to].2.is_some() && HOSTS[to].2 == HOSTS[from].2) {
            continue;
        }
        for (port, asked) in ASKED.iter().enumerate() {
            let ask = Ask { host, port };
            let name = host.map_or("internet", |to| HOSTS[to].0);
            let target: Target = format!("{name}{asked}").parse().unwrap();
            let sender = HOSTS[from].0.parse().unwrap();
            for way in ways(&desired, &facts, &targets, &sender, &target).unwrap_or_default() {
                let trace = walk(&targets, &facts, &way.packet);
                let expected = granted.iter().any(|one| one.lets(from, &ask, way.packet.destination));
                prop_assert_eq!(
                    trace.verdict == Verdict::Allowed,
                    expected,
                    "{} to {}: {:?}",
                    HOSTS[from].0,
                    target,
                    trace
                );
                if target.service != Service::Ping {
                    prop_assert!(trace.steps.iter().any(|step| step.place == "routing") || !expected);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_do_what_the_grants_say(
        granted in prop::collection::vec(
            (0..SUBJECTS.len(), 0..TARGETS.len(), 0..PORTS.len())
                .prop_map(|(from, to, ports)| Granted { from, to, ports }),
            0..8,
        )
    ) {
        all_agree(&granted)?;
    }

    #[test]
    fn after_a_state_with_other_grants_the_same_comes_out(
        granted in prop::collection::vec(
            (0..SUBJECTS.len(), 0..TARGETS.len(), 0..PORTS.len(), 0..TERMS.len())
                .prop_map(|(from, to, ports, term)| (Granted { from, to, ports }, TERMS[term])),
            0..8,
        ),
        // How many of them there are, and seconds since the state before.
        states in prop::collection::vec((0..8_usize, 0..40_000_i64), 2..8),
    ) {
        let mut now = facts().now;
        let mut before = None;
        for (count, seconds) in states {
            now += seconds;
            let some: String = granted.iter().take(count).map(|(one, term)| one.text() + term).collect();
            let desired = parse(&(cell(&[]) + &some)).unwrap();
            let facts = Facts { now, ..facts() };
            let (targets, left) = again(before.as_ref().map(kept), &desired, &facts);
            prop_assert_eq!(&targets, &compile(Some(&desired), &facts));
            before = Some((desired, facts, targets.next_change.unwrap_or(i64::MAX), left));
        }
    }
}

fn kept((desired, facts, until, granted): &(Desired, Facts, i64, pic_plan::compile::Granted)) -> Before<'_> {
    Before { desired, facts, until: *until, granted }
}

#[test]
fn each_single_grant_does_what_it_says() {
    for to in 0..TARGETS.len() {
        for from in (to % 4..SUBJECTS.len()).step_by(4) {
            all_agree(&[Granted { from, to, ports: (from + to) % PORTS.len() }]).unwrap();
        }
    }
}
