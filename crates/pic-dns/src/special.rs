//! Names that mean something only here, so a question about them must not leave the cell.

use crate::wire::rtype;
use crate::zone::{RrSet, Values};

/// TTL of answers about these names: they never change.
pub(crate) const TTL: u32 = 3_600;

/// Zones served empty, unless the snapshot defines them. From RFC 6303 (with 7793), 6761, 6762, 7686, 8375, 9462, 9476,
/// and `cell`, under which every cell has its own name and the public root has nothing.
const SINGLE: &[&str] = &[
    "cell",
    "alt",
    "invalid",
    "local",
    "onion",
    "test",
    "home.arpa",
    "resolver.arpa",
    "0.in-addr.arpa",
    "10.in-addr.arpa",
    "127.in-addr.arpa",
    "254.169.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "168.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
];

/// All names served empty: the list above and the private ranges that no single reverse name covers.
pub(crate) fn empty_zones() -> impl Iterator<Item = String> {
    let private = (16..=31).map(|n| format!("{n}.172.in-addr.arpa"));
    let carrier = (64..=127).map(|n| format!("{n}.100.in-addr.arpa"));
    SINGLE.iter().map(|name| (*name).to_owned()).chain(private).chain(carrier)
}

/// What every name under `localhost` holds.
pub(crate) fn loopback_sets() -> Vec<RrSet> {
    let v4 = std::net::Ipv4Addr::LOCALHOST.octets();
    let v6 = std::net::Ipv6Addr::LOCALHOST.octets();
    vec![RrSet::open(rtype::A, TTL, Values::of(&v4)), RrSet::open(rtype::AAAA, TTL, Values::of(&v6))]
}
