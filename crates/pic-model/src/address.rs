//! Address arithmetic of a cell: its own addresses, a peer's next one, the v6 twin of a v4 address.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sha2::{Digest, Sha256};

use crate::key::PublicKey;

/// Whether the internet can call an address: neither private (RFC 1918, RFC 4193) nor shared with the provider's other
/// customers (RFC 6598), nor one that ends at this link or host.
pub fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_elsewhere = match address {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private() || shared || ip.is_link_local()
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    !(is_elsewhere || address.is_loopback() || address.is_unspecified())
}

/// The cell's own address in its WireGuard network: the first host.
pub fn cell_v4(net: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from_bits(net.network().to_bits().wrapping_add(1))
}

/// The cell's own address in its v6 network: `::1`.
pub fn cell_v6(net: Ipv6Net) -> Ipv6Addr {
    Ipv6Addr::from_bits(net.network().to_bits() | 1)
}

/// The address of a network's host whose part behind the prefix is that of `host`.
pub fn join_v6(net: Ipv6Net, host: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(net.network().to_bits() | (host.to_bits() & net.hostmask().to_bits()))
}

/// The v6 address of the peer whose v4 address is given: the same offset in the v6 network, so that both are
/// unique together.
pub fn twin_v6(net4: Ipv4Net, address: Ipv4Addr, net6: Ipv6Net) -> Ipv6Addr {
    let offset = address.to_bits().wrapping_sub(net4.network().to_bits());
    Ipv6Addr::from_bits(net6.network().to_bits() | u128::from(offset))
}

/// Whether an address may be given to a peer: inside, and none of network, cell and broadcast.
pub fn is_peer_v4(net: Ipv4Net, address: Ipv4Addr) -> bool {
    net.contains(&address)
        && address != net.network()
        && address != cell_v4(net)
        && address != net.broadcast()
}

/// All addresses of the network that may be given to peers, the lowest first.
pub fn peers_v4(net: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let first = net.network().to_bits().saturating_add(2);
    let last = net.broadcast().to_bits().saturating_sub(1);
    (first..=last).map(Ipv4Addr::from_bits)
}

/// The lowest address of the network that is free, or `None` when it is full.
pub fn next_free_v4(net: Ipv4Net, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    peers_v4(net).find(|a| !taken.contains(a))
}

/// The cell's unique local /64 (RFC 4193) when it is left to the cell: 40 bits out of its own public key, so that it
/// is the same on every run and differs between cells. Subnet 0 is the WireGuard network.
pub fn ula_v6(cell: &PublicKey) -> Ipv6Net {
    let digest = Sha256::new().chain_update(b"pic ula v1\0").chain_update(cell.as_bytes()).finalize();
    let mut octets = [0; 16];
    octets[0] = 0xfd;
    octets[1..6].copy_from_slice(&digest[..5]);
    Ipv6Net::new_assert(Ipv6Addr::from(octets), 64)
}

/// The /48 that [`ula_v6`] and [`ula_lan`] are in.
pub fn ula_site(cell: &PublicKey) -> Ipv6Net {
    Ipv6Net::new_assert(ula_v6(cell).network(), 48)
}

/// What the cell calls itself in DHCPv6: a UUID (RFC 6355) out of its public key, the same as long as it is this cell,
/// whatever its interfaces are.
pub fn duid(cell: &PublicKey) -> [u8; 18] {
    let digest = Sha256::new().chain_update(b"pic duid v1\0").chain_update(cell.as_bytes()).finalize();
    let mut duid = [0; 18];
    duid[1] = 4;
    duid[2..].copy_from_slice(&digest[..16]);
    duid
}

/// Whether a prefix may be one that is delegated to a cell: neither the internet nor a single host, and of unicast
/// addresses.
pub fn is_delegable(prefix: Ipv6Net) -> bool {
    let first = prefix.network().segments()[0];
    (40..=64).contains(&prefix.prefix_len()) && ((first & 0xe000) == 0x2000 || (first & 0xfe00) == 0xfc00)
}

/// Number of the /64 that a LAN of this name has in the cell's ULA /48: always the same, and never the tunnel's 0.
pub fn subnet_id(name: &str) -> u16 {
    let digest = Sha256::new().chain_update(b"pic lan v1\0").chain_update(name.as_bytes()).finalize();
    u16::from_be_bytes([digest[0], digest[1]]).max(1)
}

/// The /64 of a LAN that leaves it to the cell.
pub fn ula_lan(cell: &PublicKey, name: &str) -> Ipv6Net {
    let mut octets = ula_v6(cell).network().octets();
    octets[6..8].copy_from_slice(&subnet_id(name).to_be_bytes());
    Ipv6Net::new_assert(Ipv6Addr::from(octets), 64)
}

/// Whether two networks share an address.
pub fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_internet_can_call() {
        let public = |address: &str| is_public(address.parse().unwrap());
        for address in
            ["10.0.0.1", "172.31.0.1", "192.168.1.5", "100.127.0.9", "169.254.1.1", "127.0.0.1", "0.0.0.0"]
        {
            assert!(!public(address) && !public(&format!("::ffff:{address}")), "{address}");
        }
        for address in ["fd00::1", "fe80::1", "::1", "::"] {
            assert!(!public(address), "{address}");
        }
        for address in ["203.0.113.10", "100.128.0.1", "172.32.0.1", "2001:db8::1"] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn addresses_of_a_network() {
        let net: Ipv4Net = "10.77.0.0/29".parse().unwrap();
        let mut taken = BTreeSet::new();
        for last in 2..=6 {
            let next = next_free_v4(net, &taken).unwrap();
            assert_eq!(next.octets()[3], last);
            assert!(is_peer_v4(net, next));
            taken.insert(next);
        }
        assert_eq!(next_free_v4(net, &taken), None);
        for bad in ["10.77.0.0", "10.77.0.1", "10.77.0.7", "10.77.0.8"] {
            assert!(!is_peer_v4(net, bad.parse().unwrap()));
        }
    }

    #[test]
    fn v6_twin_and_ula() {
        let net6 = ula_v6(&PublicKey::from_bytes([1; 32]));
        assert_eq!(net6.prefix_len(), 64);
        assert_eq!(net6.network().octets()[0], 0xfd);
        let twin = twin_v6("10.77.0.0/16".parse().unwrap(), "10.77.1.2".parse().unwrap(), net6);
        assert_eq!(twin.to_bits() - net6.network().to_bits(), 0x102);
        assert_ne!(net6, ula_v6(&PublicKey::from_bytes([2; 32])));
    }
}
