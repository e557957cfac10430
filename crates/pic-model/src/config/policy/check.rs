//! What must hold between services, grants, forwards and everything that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::Marks;
use crate::address;
use crate::config::fields;
use crate::config::lan::Placed;
use crate::config::place::Places;
use crate::desired::{Desired, Port, Protocol};
use crate::name::SubjectName;
use crate::policy::{Forward, Grant, Service, Subject, Target, WORDS, Where};
use crate::problem::{Problem, ProblemCode};
use crate::reach::Host;

/// Most distinct lengths of networks among the targets and subjects of grants: each pair of them costs a look-up.
const MAX_LENGTHS: usize = 8;

/// Checks of all three tables.
pub(in crate::config) fn all(
    marks: &Marks,
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    let known = Known::new(desired);
    let mut check = Check { desired, known, place, problems };
    check.services(&marks.services);
    check.grants(&marks.grants);
    check.forwards(&marks.forwards);
}

/// Whether grants that come behind those of a right file leave it right. `false` leaves that to [`all`].
pub(in crate::config) fn are_right(
    more: &[Placed<Arc<Grant>>],
    desired: &Desired,
    place: &Places<'_>,
) -> bool {
    let is_named = |name: &SubjectName| desired.grants.iter().any(|grant| grant.name.as_ref() == Some(name));
    // How many lengths of networks there are is told by all grants together.
    let is_simple = |grant: &Grant| {
        !grant.to.iter().any(|target| matches!(target.to, Where::Network(_)))
            && !grant.name.as_ref().is_some_and(is_named)
    };
    let mut problems = Vec::new();
    let known = Known::new(desired);
    Check { desired, known, place, problems: &mut problems }.grants(more);
    problems.is_empty() && more.iter().all(|at| is_simple(&at.value))
}

/// Every name that stands for something, sorted by what.
struct Known<'d> {
    subjects: BTreeSet<&'d str>,
    hosts: BTreeSet<&'d str>,
    services: BTreeSet<&'d str>,
}

impl<'d> Known<'d> {
    fn new(desired: &'d Desired) -> Self {
        let kept =
            || desired.reservations.iter().filter_map(|kept| kept.name.as_ref()).map(|name| name.as_str());
        let peers = || desired.peers.keys().map(|name| name.as_str());
        let lans = desired.lans.keys().chain(desired.subnets.keys()).map(|name| name.as_str());
        let groups = desired.groups.iter().map(|name| name.as_str());
        Self {
            subjects: peers().chain(groups).chain(lans).chain(kept()).collect(),
            hosts: peers().chain(kept()).collect(),
            services: desired.services.keys().map(|name| name.as_str()).collect(),
        }
    }
}

struct Check<'c, 't> {
    desired: &'c Desired,
    known: Known<'c>,
    place: &'c Places<'t>,
    problems: &'c mut Vec<Problem>,
}

impl Check<'_, '_> {
    fn refuse<T>(&mut self, at: &Placed<T>, field: &str, code: ProblemCode, message: String, hint: &str) {
        let path = format!("{}.{field}", at.path);
        self.problems.push(self.place.problem(&at.span, path, code, message, hint));
    }

