//! Router advertisements (RFC 4861) with resolvers and search domains (RFC 8106). Pure: bytes out.

use pic_model::dhcp_option::wire_name;
use pic_model::snapshot::dhcp::Ipv6Lan;

/// Seconds between two advertisements nobody asked for.
pub const INTERVAL: u64 = 200;
/// Type of a solicitation.
pub const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;
/// Seconds that hosts take the cell for a router, and its resolvers for theirs, without hearing it again.
const LIFETIME: u16 = 1800;
/// Seconds that addresses stay valid, and are preferred.
const VALID: u32 = 86_400;
const PREFERRED: u32 = 14_400;

/// An advertisement; with `farewell` one that takes back what the others said.
pub fn advertisement(lan: &Ipv6Lan, mac: [u8; 6], farewell: bool) -> Vec<u8> {
    let router = if lan.router && !farewell { LIFETIME } else { 0 };
    let lifetime = if farewell { 0 } else { u32::from(LIFETIME) };
    // Hop limit 64; more by DHCPv6 (O), addresses not.
    let mut out = vec![ADVERTISEMENT, 0, 0, 0, 64, 0x40];
    out.extend_from_slice(&router.to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&[1, 1]);
    out.extend_from_slice(&mac);
    // On-link, and for addresses.
    out.extend_from_slice(&[3, 4, lan.prefix.prefix_len(), 0xc0]);
    let (valid, preferred) = if farewell { (0, 0) } else { (VALID, PREFERRED) };
    out.extend_from_slice(&u32::to_be_bytes(valid));
    out.extend_from_slice(&u32::to_be_bytes(preferred));
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&lan.prefix.network().octets());
    let resolvers: Vec<u8> = lan.dns.iter().take(8).flat_map(|dns| dns.octets()).collect();
    option(&mut out, 25, lifetime, &resolvers);
    let domains: Vec<u8> = lan.search.iter().take(3).flat_map(|name| wire_name(name)).collect();
    option(&mut out, 31, lifetime, &domains);
    out
}

/// An option with two reserved bytes and a lifetime, filled up to eight bytes; none without content.
fn option(out: &mut Vec<u8>, kind: u8, lifetime: u32, content: &[u8]) {
    let eights = (8 + content.len()).div_ceil(8);
    if let (false, Ok(length)) = (content.is_empty(), u8::try_from(eights)) {
        let end = out.len() + eights * 8;
        out.extend_from_slice(&[kind, length, 0, 0]);
        out.extend_from_slice(&lifetime.to_be_bytes());
        out.extend_from_slice(content);
        out.resize(end, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_fills_its_eights() {
        let lan = Ipv6Lan {
            prefix: "fd00:1::/64".parse().unwrap(),
            router: true,
            dns: vec!["fd00:1::1".parse().unwrap()],
            search: vec!["home.cell".to_owned()],
        };
        let bytes = advertisement(&lan, [2, 0, 0, 0, 0, 1], false);
        let (mut rest, mut kinds) = (&bytes[16..], Vec::new());
        while let [kind, length, ..] = rest {
            kinds.push(*kind);
            rest = &rest[usize::from(*length) * 8..];
        }
        assert_eq!(kinds, [1, 3, 25, 31]);
        assert_eq!(bytes[6..8], 1800_u16.to_be_bytes());
        assert_eq!(advertisement(&lan, [2; 6], true)[6..8], [0, 0]);
    }
}
