//! One function per table of `cell.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Range;

use super::VERSION;
use super::app;
use super::dns;
use super::egress;
use super::exit;
use super::group;
use super::lan::{self, Placed};
use super::policy;
use super::reader::{At, Reader};
use super::tests;
use super::time;
use super::unique::unique;
use super::values::{self, Value, quoted};
use crate::address;
use crate::desired::{
    Allow, Cell, Desired, Firewall, Inbound, Ipv6Choice, Peer, ReachTest, Uplink, UseLimits, WireGuard,
};
use crate::egress::Egress;
use crate::exit::Exit;
use crate::lan::{Lan, Reservation, Subnet};
use crate::limit::{Limit, Unit};
use crate::name::{ExitName, GroupName, LanName, PeerName};
use crate::problem::ProblemCode;

/// A peer as it stands in the file, before the peers are compared with each other.
pub(super) struct PeerAt {
    pub(super) name: PeerName,
    pub(super) peer: Peer,
    pub(super) path: String,
    pub(super) span: Range<usize>,
    /// Whether the file says one; a peer without has none yet.
    pub(super) has_address: bool,
}

impl PeerAt {
    /// Name and peer, if the file says its address.
    pub(super) fn into_plain(self) -> Option<(PeerName, Peer)> {
        self.has_address.then_some((self.name, self.peer))
    }
}

/// Where things stand that are checked against each other.
pub(super) struct Marks {
    pub(super) peers: Vec<(PeerName, String, Range<usize>)>,
    pub(super) lans: Vec<Placed<(LanName, Lan)>>,
    pub(super) subnets: Vec<Placed<(LanName, Subnet)>>,
    pub(super) reservations: Vec<Placed<Reservation>>,
    /// Addresses that the file leaves to the cell.
    pub(super) given: BTreeMap<PeerName, Ipv4Addr>,
    pub(super) dns: dns::Marks,
    pub(super) tests: Vec<Placed<ReachTest>>,
    pub(super) groups: Vec<Placed<group::Group>>,
    pub(super) exits: Vec<Placed<(ExitName, Exit)>>,
    pub(super) egress: Vec<Placed<Egress>>,
    pub(super) policy: policy::Marks,
}

impl Reader<'_, '_> {
    /// A value read by `read`, or a problem at its place.
    pub(super) fn value<T>(
        &mut self,
        at: Option<At<String>>,
        read: impl FnOnce(&str) -> Value<T>,
    ) -> Option<T> {
        let at = at?;
        read(&at.value).map_err(|bad| self.bad(&at, bad)).ok()
    }

    pub(super) fn bad<T>(&mut self, at: &At<T>, bad: values::Bad) {
        self.refuse(&at.span, at.path.clone(), ProblemCode::BadValue, bad.message, bad.hint);
    }

    pub(super) fn needed<T>(
        &mut self,
        key: &str,
        hint: &str,
        read: impl FnOnce(&str) -> Value<T>,
    ) -> Option<T> {
        match self.string(key) {
            Some(at) => self.value(Some(at), read),
            None => {
                // A wrong type was already reported; then the key is there.
                if !self.has(key) {
                    self.missing(key, hint);
                }
                None
            }
        }
    }

    pub(super) fn each<T>(
        &mut self,
        items: Option<Vec<At<String>>>,
        read: fn(&str) -> Value<T>,
    ) -> Option<Vec<T>> {
        let items = items?;
        Some(items.into_iter().filter_map(|at| self.value(Some(at), read)).collect())
    }

    /// A limit, "off", or what it is when nothing is said.
    fn limit(&mut self, key: &str, default: Limit) -> Option<Limit> {
        let at = self.string(key);
        self.value(at, values::limit).unwrap_or(Some(default))
    }

    fn port(&mut self, at: Option<At<i64>>) -> Option<u16> {
        let at = at?;
        values::port_number(at.value).map_err(|bad| self.bad(&at, bad)).ok()
    }
}

/// After an outage all devices behind one home's address begin at once; a browser opens a few dozen connections.
const LIMIT: Limit = Limit { count: 50, per: Unit::Second, burst: 200 };
/// Enough for scripts, too little to try passwords.
const LIMIT_SSH: Limit = Limit { count: 30, per: Unit::Minute, burst: 30 };

