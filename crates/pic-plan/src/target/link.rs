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
    /// Interface that carries a VLAN.
    pub parent: Option<String>,
}

/// An interface of the host itself, as it is. Nothing of it is ours but the addresses that we added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostLink {
    /// Administratively up.
    pub up: bool,
    /// Addresses that carry our protocol number.
    pub ours: BTreeSet<IpNet>,
    /// All others.
    pub others: BTreeSet<IpNet>,
}

/// Kind of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A WireGuard device of the kernel.
    Wireguard,
    /// A TUN device that a userspace WireGuard or an exit's program made; we never create it ourselves.
    Tun,
    /// One end of a cable whose other end is an app's; its unit makes it.
    Veth,
    /// A VLAN with this number on an interface of the host.
    Vlan(u16),
    /// Something else that stands under our name.
    Foreign,
}
