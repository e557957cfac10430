//! What `pic-exit proxy` works from, `/var/lib/pic/proxy/INTERFACE.json`, written whole by the agent. It may hold a password:
//! only the agent and the relay's own group can read it.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::exit::proxy::Protocol;

/// Version of the format; a reader refuses another one.
pub const VERSION: u32 = 1;

/// Everything one relay needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxySnapshot {
    /// [`VERSION`].
    pub version: u32,
    /// Where TCP that was sent elsewhere is taken in: addresses of the cell's own.
    pub transparent: Vec<SocketAddr>,
    /// Where names are asked.
    pub names: SocketAddr,
    /// Who is asked for them, through the proxy.
    pub resolver: SocketAddr,
    /// Whether the resolver speaks DNS as it is; else whoever asks here brings TLS along.
    pub plain: bool,
    /// What is spoken to the proxy.
    pub protocol: Protocol,
    /// Where it is.
    pub proxy: SocketAddr,
    /// Who we are there.
    pub login: Option<Login>,
}

/// User and password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}
