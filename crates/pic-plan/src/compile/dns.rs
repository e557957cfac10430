//! What the DNS service answers: the cell's zone and its reverse zones.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use pic_model::Desired;
use pic_model::snapshot::dns::{DnsSnapshot, Record, RecordData, Upstream, VERSION, Zone};

use super::Network;
use crate::facts::Facts;
use crate::marks;
use crate::target::file::File;

/// Seconds an answer may be kept: short, so that a change is seen soon.
const TTL: u32 = 60;
const PORT: u16 = 53;

pub(super) fn files(desired: &Desired, facts: &Facts, network: &Network) -> BTreeMap<String, File> {
    let snapshot = snapshot(desired, facts, network);
    // A map with string keys and plain data always serialises; an empty file would be refused by the service.
    let content = serde_json::to_vec(&snapshot).unwrap_or_default();
    BTreeMap::from([(marks::FILE_DNS.to_owned(), File { content, mode: 0o644 })])
}

fn snapshot(desired: &Desired, facts: &Facts, network: &Network) -> DnsSnapshot {
    let addresses: Vec<IpAddr> = network.cell_addresses().map(|net| net.addr()).collect();
    let upstreams = desired.dns.upstreams.clone().unwrap_or_else(|| {
        let plain = |ip: &IpAddr| Upstream::Plain { address: SocketAddr::new(*ip, PORT) };
        facts.resolvers.iter().filter(|ip| !addresses.contains(ip)).map(plain).collect()
    });
    DnsSnapshot {
        version: VERSION,
        // Not the ledger's number: a change elsewhere must not touch this file.
        generation: 0,
        listen: addresses.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect(),
        clients: network.networks().collect(),
        zones: zones(desired, network),
        upstreams,
    }
}

fn zones(desired: &Desired, network: &Network) -> Vec<Zone> {
    let zone = desired.cell.name.zone();
    let own = std::iter::once((zone.clone(), IpAddr::V4(network.cell4), network.cell6()));
    let peers = desired.peers.iter().map(|(name, peer)| {
        (format!("{name}.{zone}"), IpAddr::V4(peer.address), network.peer6(peer))
    });
    let (mut forward, mut reverse4, mut reverse6) = (Vec::new(), Vec::new(), Vec::new());
    for (name, v4, v6) in own.chain(peers) {
        forward.push(Record { name: name.clone(), ttl: TTL, data: RecordData::Address(v4) });
        reverse4.push(Record { name: reverse(v4), ttl: TTL, data: RecordData::Ptr(name.clone()) });
        if let Some(v6) = v6.map(IpAddr::V6) {
            forward.push(Record { name: name.clone(), ttl: TTL, data: RecordData::Address(v6) });
            reverse6.push(Record { name: reverse(v6), ttl: TTL, data: RecordData::Ptr(name) });
        }
    }
    let mut zones = vec![
        Zone { name: zone, records: forward },
        Zone { name: reverse_zone(IpAddr::V4(network.net4.network()), network.net4.prefix_len()), records: reverse4 },
    ];
    if let Some(net6) = network.net6 {
        zones.push(Zone { name: reverse_zone(IpAddr::V6(net6.network()), net6.prefix_len()), records: reverse6 });
    }
    for zone in &mut zones {
        zone.records.sort();
    }
    zones
}

/// Labels of the reverse name, least significant first (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reverse_labels(address: IpAddr) -> (Vec<String>, &'static str) {
    match address {
        IpAddr::V4(v4) => (v4.octets().iter().rev().map(u8::to_string).collect(), "in-addr.arpa"),
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            (nibbles.map(|nibble| format!("{nibble:x}")).collect(), "ip6.arpa")
        }
    }
}

fn reverse(address: IpAddr) -> String {
    let (labels, suffix) = reverse_labels(address);
    format!("{}.{suffix}", labels.join("."))
}

/// The zone on the label boundary at or above a network's prefix.
fn reverse_zone(network: IpAddr, prefix: u8) -> String {
    let (labels, suffix) = reverse_labels(network);
    let bits_per_label = if network.is_ipv4() { 8 } else { 4 };
    let kept = usize::from(prefix / bits_per_label);
    format!("{}.{suffix}", labels[labels.len() - kept..].join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_names() {
        assert_eq!(reverse("10.77.0.2".parse().unwrap()), "2.0.77.10.in-addr.arpa");
        assert_eq!(reverse_zone("10.77.0.0".parse().unwrap(), 16), "77.10.in-addr.arpa");
        assert_eq!(reverse_zone("10.77.16.0".parse().unwrap(), 20), "77.10.in-addr.arpa");
        let zone = reverse_zone("fd12:3456:789a::".parse().unwrap(), 64);
        assert_eq!(zone, "0.0.0.0.a.9.8.7.6.5.4.3.2.1.d.f.ip6.arpa");
        assert!(reverse("fd12:3456:789a::2".parse().unwrap()).starts_with("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."));
    }
}
