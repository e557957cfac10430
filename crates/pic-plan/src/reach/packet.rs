//! A packet, and what became of it.

use std::net::IpAddr;

use pic_model::reach::Service;

use crate::target::rule::Family;

/// The first packet of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Interface that it comes in by; `None`: the host itself sends it.
    pub iif: Option<String>,
    /// From.
    pub source: IpAddr,
    /// To; of the same family.
    pub destination: IpAddr,
    /// What for.
    pub service: Service,
    /// Sets of [`crate::target::nft::Elements::Learned4`] and its v6 twin that the destination is in as the address of a name,
    /// whether that was looked up already or not.
    pub learned: Vec<String>,
}

impl Packet {
    /// Its family.
    pub fn family(&self) -> Family {
        if self.destination.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// One thing that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where: a chain of the firewall, `routing` or `tunnel`.
    pub place: String,
    /// What happened there and why, in words.
    pub words: String,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives.
    Allowed,
    /// It vanishes.
    Dropped,
    /// The sender is told that it may not.
    Refused,
    /// There is no way for it.
    Unreachable,
}

impl Verdict {
    /// One word, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Dropped => "dropped",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
        }
    }
}

/// The way of a packet through the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// What decided, in order.
    pub steps: Vec<Step>,
    /// How it ended.
    pub verdict: Verdict,
    /// Where it leads, after any translation.
    pub end: (IpAddr, Service),
    /// Interface that it left by, if it did.
    pub out: Option<String>,
    /// Our bits of its mark, in the end.
    pub mark: u32,
}
