//! Whom the host itself asks for names.

use std::net::IpAddr;

/// That the host should ask its cell. What it needs for that is in the file [`crate::marks::FILE_RESOLVER`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// Address of the cell's name server.
    pub server: IpAddr,
    /// A name that it always answers for.
    pub probe: String,
    /// The owner asked for it; else it is done where it can be done cleanly.
    pub demanded: bool,
}

/// How this host finds its resolvers, and so how it is pointed at the cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// `/etc/resolv.conf`, which nobody manages.
    File,
    /// systemd-resolved.
    Resolved,
    /// resolvconf(8), Debian's or openresolv.
    Resolvconf,
    /// In a way that is not ours to change; why, in words.
    Refused(String),
}

/// What is there of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Nothing: the host asks whom it always asked.
    None,
    /// The host asks the cell, at this address, because we said so.
    Ours(IpAddr),
    /// The host asks the cell because its owner said so.
    Owner,
    /// Somebody changed after us what we had written: it is theirs now.
    Theirs,
}

/// The host's resolver as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverState {
    /// How it is set.
    pub way: Way,
    /// Who set it last.
    pub hold: Hold,
    /// What it was is kept on disk.
    pub recorded: bool,
    /// Our unit watches over it: it hands back when the name server ends, whether an agent runs or not.
    pub guarded: bool,
    /// The name server answers a real question.
    pub answers: bool,
}
