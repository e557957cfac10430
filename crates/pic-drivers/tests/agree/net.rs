//! A cell and its hosts, each in a namespace of its own.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pic_drivers::{nft, route, rule};
use pic_plan::plan::Action;
use pic_plan::target::Targets;

use crate::hosts::{Host, run};
use crate::packets::{Ears, Probe};
use crate::parts;

/// A host that takes part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) groups: &'static [&'static str],
    /// None: a peer.
    pub(crate) lan: Option<u8>,
    pub(crate) v4: &'static str,
    pub(crate) v6: &'static str,
}

impl Place {
    pub(crate) fn is_peer(&self) -> bool {
        self.lan.is_none()
    }
}

const fn peer(
    name: &'static str,
    groups: &'static [&'static str],
    v4: &'static str,
    v6: &'static str,
) -> Place {
    Place { name, groups, lan: None, v4, v6 }
}

pub(crate) const HOSTS: [Place; 7] = [
    peer("phone", &["family"], "10.77.0.2", "fd00:77::2"),
    peer("laptop", &["family", "work"], "10.77.0.3", "fd00:77::3"),
    peer("tablet", &["kids"], "10.77.0.4", "fd00:77::4"),
    peer("tv", &[], "10.77.0.5", "fd00:77::5"),
    Place { name: "nas", groups: &["work"], lan: Some(40), v4: "192.168.40.10", v6: "fd00:40::10" },
    Place { name: "printer", groups: &[], lan: Some(40), v4: "192.168.40.11", v6: "fd00:40::11" },
    Place { name: "camera", groups: &["kids"], lan: Some(50), v4: "192.168.50.10", v6: "fd00:50::10" },
];
/// Somebody on the internet.
pub(crate) const OUTSIDE: [&str; 2] = ["198.51.100.77", "3fff:fff::77"];

/// Packets that pass arrive within this, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Cables hand on while a packet is sent: what has not arrived by now does not.
const QUIET: Duration = Duration::from_millis(30);

pub(crate) struct Net {
    cell: Host,
    /// As in [`HOSTS`], and behind them the outside.
    others: Vec<Host>,
    ears: Vec<Ears>,
}

fn command(host: &Host, line: &str) {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    host.run(move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(words[0], &words[1..])
    });
}

/// A cable from the cell to a host, with the host's addresses; it finds everything behind the cell.
fn cable(cell: &Host, name: &str, host: &Host, own: [&str; 2], gateways: [&str; 2]) {
    let task = host.run(nix::unistd::gettid);
    command(cell, &format!("ip link add {name} type veth peer name eth0 netns {task}"));
    command(cell, &format!("ip link set {name} up"));
    command(host, "ip link set eth0 up");
    for (own, gateway) in own.into_iter().zip(gateways) {
        command(
            host,
            &format!("ip address add {own} dev eth0 {}", if own.contains(':') { "nodad" } else { "" }),
        );
        command(host, &format!("ip route replace {gateway} dev eth0"));
        command(host, &format!("ip route add default via {gateway} dev eth0"));
    }
}

/// The bridge that bears the tunnel's name. Setting it makes the kernel forget the neighbours there.
const GATEWAY: &str = "02:00:00:00:77:01";

/// A tunnel has no neighbours to discover, and the cell lets nobody in it ask for any: both ends know each other for good.
fn know(cell: &Host, host: &Host, number: usize, v6: &str) {
    let own = format!("02:00:00:00:77:1{number}");
    command(host, &format!("ip link set eth0 address {own}"));
    command(host, &format!("ip neigh replace fd00:77::1 lladdr {GATEWAY} dev eth0 nud permanent"));
    command(cell, &format!("ip neigh replace {v6} lladdr {own} dev pic0 nud permanent"));
}

