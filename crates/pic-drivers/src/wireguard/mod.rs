//! WireGuard devices: the kernel's over generic netlink, a userspace one over its configuration socket.
//!
//! Which of the two follows from the kind of the interface alone. Only differences are sent; peers are never replaced
//! as a whole, which would cost every live one its session. No key ever gets into an error, and buffers that held
//! keys are wiped. Tested against `wireguard-go` and `wg show dump` (`tests/wireguard.rs`), and against a real kernel
//! module by `examples/wg_kernel_check.rs` in a virtual machine.
#![forbid(unsafe_code)]

mod decode;
mod encode;
mod greet;
mod kernel;
mod uapi;

use std::collections::BTreeMap;
use std::path::PathBuf;

use pic_model::key::PublicKey;
use pic_plan::target::link::Kind;
use pic_plan::target::wireguard::{Delta, Device, PeerLive};

pub use greet::greet;
pub(crate) use kernel::empty as empty_kernel_device;
pub use uapi::{read_answer_text, socket_path};

use crate::{link, netlink};

/// A device as it is: what we set, and what its peers are doing.
pub type Observation = (Device, BTreeMap<PublicKey, PeerLive>);

/// Why a device could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the interface is could not be found out.
    #[error("cannot find WireGuard device {name}")]
    Link {
        /// Interface.
        name: String,
        /// Reason.
        #[source]
        source: link::Error,
    },
    /// There is no such interface.
    #[error("there is no WireGuard device {name}")]
    Missing {
        /// Interface.
        name: String,
    },
    /// The interface is something else.
    #[error("interface {name} is not a WireGuard device; remove or rename it")]
    Foreign {
        /// Interface.
        name: String,
    },
    /// The kernel.
    #[error("cannot {verb} WireGuard device {name} of the kernel")]
    Kernel {
        /// What was tried.
        verb: &'static str,
        /// Interface.
        name: String,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
    /// The userspace device's socket.
    #[error("cannot {verb} WireGuard device {name} through {}; is its service running?", path.display())]
    Socket {
        /// What was tried.
        verb: &'static str,
        /// Interface.
        name: String,
        /// Socket.
        path: PathBuf,
        /// Reason.
        #[source]
        source: std::io::Error,
    },
    /// The userspace device refused.
    #[error("userspace WireGuard device {name} refused to be {verb}")]
    Refused {
        /// What was tried, as a participle.
        verb: &'static str,
        /// Interface.
        name: String,
        /// Its error number.
        #[source]
        source: std::io::Error,
    },
    /// The userspace device's answer means nothing.
    #[error("line {line} of the answer of userspace WireGuard device {name} cannot be understood")]
    Malformed {
        /// Interface.
        name: String,
        /// Line, counted from 1; its text may hold a key.
        line: usize,
    },
}

/// Reads a device; `None` where there is no interface of this name or it is none of WireGuard's.
pub fn observe(name: &str) -> Result<Option<Observation>, Error> {
    match kind(name)? {
        Some(Kind::Wireguard) => kernel::observe(name),
        Some(Kind::Tun) => uapi::observe(name, &socket_path(name)).map(Some),
        Some(Kind::Foreign | Kind::Vlan(_) | Kind::Veth) | None => Ok(None),
    }
}

/// Changes a device.
pub fn apply(name: &str, delta: &Delta) -> Result<(), Error> {
    match kind(name)? {
        Some(Kind::Wireguard) => kernel::apply(name, delta),
        Some(Kind::Tun) => uapi::apply(name, &socket_path(name), delta),
        Some(Kind::Foreign | Kind::Vlan(_) | Kind::Veth) => Err(Error::Foreign { name: name.to_owned() }),
        None => Err(Error::Missing { name: name.to_owned() }),
    }
}

fn kind(name: &str) -> Result<Option<Kind>, Error> {
    link::kind(name).map_err(|source| Error::Link { name: name.to_owned(), source })
}