/// The whole file. `None` when something needed is missing; the problems then say what. `before` is the state in which
/// peers without an address may have had one.
pub(super) fn cell_file(root: &mut Reader<'_, '_>, before: Option<&Desired>) -> Option<(Desired, Marks)> {
    version(root);
    let cell = if root.has("cell") {
        root.table("cell", cell)
    } else {
        root.missing("cell", "write [cell] and name = \"home\"");
        None
    };
    let uplink = root.table("uplink", uplink);
    let wireguard = root.table("wireguard", wireguard);
    // Without a name of the cell the file is refused anyway; its records are still looked at.
    let zone = cell.as_ref().map_or_else(|| "cell".to_owned(), |cell: &Cell| cell.name.zone());
    let (dns, dns_marks) = root.table("dns", |t| dns::dns(t, &zone));
    let time = root.table("time", time::time);
    let firewall = root.table("firewall", firewall);
    let tests = tests::read(root);
    let policy = policy::read(root);
    let exits = exit::exits(root);
    let egress = egress::read(root);
    let groups = group::groups(root);
    let names = groups.iter().map(|at| at.value.0.clone()).collect();
    let peers = peers(root, &wireguard, &names);
    let mut lans = lan::lans(root);
    let subnets = lan::subnets(root);
    let mut reservations = lan::reservations(root, &names);
    for (network, address) in app::apps(root) {
        lans.push(network);
        reservations.push(address);
    }
    root.refuse_unknown();
    let (peers, mut marks) = unique(root, peers, &wireguard, before);
    let desired = Desired {
        cell: cell?,
        uplink,
        wireguard,
        groups: names,
        group_exits: groups.iter().filter_map(|at| Some((at.value.0.clone(), at.value.1.clone()?))).collect(),
        group_limits: groups
            .iter()
            .map(|at| (at.value.0.clone(), at.value.2))
            .filter(|(_, limits)| *limits != UseLimits::default())
            .collect(),
        exits: exits.iter().map(|at| at.value.clone()).collect(),
        egress: egress.iter().map(|at| at.value.clone()).collect(),
        peers: peers.into(),
        lans: lans.iter().map(|at| at.value.clone()).collect(),
        subnets: subnets.iter().map(|at| at.value.clone()).collect(),
        reservations: reservations.iter().map(|at| at.value.clone()).collect(),
        dns,
        time,
        firewall,
        tests: tests.iter().map(|at| at.value.clone()).collect(),
        services: policy.services.iter().map(|at| at.value.clone()).collect(),
        grants: policy.grants.iter().map(|at| at.value.clone()).collect(),
        forwards: policy.forwards.iter().map(|at| at.value.clone()).collect(),
    };
    (marks.lans, marks.subnets, marks.reservations) = (lans, subnets, reservations);
    (marks.tests, marks.policy) = (tests, policy);
    (marks.dns, marks.groups, marks.exits, marks.egress) = (dns_marks, groups, exits, egress);
    Some((desired, marks))
}

fn version(root: &mut Reader<'_, '_>) {
    if let Some(at) = root.integer("version")
        && at.value != VERSION
    {
        let message = format!("this file is of version {}; this release reads version {VERSION}", at.value);
        let hint = if at.value > VERSION { "upgrade the package `pic` first" } else { "write version = 1" };
        root.refuse(&at.span, at.path, ProblemCode::Version, message, hint);
    }
}

fn cell(t: &mut Reader<'_, '_>) -> Option<Cell> {
    let name = t.needed("name", "write name = \"home\"", |s| values::parsed(s, "a name"));
    let domain = t.string("domain");
    let domain = t.value(domain, |s| values::parsed(s, "a domain"));
    let timezone = t.string("timezone");
    let timezone = t.value(timezone, values::timezone).unwrap_or_else(|| "UTC".to_owned());
    Some(Cell { name: name?, domain, timezone })
}

fn uplink(t: &mut Reader<'_, '_>) -> Uplink {
    let interface = t.string("interface").filter(|at| at.value != "auto");
    let outside = |name: &str| match name {
        "lo" => Err(values::Bad {
            message: "lo leads nowhere".to_owned(),
            hint: "write the interface toward the internet",
        }),
        _ if name.strip_prefix("pic").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit())) => {
            Err(values::Bad {
                message: format!("{} is the cell's own", quoted(name)),
                hint: "write the interface toward the internet",
            })
        }
        _ => values::parsed(name, "an interface"),
    };
    let interface = t.value(interface, outside);
    let prefix = t.string("prefix");
    let prefix = t.value(prefix, values::uplink_prefix).unwrap_or_default();
    let [upload, download] = ["upload", "download"].map(|key| {
        let speed = t.string(key);
        t.value(speed, |s| values::parsed(s, "a rate"))
    });
    Uplink { interface, prefix, upload, download }
}

fn wireguard(t: &mut Reader<'_, '_>) -> WireGuard {
    let port = t.integer("port");
    let port = t.port(port).unwrap_or(51820);
    let net = t.string("ipv4");
    let ipv4 = t.value(net, values::network4).unwrap_or_else(default_ipv4);
    let net = t.string("ipv6");
    let ipv6 = t.value(net, values::ipv6_choice).unwrap_or(Ipv6Choice::Auto);
    let endpoint = t.string("endpoint").filter(|at| at.value != "auto");
    let endpoint = t.value(endpoint, values::endpoint);
    let mtu = t.integer("mtu").and_then(|at| match u16::try_from(at.value) {
        Ok(mtu) if (1280..=1500).contains(&mtu) => Some(mtu),
        _ => {
            let message = format!("{} is not a size of 1280 to 1500 bytes", at.value);
            t.bad(&at, values::Bad { message, hint: "leave it out for 1420" });
            None
        }
    });
    WireGuard { port, ipv4, ipv6, endpoint, mtu: mtu.unwrap_or(1420) }
}

