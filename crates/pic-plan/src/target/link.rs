//! Network interfaces.

use std::collections::BTreeSet;

use ipnet::IpNet;

/// One interface of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// Addresses with their prefix; link-local ones left out.
    pub addresses: BTreeSet<IpNet>,
}

/// Kind of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A WireGuard device of the kernel.
    Wireguard,
    /// A TUN device that a userspace WireGuard made; we never create it ourselves.
    Tun,
    /// Something else that stands under our name.
    Foreign,
}