impl Net {
    pub(crate) fn new() -> Self {
        let (cell, others): (Host, Vec<Host>) =
            (Host::new(), (0..=HOSTS.len()).map(|_| Host::new()).collect());
        command(&cell, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        command(
            &cell,
            "sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0",
        );
        for bridge in ["pic0", "eth1", "eth2"] {
            command(&cell, &format!("ip link add {bridge} type bridge mcast_snooping 0"));
            command(&cell, &format!("ip link set {bridge} up"));
        }
        command(&cell, &format!("ip link set pic0 address {GATEWAY}"));
        for (number, (host, place)) in others.iter().zip(HOSTS).enumerate() {
            let (port, lan) = (format!("port{number}"), place.lan.unwrap_or(0));
            let (bridge, gateways) = match lan {
                0 => ("pic0", ["10.77.0.1".to_owned(), "fd00:77::1".to_owned()]),
                lan => (
                    if lan == 40 { "eth1" } else { "eth2" },
                    [format!("192.168.{lan}.1"), format!("fd00:{lan}::1")],
                ),
            };
            // Of single addresses, so that also a neighbour is sent to by the cell.
            let own = [format!("{}/32", place.v4), format!("{}/128", place.v6)];
            let [own4, own6] = &own;
            let [gateway4, gateway6] = &gateways;
            cable(&cell, &port, host, [own4, own6], [gateway4, gateway6]);
            command(&cell, &format!("ip link set {port} master {bridge}"));
            if place.is_peer() {
                know(&cell, host, number, place.v6);
            }
        }
        let outside = &others[HOSTS.len()];
        cable(
            &cell,
            "eth0",
            outside,
            ["203.0.113.1/32", "2001:db8:1::1/128"],
            ["203.0.113.9", "2001:db8:1::9"],
        );
        for at in OUTSIDE {
            command(outside, &format!("ip address add {at} dev lo"));
        }
        for (link, v4, v6) in [
            ("pic0", "10.77.0.1/16", "fd00:77::1/64"),
            ("eth1", "192.168.40.1/24", "fd00:40::1/64"),
            ("eth2", "192.168.50.1/24", "fd00:50::1/64"),
            ("eth0", "203.0.113.9/24", "2001:db8:1::9/64"),
        ] {
            command(&cell, &format!("ip address add {v4} dev {link}"));
            command(&cell, &format!("ip address add {v6} dev {link} nodad"));
            command(
                &cell,
                &format!("sysctl -qw net.ipv4.conf.{link}.src_valid_mark=1 net.ipv4.conf.{link}.rp_filter=1"),
            );
        }
        for gateway in ["203.0.113.1", "2001:db8:1::1"] {
            command(&cell, &format!("ip route add default via {gateway} dev eth0"));
        }
        let ears = others.iter().chain([&cell]).map(|host| host.run(Ears::open)).collect();
        let net = Self { cell, others, ears };
        net.meet();
        net
    }

    /// Fresh links lose what is sent before the neighbours have found each other.
    fn meet(&self) {
        let end = Instant::now() + PATIENCE;
        let all = HOSTS.iter().flat_map(|host| [host.v4, host.v6]).chain(["203.0.113.1", "2001:db8:1::1"]);
        for at in all {
            let at = at.to_owned();
            let ping = move || {
                std::process::Command::new("ping").args(["-q", "-c", "1", "-W", "1", &at]).output().unwrap()
            };
            while !self.cell.run(ping.clone()).status.success() {
                assert!(Instant::now() < end, "the cell does not reach its hosts");
            }
        }
    }

    /// Our table; and what stays the same for all cells of these tests, once.
    pub(crate) fn install(&self, targets: &Targets, first: bool) {
        let table = targets.nft.clone().unwrap();
        let others = if first { parts(targets) } else { Vec::new() };
        self.cell.run(move || {
            for action in others {
                match action {
                    Action::RouteAdd(_) => route::apply(&action).unwrap(),
                    _ => rule::apply(&action).unwrap(),
                }
            }
            nft::apply(&Action::NftReplace(table)).unwrap();
        });
    }

    /// Before numbers of packets come again.
    pub(crate) fn forget_connections(&self) {
        self.cell.run(|| {
            let mut connections = nft::Connections::open().unwrap();
            for one in connections.list().unwrap() {
                connections.forget(&one).unwrap();
            }
        });
    }

    /// Sends everything; what arrived anywhere.
    pub(crate) fn send(&self, probes: &[Probe], expected: &BTreeSet<u16>) -> BTreeSet<u16> {
        let mut arrived = BTreeSet::new();
        for (number, host) in self.others.iter().enumerate() {
            let own: Vec<Probe> = probes.iter().filter(|probe| probe.from == number).cloned().collect();
            host.run(move || own.iter().for_each(Probe::send));
            self.ears.iter().for_each(|ears| ears.hear(&mut arrived));
        }
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && !arrived.is_superset(expected) {
            self.ears.iter().for_each(|ears| ears.hear(&mut arrived));
        }
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            let before = arrived.len();
            self.ears.iter().for_each(|ears| ears.hear(&mut arrived));
            if arrived.len() > before {
                since = Instant::now();
            }
        }
        arrived
    }
}
