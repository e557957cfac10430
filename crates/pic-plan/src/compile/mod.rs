//! From desired state and facts to targets. One module per surface; each is a plain function of its input.

mod dns;
pub mod exit;
mod firewall;
mod granted;
mod lan;
mod network;
pub mod policy;
mod queue;
mod resolver;
mod routing;
mod time;
mod tunnel;

pub mod client;

pub use dns::TTL as DNS_TTL;
pub use firewall::{TOO_OFTEN, TOO_OFTEN_SSH, usage};
pub use granted::{Before, Granted};
pub use lan::Resolved as ResolvedLan;
pub use network::Network;
pub use time::is_served as is_time_served;

use std::collections::BTreeMap;

use pic_model::Desired;
use pic_model::desired::Peer;
use pic_model::snapshot::dns::DnsSnapshot;

use crate::both;
use crate::facts::Facts;
use crate::marks;
use crate::target::link::Kind;
use crate::target::{Targets, sysctl, unit};

/// What our objects should be. No desired state means none of them.
pub fn compile(desired: Option<&Desired>, facts: &Facts) -> Targets {
    desired.map_or_else(Targets::default, |desired| again(None, desired, facts).0)
}

/// The same, with what helps the next time. After a state that says all but some more grants, only those are looked at; what
/// comes out is what it is without such help.
pub fn again(before: Option<Before<'_>>, desired: &Desired, facts: &Facts) -> (Targets, Granted) {
    let network = Network::new(desired, facts);
    let all = ResolvedLan::all(desired, facts);
    let directory = policy::Directory::new(desired, facts, &network, &all);
    let added = before.and_then(|before| Some((before, before.added(desired, facts)?)));
    let ((seen, names), (mut targets, policy)) = both(
        || {
            let seen = match added {
                Some((before, added)) => before.granted.seen.more(desired, added, facts.now, &directory),
                None => policy::Seen::new(desired, &directory, facts.now),
            };
            let names = dns::files(desired, facts, &network, &all, &directory, &seen);
            (seen, names)
        },
        || {
            let policy = match added {
                Some((before, added)) => before.granted.policy.more(desired, added, facts.now, &directory),
                None => policy::Policy::new(desired, facts, &directory),
            };
            (objects(desired, facts, &network, &all, &policy), policy)
        },
    );
    targets.files.extend(names);
    (targets, Granted { policy, seen })
}

/// Everything but what the name server serves.
fn objects(
    desired: &Desired,
    facts: &Facts,
    network: &Network,
    all: &[ResolvedLan<'_>],
    granted: &policy::Policy,
) -> Targets {
    // The uplink's own network is served and left as it is otherwise.
    let (outside, lans): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|lan| lan.lan.uplink);
    let exits = exit::Resolved::all(desired, facts);
    let mut links = tunnel::links(desired, facts, network);
    links.extend(exit::links(&exits, facts));
    links.extend(lan::vlans(&lans, facts));
    links.extend(lan::app::links(&lans));
    let mut files: BTreeMap<_, _> = lan::dhcp::file(desired, facts, all).into_iter().collect();
    files.extend(lan::app::files(&lans, desired));
    files.extend(exit::tor::files(&exits, desired, facts, network));
    files.extend(exit::proxy::files(&exits, desired, facts, network));
    files.extend(exit::openvpn::files(&exits, facts));
    files.extend(time::file(desired, facts, network, &lans));
    let prefixes = lan::delegated::prefixes(desired, facts).into_iter();
    let mut routes = routing::routes(network, prefixes.map(|(one, _)| one.prefix));
    routes.extend(lan::routes(&lans, facts));
    routes.extend(exit::routes(&exits));
    let mut wireguard = tunnel::devices(desired, facts, network);
    wireguard.extend(exit::devices(&exits));
    let mut rules = routing::rules(&lans);
    rules.extend(exit::rules(&exits, &lans));
    let leaving = exit::firewall::Exits::new(desired, facts, network, &lans);
    let egress = exit::egress::Lines::new(desired, facts, network, &lans);
    let scope = firewall::Scope {
        desired,
        facts,
        network,
        lans: &lans,
        outside: &outside,
        policy: granted,
        exits: &leaving,
        egress: &egress,
    };
    let mut table = firewall::table(&scope);
    let queues = queue::queues(desired, facts, &lans);
    table.chains.extend(queue::chains(&queues));
    let mut targets = Targets {
        links,
        host_links: lan::host_links(&lans, facts),
        wireguard,
        routes,
        rules,
        nft: Some(table),
        queues,
        files,
        exits: exits.iter().map(|exit| (exit.interface(), exit.name.to_string())).collect(),
        next_change: [next_expiry(desired, facts.now), granted.next_change, next_unban(facts)]
            .into_iter()
            .flatten()
            .min(),
        ..Targets::default()
    };
    sysctls(facts, &lans, &mut targets);
    firewall::sysctls(desired, facts, &lans, &mut targets);
    exit::sysctls(&exits, facts, &mut targets);
    units(facts, &mut targets);
    resolver::add(desired, network, &mut targets);
    targets
}

