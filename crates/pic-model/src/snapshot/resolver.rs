//! What `pic-agent resolver` needs to know to point the host at its cell, and what it keeps to undo that.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Version of both files' shape.
pub const VERSION: u32 = 1;

/// The cell, as the host would ask it. Not there: the host does not ask it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolverSnapshot {
    /// [`VERSION`].
    pub version: u32,
    /// Address of the cell's name server.
    pub server: IpAddr,
    /// Interface that has the address.
    pub interface: String,
    /// A name that the cell always answers for: its zone.
    pub probe: String,
}

/// What was changed on the host and how it was, written before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolverRecord {
    /// [`VERSION`].
    pub version: u32,
    /// How the host was pointed at the cell.
    pub by: ResolverBy,
    /// At which address.
    pub server: IpAddr,
}

/// How a host is pointed at its cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ResolverBy {
    /// By the file itself, which nobody else manages.
    File {
        /// Our text.
        written: String,
        /// What stood there; absent: nothing.
        original: Option<OriginalFile>,
    },
    /// By systemd-resolved's settings of our own interface, which end with it.
    Resolved {
        /// The interface.
        interface: String,
    },
    /// By an entry of our own for resolvconf(8).
    Resolvconf,
}

/// A file as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginalFile {
    /// Its text.
    pub content: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}