    fn unknown<T>(&mut self, at: &Placed<T>, field: &str, name: &str, what: &str, known: Vec<&str>) {
        let hint = match fields::near(known.into_iter(), name) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write the name of {what}"),
        };
        self.refuse(at, field, ProblemCode::BadValue, format!("nothing is called \"{name}\" here"), &hint);
    }

    fn services(&mut self, services: &[Placed<(SubjectName, Service)>]) {
        let mut seen = BTreeSet::new();
        for at in services {
            let (name, service) = &at.value;
            let text = name.as_str();
            if WORDS.contains(&text) || self.known.subjects.contains(text) || !seen.insert(name) {
                let message = format!("\"{name}\" is the name of something else, too");
                self.refuse(at, "name", ProblemCode::Duplicate, message, "give the service another name");
            }
            self.host(at, "host", &service.host);
            if service.host == Host::Cell && service.ports.is_empty() {
                let message = "the cell as a whole is no service".to_owned();
                let hint = "write the ports, as ports = [\"tcp/8096\"]";
                self.refuse(at, "ports", ProblemCode::Missing, message, hint);
            }
        }
    }

    fn host<T>(&mut self, at: &Placed<T>, field: &str, host: &Host) {
        if let Host::Named(name) = host
            && !self.known.hosts.contains(name.as_str())
        {
            let known = self.known.hosts.iter().copied().collect();
            self.unknown(at, field, name.as_str(), "a [[peer]] or [[reservation]], or an address", known);
        }
    }

    fn grants(&mut self, grants: &[Placed<Arc<Grant>>]) {
        let mut names = BTreeSet::new();
        let mut lengths = BTreeSet::new();
        for at in grants {
            for subject in &at.value.from {
                self.subject(at, subject);
            }
            for target in &at.value.to {
                self.target(at, target);
                if let Where::Network(net) = target.to {
                    lengths.insert((net.addr().is_ipv4(), net.prefix_len()));
                    let v4 = lengths.iter().filter(|(is_v4, _)| *is_v4 == net.addr().is_ipv4()).count();
                    if v4 > MAX_LENGTHS {
                        let message = format!(
                            "there are networks of more than {MAX_LENGTHS} lengths among the targets"
                        );
                        let hint = "write neighbouring networks as one, or the hosts that are meant";
                        self.refuse(at, "to", ProblemCode::Exhausted, message, hint);
                    }
                }
            }
            if let Some(name) = at.value.name.as_ref().filter(|name| !names.insert((*name).clone())) {
                let message = format!("there are two grants named {name}");
                self.refuse(at, "name", ProblemCode::Duplicate, message, "give one of them another name");
            }
        }
    }

    fn subject(&mut self, at: &Placed<Arc<Grant>>, subject: &Subject) {
        let Subject::Named(name) = subject else { return };
        let text = name.as_str();
        if self.known.services.contains(text) {
            let message = format!("\"{name}\" is a service, which begins nothing");
            self.refuse(at, "from", ProblemCode::BadValue, message, "write who may reach it into from");
        } else if !self.known.subjects.contains(text) {
            let known = self.known.subjects.iter().copied().collect();
            self.unknown(
                at,
                "from",
                text,
                "a [[peer]], [[group]], [[lan]], [[app]] or [[reservation]]",
                known,
            );
        } else if self.desired.lans.iter().any(|(lan, one)| lan.as_str() == text && one.uplink) {
            let message =
                format!("hosts of {name} do not come through the cell: it is the uplink's own network");
            let hint = "write a LAN of the cell's own, or peers";
            self.refuse(at, "from", ProblemCode::BadValue, message, hint);
        }
    }

    fn target(&mut self, at: &Placed<Arc<Grant>>, target: &Target) {
        let Where::Named(name) = &target.to else { return };
        let text = name.as_str();
        let is_service = self.known.services.contains(text);
        if is_service && target.ports.is_some() {
            let message = format!("\"{name}\" is a service, which has its own ports");
            self.refuse(at, "to", ProblemCode::BadValue, message, "leave the port out, or write the host");
        } else if !is_service && !self.known.subjects.contains(text) {
            let both = self.known.services.iter().chain(&self.known.subjects).copied().collect();
            let what = "a [[service]], [[peer]], [[group]], [[lan]], [[app]] or [[reservation]]";
            self.unknown(at, "to", text, what, both);
        }
    }

    fn forwards(&mut self, forwards: &[Placed<Forward>]) {
        let mut seen = BTreeMap::new();
        for at in forwards {
            let forward = &at.value;
            let listen = forward.listen;
            let name = port_words(listen);
            if let Some(other) = seen.insert(listen, at.path.clone()) {
                let message = format!("{name} is forwarded already by {other}");
                self.refuse(at, "listen", ProblemCode::Duplicate, message, "choose another port");
            }
            if let Some(whose) = self.used(listen) {
                let message = format!("{name} is {whose}");
                self.refuse(at, "listen", ProblemCode::Conflict, message, "choose another port");
            }
            self.host(at, "to", &forward.host);
            match forward.host {
                Host::Cell => {
                    let message = "the cell is no host behind itself".to_owned();
                    let hint = "to open a port of the cell, write it into firewall.open";
                    self.refuse(at, "to", ProblemCode::BadValue, message, hint);
                }
                Host::Address(address) if !self.is_inside(address) => {
                    let message = format!("{address} is in no network of the cell");
                    let hint = "write a host of a LAN, or a peer";
                    self.refuse(at, "to", ProblemCode::OutsideNetwork, message, hint);
                }
                _ => {}
            }
        }
    }

    /// Who else wants packets to this port of the cell.
    fn used(&self, port: Port) -> Option<&'static str> {
        let firewall = &self.desired.firewall;
        match port.protocol {
            Protocol::Tcp if firewall.ssh.contains(&port.number) => Some("the host's own ssh (firewall.ssh)"),
            Protocol::Udp if self.desired.wireguard.port == port.number => Some("WireGuard (wireguard.port)"),
            _ if firewall.open.contains(&port) => Some("open for the host itself (firewall.open)"),
            _ => None,
        }
    }

    fn is_inside(&self, address: IpAddr) -> bool {
        let tunnel = match self.desired.wireguard.ipv6 {
            crate::desired::Ipv6Choice::Net(net) => Some(IpNet::V6(net)),
            _ => None,
        };
        let lans = self.desired.lans.values().flat_map(|lan| lan.written_networks());
        let subnets = self.desired.subnets.values().map(|subnet| IpNet::V4(subnet.ipv4));
        let own = [IpNet::V4(self.desired.wireguard.ipv4)].into_iter().chain(tunnel);
        // A network that the cell chooses itself is not known here; any unique local address may be in one.
        let unique_local = matches!(address, IpAddr::V6(v6) if v6.octets()[0] & 0xfe == 0xfc);
        own.chain(lans).chain(subnets).any(|net| address::overlap(&net, &IpNet::from(address)))
            || unique_local
    }
}

fn port_words(port: Port) -> String {
    match port.protocol {
        Protocol::Tcp => format!("tcp/{}", port.number),
        Protocol::Udp => format!("udp/{}", port.number),
    }
}
