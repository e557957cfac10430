//! Router advertisements (RFC 4861) with resolvers and search domains (RFC 8106), routes (RFC 4191) and
//! a captive portal (RFC 8910). Pure.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use pic_model::dhcp_option::wire_name;
use pic_model::snapshot::dhcp::Ipv6Lan;

use crate::prefixes::Prefix;

/// Seconds between two advertisements nobody asked for.
pub const INTERVAL: u64 = 200;
/// The same for the first few (`MAX_INITIAL_RTR_ADVERT_INTERVAL`), and how many.
pub const FIRST_INTERVAL: u64 = 16;
/// See [`FIRST_INTERVAL`].
pub const FIRST: u8 = 3;
/// Longest milliseconds that one who asks waits (`MAX_RA_DELAY_TIME`).
pub const DELAY: u64 = 500;
/// Least milliseconds between two advertisements to everyone (`MIN_DELAY_BETWEEN_RAS`).
pub const PAUSE: u64 = 3000;
/// Type of a solicitation.
pub const SOLICITATION: u8 = 133;
/// Type of an advertisement.
pub const ADVERTISEMENT: u8 = 134;
/// Seconds that hosts take the cell for a router, and its resolvers for theirs, without hearing it again.
const LIFETIME: u16 = 1800;
/// Prefixes of another router that are remembered.
const MOST: usize = 8;

/// Options by their type.
mod option {
    pub(super) const SOURCE: u8 = 1;
    pub(super) const PREFIX: u8 = 3;
    pub(super) const MTU: u8 = 5;
    pub(super) const ROUTE: u8 = 24;
    pub(super) const RESOLVERS: u8 = 25;
    pub(super) const SEARCH: u8 = 31;
    pub(super) const CAPTIVE_PORTAL: u8 = 37;
}

/// An advertisement; with `farewell` one that takes back what the others said.
pub fn advertisement(lan: &Ipv6Lan, prefixes: &[Prefix], mac: [u8; 6], farewell: bool) -> Vec<u8> {
    let router = if lan.router && !farewell { LIFETIME } else { 0 };
    let lifetime = if farewell { 0 } else { u32::from(LIFETIME) };
    // Hop limit 64; more by DHCPv6 (O), and addresses if they are handed out (M).
    let flags = if lan.dhcp6.is_some() { 0xc0 } else { 0x40 };
    let mut out = vec![ADVERTISEMENT, 0, 0, 0, 64, flags];
    out.extend_from_slice(&router.to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&[option::SOURCE, 1]);
    out.extend_from_slice(&mac);
    if let Some(mtu) = lan.mtu {
        out.extend_from_slice(&[option::MTU, 1, 0, 0]);
        out.extend_from_slice(&mtu.to_be_bytes());
    }
    // On-link (L), and for hosts to make addresses of (A).
    let kind = if lan.dhcp6.as_ref().is_none_or(|dhcp| dhcp.slaac) { 0xc0 } else { 0x80 };
    for Prefix { net, life } in prefixes {
        let times = if farewell { [0, 0] } else { [life.valid, life.preferred] };
        out.extend_from_slice(&[option::PREFIX, 4, net.prefix_len(), kind]);
        times.iter().for_each(|seconds| out.extend_from_slice(&seconds.to_be_bytes()));
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&net.network().octets());
    }
    for net in &lan.routes {
        out.extend_from_slice(&[option::ROUTE, 3, net.prefix_len(), 0]);
        out.extend_from_slice(&lifetime.to_be_bytes());
        out.extend_from_slice(&net.network().octets());
    }
    let resolvers: Vec<u8> = lan.dns.iter().take(8).flat_map(|dns| dns.octets()).collect();
    filled(&mut out, option::RESOLVERS, lifetime, &resolvers);
    let domains: Vec<u8> = lan.search.iter().take(3).flat_map(|name| wire_name(name)).collect();
    filled(&mut out, option::SEARCH, lifetime, &domains);
    if let Some(uri) = lan.captive_portal.as_deref().filter(|_| !farewell) {
        portal(&mut out, uri.as_bytes());
    }
    out
}

