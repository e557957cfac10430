//! Options of DHCPv4 that the cell has a word for: their numbers, and how their values lie on the wire.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Subnet mask (RFC 2132 section 3.3).
pub const MASK: u8 = 1;
/// Routers (3.5).
pub const ROUTER: u8 = 3;
/// Resolvers (3.8).
pub const DNS: u8 = 6;
/// Domain name (3.17).
pub const DOMAIN: u8 = 15;
/// Interface MTU (5.1).
pub const MTU: u8 = 26;
/// Broadcast address (5.3).
pub const BROADCAST: u8 = 28;
/// Time servers (8.3).
pub const NTP: u8 = 42;
/// Vendor specific information (8.4).
pub const VENDOR: u8 = 43;
/// Vendor class (9.13), sent by servers of network boot.
pub const VENDOR_CLASS: u8 = 60;
/// TFTP server's name (9.4).
pub const TFTP_SERVER: u8 = 66;
/// Boot file (9.5).
pub const BOOT_FILE: u8 = 67;
/// URI of the captive portal's API (RFC 8910).
pub const CAPTIVE_PORTAL: u8 = 114;
/// Domain search list (RFC 3397).
pub const SEARCH: u8 = 119;
/// Classless static routes (RFC 3442).
pub const CLASSLESS_ROUTES: u8 = 121;

/// A domain name as RFC 1035 section 3.1 has it on the wire, without compression. Labels longer than 63 bytes are cut;
/// validated names have none.
pub fn wire_name(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        let label = label.as_bytes();
        let length = label.len().min(63);
        out.push(u8::try_from(length).unwrap_or(63));
        out.extend_from_slice(&label[..length]);
    }
    out.push(0);
    out
}

/// One entry of [`CLASSLESS_ROUTES`].
pub fn classless_route(net: Ipv4Net, via: Ipv4Addr) -> Vec<u8> {
    let significant = usize::from(net.prefix_len().div_ceil(8));
    let mut out = vec![net.prefix_len()];
    out.extend_from_slice(&net.network().octets()[..significant]);
    out.extend_from_slice(&via.octets());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_forms() {
        assert_eq!(wire_name("home.cell"), b"\x04home\x04cell\x00");
        let route = |net: &str| classless_route(net.parse().unwrap(), [10, 0, 0, 1].into());
        assert_eq!(route("0.0.0.0/0"), [0, 10, 0, 0, 1]);
        assert_eq!(route("10.229.0.128/25"), [25, 10, 229, 0, 128, 10, 0, 0, 1]);
    }
}