fn default_ipv4() -> ipnet::Ipv4Net {
    ipnet::Ipv4Net::new_assert(Ipv4Addr::new(10, 77, 0, 0), 16)
}

fn firewall(t: &mut Reader<'_, '_>) -> Firewall {
    let inbound = t.string("inbound");
    let inbound = t.value(inbound, |text| match text {
        "closed" => Ok(Inbound::Closed),
        "open" => Ok(Inbound::Open),
        _ => Err(values::Bad {
            message: format!("{} is no stance", quoted(text)),
            hint: "write \"closed\" or \"open\"",
        }),
    });
    let ssh = t.integers("ssh");
    let ssh = ssh.map(|ports| ports.into_iter().filter_map(|at| t.port(Some(at))).collect());
    let admin = t.strings("admin");
    let admin = t.each(admin, values::address).unwrap_or_default().into_iter().collect();
    let open = t.strings("open");
    let open = t.each(open, values::port).unwrap_or_default().into_iter().collect();
    let limit = t.limit("limit", LIMIT);
    let limit_ssh = t.limit("limit_ssh", LIMIT_SSH);
    Firewall {
        inbound: inbound.unwrap_or(Inbound::Closed),
        ssh: ssh.unwrap_or_else(|| BTreeSet::from([22])),
        admin,
        open,
        limit,
        limit_ssh,
    }
}

/// Every `[[peer]]`, each right by itself.
pub(super) fn peers(
    root: &mut Reader<'_, '_>,
    wireguard: &WireGuard,
    groups: &BTreeSet<GroupName>,
) -> Vec<PeerAt> {
    root.tables("peer", |t, span| peer(t, span, wireguard, groups))
}

fn peer(
    t: &mut Reader<'_, '_>,
    span: Range<usize>,
    wireguard: &WireGuard,
    groups: &BTreeSet<GroupName>,
) -> Option<PeerAt> {
    let name = t.needed("name", "write name = \"phone\"", |s| values::parsed(s, "a name"));
    let key = t.needed("public_key", "write the device's public key", |s| values::parsed(s, "a key"));
    let address = t.string("address");
    let has_address = address.is_some();
    let address = t.value(address, |s| {
        let address = values::ipv4(s)?;
        if address::is_peer_v4(wireguard.ipv4, address) {
            Ok(address)
        } else {
            Err(outside(&wireguard.ipv4.to_string(), s))
        }
    });
    let address6 = t.string("address6");
    let address6 = t.value(address6, values::ipv6);
    let groups = group::members(t, groups);
    let allow = allow(t);
    let exit = exit::ways(t);
    let endpoint = t.string("endpoint");
    let endpoint = t.value(endpoint, values::endpoint);
    let offer = t.boolean("offer").is_some_and(|at| at.value);
    let limits = group::limits(t);
    let expires = t.string("expires");
    let expires = t.value(expires, values::expires);
    let enabled = t.boolean("enabled").is_none_or(|at| at.value);
    let preshared = t.boolean("preshared").is_none_or(|at| at.value);
    let allow = allow.unwrap_or_else(|| BTreeSet::from([Allow::Internet, Allow::Cell]));
    let peer = Peer {
        public_key: key?,
        address: address.unwrap_or(Ipv4Addr::UNSPECIFIED),
        address6,
        groups,
        allow,
        endpoint,
        offer,
        exit,
        limits,
        expires,
        enabled,
        preshared,
    };
    Some(PeerAt { name: name?, peer, path: t.path().to_owned(), span, has_address })
}

/// `allow`, of a peer or of a LAN.
pub(super) fn allow(t: &mut Reader<'_, '_>) -> Option<BTreeSet<Allow>> {
    let allow = t.strings("allow");
    let allow = t.each(allow, |text| match text {
        "internet" => Ok(Allow::Internet),
        "cell" => Ok(Allow::Cell),
        _ => Err(values::Bad {
            message: format!("{} is nothing to allow", quoted(text)),
            hint: "write \"internet\" or \"cell\"",
        }),
    });
    allow.map(|list| list.into_iter().collect())
}

fn outside(network: &str, text: &str) -> values::Bad {
    values::Bad {
        message: format!("{} cannot be given to a peer of {network}", quoted(text)),
        hint: "choose a host of wireguard.ipv4 other than the first, or leave the address out",
    }
}
