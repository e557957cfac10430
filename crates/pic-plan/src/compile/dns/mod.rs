//! What the DNS service answers: the cell's zone and its reverse zones.

pub(super) mod outside;
mod records;
mod services;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use pic_model::desired::DnsBlocklist;
use pic_model::lan::Reservation;
use pic_model::snapshot::dns::{
    Blocklist, DnsExit, DnsSnapshot, Dnssec, Host, LeaseViews, TlsListen, Upstream, VERSION, Zone,
};
use pic_model::{Desired, address};

use super::policy::{Directory, Seen};
use super::{Network, ResolvedLan, exit, lan};
use crate::facts::Facts;
use crate::marks;
use crate::target::file::File;
use crate::target::nft::L4;
use views::Views;

/// Seconds an answer may be kept: short, so that a change is seen soon.
pub const TTL: u32 = 60;
const PORT: u16 = 53;
/// DNS over TLS (RFC 7858).
const TLS_PORT: u16 = 853;

pub(super) fn files(
    desired: &Desired,
    facts: &Facts,
    network: &Network,
    lans: &[ResolvedLan<'_>],
    directory: &Directory<'_>,
    seen: &Seen,
) -> BTreeMap<String, File> {
    let snapshot = snapshot(desired, facts, network, lans, directory, seen);
    // A map with string keys and plain data always serialises; an empty file would be refused by the service.
    let content = serde_json::to_vec(&snapshot).unwrap_or_default();
    BTreeMap::from([(marks::FILE_DNS.to_owned(), File { content, mode: 0o644 })])
}

/// Where clients ask for names: what the firewall lets them through to.
pub(super) fn ports(desired: &Desired) -> Vec<(L4, u16)> {
    let tls = desired.dns.tls.iter().flat_map(|tls| std::iter::once(TLS_PORT).chain(tls.https_port));
    [(L4::Udp, PORT), (L4::Tcp, PORT)].into_iter().chain(tls.map(|port| (L4::Tcp, port))).collect()
}

/// Questions by TLS are taken at the same addresses as others.
fn tls(desired: &Desired, addresses: &[IpAddr]) -> Option<TlsListen> {
    let tls = desired.dns.tls.as_ref()?;
    let at = |port| addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
    Some(TlsListen { dns: at(TLS_PORT), https: tls.https_port.map(at).unwrap_or_default() })
}

fn dnssec(dns: &pic_model::desired::Dns) -> Option<Dnssec> {
    let required = match dns.dnssec {
        Some(false) => return None,
        Some(true) => true,
        None => false,
    };
    Some(Dnssec { trust_anchor: dns.trust_anchor.clone(), required })
}

pub(super) fn snapshot(
    desired: &Desired,
    facts: &Facts,
    network: &Network,
    lans: &[ResolvedLan<'_>],
    directory: &Directory<'_>,
    seen: &Seen,
) -> DnsSnapshot {
    let tunnel = network.cell_addresses().map(|net| net.addr());
    let addresses: Vec<IpAddr> = tunnel.chain(lan::dhcp::resolvers(lans)).collect();
    let networks = || network.networks().chain(lans.iter().flat_map(|lan| lan.reached().collect::<Vec<_>>()));
    let upstreams = desired.dns.upstreams.clone().unwrap_or_else(|| {
        let plain = |ip: &IpAddr| Upstream::Plain { address: SocketAddr::new(*ip, PORT) };
        facts.resolvers.iter().filter(|ip| !addresses.contains(ip)).map(plain).collect()
    });
    let views = Views::new(desired, facts, network, lans, directory, seen);
    let reverse: Vec<String> = networks().map(reverse_zone).collect();
    let pointers = records::pointers(desired, &views);
    // A pointer outside the cell's own networks is a zone by itself, so that its neighbours stay where they are.
    let lone = |name: &String| !reverse.iter().any(|zone| name.ends_with(&format!(".{zone}")));
    let lone: BTreeSet<String> = pointers.iter().map(|record| record.name.clone()).filter(lone).collect();
    DnsSnapshot {
        version: VERSION,
        // Not the ledger's number: a change elsewhere must not touch this file.
        generation: 0,
        listen: addresses
            .iter()
            .chain(outside::addresses(desired, facts).iter().filter(|ip| !addresses.contains(ip)))
            .map(|ip| SocketAddr::new(*ip, PORT))
            .collect(),
        outside: views.outside,
        clients: networks().collect(),
        zones: vec![zone(desired, network, lans, &views)],
        reverse: reverse.iter().cloned().chain(lone).collect::<BTreeSet<_>>().into_iter().collect(),
        upstreams,
        pointers,
        forwards: records::forwards(desired),
        private: desired.dns.private.iter().map(|name| name.as_str().to_owned()).collect(),
        blocklists: desired.dns.blocklists.iter().map(blocklist).collect(),
        dnssec: dnssec(&desired.dns),
        allow: desired.dns.allow.iter().map(|name| name.as_str().to_owned()).collect(),
        query_log: desired.dns.query_log,
        tls: tls(desired, &addresses),
        leases: lans.iter().flat_map(|lan| leases(lan, &views)).collect(),
        views: views.list,
        exits: exits(desired, facts),
        egress: exit::egress::names(desired, facts),
        timezone: (desired.cell.timezone != "UTC").then(|| desired.cell.timezone.clone()),
    }
}

/// Who sees what devices of a LAN and of the subnets behind it call themselves.
fn leases(lan: &ResolvedLan<'_>, views: &Views<'_>) -> Vec<LeaseViews> {
    let one = |(name, networks)| LeaseViews { networks, views: views.of_host("", Some(name)) };
    views::networks(lan).into_iter().map(one).collect()
}

/// Ways by which questions of those leave who are sent by an exit.
fn exits(desired: &Desired, facts: &Facts) -> Vec<DnsExit> {
    exit::Resolved::all(desired, facts).iter().map(|one| exit::names(desired, facts, one)).collect()
}

fn blocklist(list: &DnsBlocklist) -> Blocklist {
    Blocklist { name: list.name.to_string(), source: list.source.clone(), when: list.when.clone() }
}

fn zone(desired: &Desired, network: &Network, lans: &[ResolvedLan<'_>], views: &Views<'_>) -> Zone {
    let host = |name: &str, v4: Ipv4Addr, v6: Option<Ipv6Addr>, views: Option<Vec<u16>>| Host {
        name: name.to_owned(),
        addresses: std::iter::once(IpAddr::V4(v4)).chain(v6.map(IpAddr::V6)).collect(),
        views,
    };
    let own = std::iter::once(host("", network.cell4, network.cell6(), None));
    // Who may not reach a host does not resolve it either.
    let peers = desired.peers.iter().map(|(name, peer)| {
        let views = views.of_host(name.as_str(), None);
        host(name.as_str(), peer.address, network.peer6(peer), Some(views))
    });
    // In DNS from the moment they are written down, whether the device was ever seen or not.
    let kept = desired.reservations.iter().filter_map(|kept| {
        let name = kept.name.as_ref()?.to_string();
        let views = views.of_host(&name, Some(kept.lan.as_str()));
        Some(Host { name, addresses: addresses_of(kept, lans), views: Some(views) })
    });
    let services = services::hosts(desired, network, lans, views);
    let mut hosts: Vec<Host> = own.chain(peers).chain(kept).chain(services).collect();
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    Zone { name: desired.cell.name.zone(), ttl: TTL, hosts, records: records::records(desired, views) }
}

/// Addresses that are kept for a device.
fn addresses_of(kept: &Reservation, lans: &[ResolvedLan<'_>]) -> Vec<IpAddr> {
    let v6 = kept.address6.into_iter().flat_map(|host| {
        let lan = lans.iter().find(move |lan| lan.name == kept.lan.as_str());
        lan.into_iter().flat_map(ResolvedLan::preferred6).map(move |net| address::join_v6(net, host))
    });
    std::iter::once(IpAddr::V4(kept.address)).chain(v6.map(IpAddr::V6)).collect()
}

/// The zone on the label boundary at or above a network's prefix, its labels least significant first (RFC 1035
/// section 3.5, RFC 3596 section 2.5).
fn reverse_zone(network: IpNet) -> String {
    let (mut labels, bits_per_label, suffix): (Vec<String>, u8, _) = match network {
        IpNet::V4(net) => (net.network().octets().iter().map(u8::to_string).collect(), 8, "in-addr.arpa"),
        IpNet::V6(net) => {
            let nibbles = net.network().octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            (nibbles.map(|nibble| format!("{nibble:x}")).collect(), 4, "ip6.arpa")
        }
    };
    labels.truncate(usize::from(network.prefix_len() / bits_per_label));
    labels.reverse();
    labels.push(suffix.to_owned());
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_zones() {
        let zone = |network: &str| reverse_zone(network.parse().unwrap());
        assert_eq!(zone("10.77.0.0/16"), "77.10.in-addr.arpa");
        assert_eq!(zone("10.77.16.0/20"), "77.10.in-addr.arpa");
        assert_eq!(zone("fd12:3456:789a::/64"), "0.0.0.0.a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa");
    }
}