/// An option with two reserved bytes and a lifetime, filled up to eight bytes; none without content.
fn filled(out: &mut Vec<u8>, kind: u8, lifetime: u32, content: &[u8]) {
    let eights = (8 + content.len()).div_ceil(8);
    if let (false, Ok(length)) = (content.is_empty(), u8::try_from(eights)) {
        let end = out.len() + eights * 8;
        out.extend_from_slice(&[kind, length, 0, 0]);
        out.extend_from_slice(&lifetime.to_be_bytes());
        out.extend_from_slice(content);
        out.resize(end, 0);
    }
}

/// RFC 8910 section 2.3: the URI alone, filled up with zeros to eights.
fn portal(out: &mut Vec<u8>, uri: &[u8]) {
    let eights = (2 + uri.len()).div_ceil(8);
    if let Ok(length) = u8::try_from(eights) {
        let end = out.len() + eights * 8;
        out.extend_from_slice(&[option::CAPTIVE_PORTAL, length]);
        out.extend_from_slice(uri);
        out.resize(end, 0);
    }
}

/// What another router says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whether it wants to be the way to everything else.
    pub router: bool,
    /// Prefixes that it has hosts make addresses of.
    pub prefixes: Vec<Ipv6Net>,
}

/// Reads an advertisement; `None` where its bytes are no whole one.
pub fn read(packet: &[u8]) -> Option<Heard> {
    let (header, mut rest) = packet.split_first_chunk::<16>()?;
    if header[0] != ADVERTISEMENT || header[1] != 0 {
        return None;
    }
    let mut heard = Heard { router: header[6..8] != [0, 0], prefixes: Vec::new() };
    while let [kind, eights, ..] = rest {
        let (body, after) = rest.split_at_checked(usize::from(*eights) * 8).filter(|_| *eights > 0)?;
        let prefix =
            body.first_chunk::<32>().filter(|_| *kind == option::PREFIX && heard.prefixes.len() < MOST);
        heard.prefixes.extend(prefix.and_then(made_of));
        rest = after;
    }
    rest.is_empty().then_some(heard)
}

/// The prefix of an option, if hosts make addresses of it that they begin connections from.
fn made_of(option: &[u8; 32]) -> Option<Ipv6Net> {
    let net = Ipv6Net::new(Ipv6Addr::from(*option.last_chunk::<16>()?), option[2]).ok()?;
    (option[3] & 0x40 != 0 && option[8..12] != [0; 4]).then(|| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefixes::Life;

    #[test]
    fn every_option_fills_its_eights() {
        let lan = r#"{"prefix":"fd00:1::/64","router":true,"dns":["fd00:1::1"],"search":["home.cell"],"routes":["fd00::/48"],
            "mtu":1480,"captive_portal":"https://portal.example.org/api","dhcp6":{"pools":[],"lease":600,"slaac":false,"preference":0}}"#;
        let lan: Ipv6Lan = serde_json::from_str(lan).unwrap();
        let prefix = Prefix { net: lan.prefix, life: Life { preferred: 1, valid: 2 } };
        let old = Prefix { net: "2001:db8::/64".parse().unwrap(), life: Life::OVER };
        let bytes = advertisement(&lan, &[prefix, old], [2, 0, 0, 0, 0, 1], false);
        let (mut rest, mut kinds) = (&bytes[16..], Vec::new());
        while let [kind, length, ..] = rest {
            kinds.push(*kind);
            rest = &rest[usize::from(*length) * 8..];
        }
        assert_eq!(kinds, [1, 5, 3, 3, 24, 25, 31, 37]);
        assert!(bytes.ends_with(b"\x25\x04https://portal.example.org/api"), "30 bytes need no filling");
        assert_eq!((bytes[5], &bytes[6..8]), (0xc0, &1800_u16.to_be_bytes()[..]));
        assert_eq!(
            read(&bytes),
            Some(Heard { router: true, prefixes: Vec::new() }),
            "nobody makes addresses"
        );
        assert_eq!(advertisement(&lan, &[prefix], [2; 6], true)[6..8], [0, 0]);
        let lan = Ipv6Lan { dhcp6: None, ..lan };
        let bytes = advertisement(&lan, &[prefix, old], [2; 6], false);
        assert_eq!(read(&bytes), Some(Heard { router: true, prefixes: vec![prefix.net] }), "not the old one");
        for length in 0..bytes.len() {
            let _ = read(&bytes[..length]);
        }
    }
}
