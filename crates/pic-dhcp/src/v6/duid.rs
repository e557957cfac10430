//! What a client calls itself for good (RFC 8415 section 11): bytes to compare, and sometimes a hardware address in them.

/// Longest that may be: two bytes of type and 128 (section 11.1).
pub const MAX: usize = 130;
/// Ethernet (the IANA hardware types).
const ETHERNET: [u8; 2] = [0, 1];

/// Whether it has a length that it may have.
pub fn is_sound(duid: &[u8]) -> bool {
    (3..=MAX).contains(&duid.len())
}

/// The Ethernet address in a DUID of type 1 (with a time) or 3.
pub fn mac(duid: &[u8]) -> Option<[u8; 6]> {
    let (kind, rest) = duid.split_first_chunk::<2>()?;
    let (hardware, rest) = rest.split_first_chunk::<2>()?;
    let mac = match kind {
        [0, 1] => rest.get(4..)?,
        [0, 3] => rest,
        _ => return None,
    };
    mac.try_into().ok().filter(|_| *hardware == ETHERNET)
}

/// The Ethernet address that a link-local address was made of (RFC 4291 appendix A), if it was.
pub fn mac_of_link_local(address: std::net::Ipv6Addr) -> Option<[u8; 6]> {
    match address.octets() {
        [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, 0xff, 0xfe, d, e, f] => Some([a ^ 2, b, c, d, e, f]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses() {
        assert_eq!(mac(&[0, 3, 0, 1, 2, 0, 0, 0, 0, 9]), Some([2, 0, 0, 0, 0, 9]));
        assert_eq!(mac(&[0, 1, 0, 1, 1, 2, 3, 4, 2, 0, 0, 0, 0, 9]), Some([2, 0, 0, 0, 0, 9]));
        for other in
            [&[][..], &[0, 3, 0, 1], &[0, 3, 0, 6, 2, 0, 0, 0, 0, 9], &[0, 4, 0, 1, 2, 0, 0, 0, 0, 9]]
        {
            assert_eq!(mac(other), None);
        }
        assert_eq!(mac_of_link_local("fe80::ff:fe00:9".parse().unwrap()), Some([2, 0, 0, 0, 0, 9]));
        assert_eq!(mac_of_link_local("fe80::1".parse().unwrap()), None);
    }
}
