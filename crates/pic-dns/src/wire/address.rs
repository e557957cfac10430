//! Addresses inside records.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::rtype;

/// Whether a record's address is one that names of the internet have no business with: of a private network, of this
/// host, of this link.
pub fn is_private(rtype: u16, rdata: &[u8]) -> bool {
    match rtype {
        rtype::A => <[u8; 4]>::try_from(rdata).is_ok_and(|octets| is_private4(octets.into())),
        rtype::AAAA => <[u8; 16]>::try_from(rdata).is_ok_and(|octets| is_private6(octets.into())),
        _ => false,
    }
}

fn is_private4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    // The last: shared between a provider and its customers (RFC 6598).
    ip.is_private() || ip.is_loopback() || ip.is_link_local() || a == 0 || (a == 100 && b & 0xC0 == 64)
}

fn is_private6(ip: Ipv6Addr) -> bool {
    let mapped = ip.to_ipv4_mapped().is_some_and(is_private4);
    mapped || ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private() {
        let v4 = |text: &str| is_private(rtype::A, &text.parse::<Ipv4Addr>().unwrap().octets());
        let v6 = |text: &str| is_private(rtype::AAAA, &text.parse::<Ipv6Addr>().unwrap().octets());
        assert!(v4("10.0.0.1") && v4("127.0.0.1") && v4("0.0.0.0") && v4("100.64.0.1") && v4("169.254.1.1"));
        assert!(!v4("9.9.9.9") && !v4("100.128.0.1") && !v4("198.51.100.1"));
        assert!(v6("fd00::1") && v6("::1") && v6("fe80::1") && v6("::ffff:10.0.0.1") && !v6("2001:db8::1"));
        assert!(!is_private(rtype::A, b"abc"));
    }
}
