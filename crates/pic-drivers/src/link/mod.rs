//! Network interfaces that carry our name, their addresses, and whether the kernel can make WireGuard ones.
//!
//! Never touches an interface by anything but its full name, and creates only kernel WireGuard devices and VLANs; a userspace
//! one makes its own TUN device, the unit of an app its cable. Tested in network namespaces against `ip -j` (`tests/link.rs`).
#![forbid(unsafe_code)]

mod change;
mod observe;

pub(crate) use change::up;
pub use change::{apply, probe_kernel_wireguard};
pub(crate) use observe::{addresses, index, kind, names};
pub use observe::{has_carrier, observe, observe_host};

/// Names of all interfaces by number.
pub fn names_by_index() -> Result<std::collections::BTreeMap<u32, String>, crate::netlink::Error> {
    names()
}

use crate::netlink;

/// Why an interface could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading the list.
    #[error("cannot list the network interfaces")]
    List(#[source] netlink::Error),
    /// Reading one.
    #[error("cannot read interface {name}")]
    Read {
        /// Interface.
        name: String,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
    /// The kernel was built without WireGuard, or the module is missing.
    #[error(
        "this kernel has no WireGuard, so {name} cannot be created in it; use the userspace device instead"
    )]
    NoKernelWireguard {
        /// Interface.
        name: String,
    },
    /// Something else has our name.
    #[error("interface {name} exists and is not what the cell makes under this name; remove or rename it")]
    Taken {
        /// Interface.
        name: String,
    },
    /// We only create one kind.
    #[error("interface {name} is not of a kind that is created here; its service makes it")]
    NotOurs {
        /// Interface.
        name: String,
    },
    /// The kernel was built without VLANs, or the module is missing.
    #[error("this kernel has no VLANs, so {name} cannot be made; load its module 8021q")]
    NoVlans {
        /// Interface.
        name: String,
    },
    /// A VLAN without the interface that carries it.
    #[error("VLAN {name} needs interface {parent}, which is not there")]
    NoParent {
        /// Interface.
        name: String,
        /// Its carrier.
        parent: String,
    },
    /// A change failed.
    #[error("cannot {verb} interface {name}")]
    Change {
        /// What was tried.
        verb: &'static str,
        /// Interface.
        name: String,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
    /// An address change failed.
    #[error("cannot {verb} address {address} on interface {name}")]
    Address {
        /// What was tried.
        verb: &'static str,
        /// Interface.
        name: String,
        /// Address.
        address: ipnet::IpNet,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
    /// A device could not be emptied before its deletion.
    #[error("cannot remove the peers of {name} before deleting it")]
    Empty {
        /// Interface.
        name: String,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
    /// The action belongs to another module.
    #[error("not an interface action")]
    Misrouted,
}