/// What the name server serves: all names but those of leases.
pub fn dns_snapshot(desired: &Desired, facts: &Facts) -> DnsSnapshot {
    let (network, lans) = (Network::new(desired, facts), ResolvedLan::all(desired, facts));
    let directory = policy::Directory::new(desired, facts, &network, &lans);
    let seen = policy::Seen::new(desired, &directory, facts.now);
    dns::snapshot(desired, facts, &network, &lans, &directory, &seen)
}

/// Whether the cell lets a peer in at this moment.
pub fn is_active(peer: &Peer, now: i64) -> bool {
    peer.enabled && peer.expires.is_none_or(|at| now < at)
}

fn next_expiry(desired: &Desired, now: i64) -> Option<i64> {
    desired
        .peers
        .values()
        .filter(|peer| peer.enabled)
        .filter_map(|peer| peer.expires)
        .filter(|at| *at > now)
        .min()
}

fn next_unban(facts: &Facts) -> Option<i64> {
    facts.bans.iter().map(|ban| ban.until).filter(|until| *until > facts.now).min()
}

fn sysctls(facts: &Facts, lans: &[ResolvedLan<'_>], targets: &mut Targets) {
    let mut set =
        |parts: &[&str], value: &str| targets.sysctls.insert(sysctl::Key::new(parts), value.to_owned());
    set(&["net", "ipv4", "ip_forward"], "1");
    set(&["net", "ipv6", "conf", "all", "forwarding"], "1");
    // The kernel's WireGuard switches it off for the whole host when its interface comes up, and never on again: said
    // here, it is kept and put back like all else.
    set(&["net", "ipv4", "conf", "all", "send_redirects"], "0");
    // A forwarding host ignores router advertisements unless told otherwise, and so would lose its own default route
    // or, at boot, never get one.
    // On a LAN the router is the cell.
    let is_lan = |name: &str| lans.iter().any(|lan| lan.device == name);
    for interface in facts.advertised.iter().filter(|interface| !is_lan(interface.as_str())) {
        set(&["net", "ipv6", "conf", interface.as_str(), "accept_ra"], "2");
    }
}

fn units(facts: &Facts, targets: &mut Targets) {
    let running = unit::Unit { active: true };
    targets.units.insert(marks::UNIT_DNS.to_owned(), running.clone());
    if targets.files.contains_key(marks::FILE_DHCP) {
        targets.units.insert(marks::UNIT_DHCP.to_owned(), running.clone());
    }
    if targets.files.contains_key(marks::FILE_TIME) {
        targets.units.insert(marks::UNIT_TIME.to_owned(), running.clone());
    }
    // One runs as long as it has a snapshot.
    let exits: Vec<_> = targets.files.keys().filter_map(|path| marks::unit_of_file(path)).collect();
    targets.units.extend(exits.into_iter().map(|name| (name, running.clone())));
    if !facts.kernel_wireguard {
        let is_its = |name: &str| !targets.units.contains_key(&marks::OPENVPN.unit(name));
        let tunnels = targets.links.iter().filter(|(name, link)| link.kind == Kind::Tun && is_its(name));
        let units: Vec<_> = tunnels.map(|(name, _)| marks::wireguard_unit(name)).collect();
        targets.units.extend(units.into_iter().map(|name| (name, running.clone())));
    }
}
