//! Leases: which client has which address until when. Pure; time comes in as seconds.

mod pool;
mod table;

use std::net::{Ipv4Addr, Ipv6Addr};

pub use pool::{Number, Pools};
pub use table::Table;

/// One address and whose it is or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Identity of the client ([`crate::wire::Message::identity`]); empty where it is nobody's.
    pub client: Box<[u8]>,
    /// Its Ethernet address, zeros where it has none.
    pub mac: [u8; 6],
    /// What the address is.
    pub state: State,
    /// Seconds on the service's clock; afterwards others may have the address.
    pub expires: u64,
    /// When this client first had this address.
    pub first_seen: u64,
    /// When the client was last heard.
    pub last_seen: u64,
    /// What it calls itself, made a label.
    pub name: Option<Box<str>>,
    /// The relay that it came by, and what that says about it; `None` where it is on our own link.
    pub relay: Option<Box<Relay>>,
    /// Link-local address of a router that was given a prefix; what leads into that prefix goes there.
    pub via: Option<Ipv6Addr>,
}

/// Where a relay says that a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// The relay (`giaddr`).
    pub address: Ipv4Addr,
    /// What it added (option 82), at most 255 bytes.
    pub added: Box<[u8]>,
}

/// State of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Offered; nobody knows yet whether another host uses it.
    Unproven = 0,
    /// Offered and not taken yet. Not on disk.
    Offered = 1,
    /// Given.
    Bound = 2,
    /// Given back; remembered, so that its client gets it again.
    Released = 3,
    /// Somebody else uses it: on probation.
    Declined = 4,
}

impl State {
    /// From its number on disk.
    pub fn read(byte: u8) -> Option<Self> {
        [Self::Unproven, Self::Offered, Self::Bound, Self::Released, Self::Declined]
            .into_iter()
            .find(|state| *state as u8 == byte)
    }
}

impl Lease {
    /// Of an address that another host was found to use, for so many seconds.
    pub fn on_probation(now: u64, seconds: u64) -> Self {
        Self {
            client: Box::default(),
            mac: [0; 6],
            state: State::Declined,
            expires: now + seconds,
            first_seen: now,
            last_seen: now,
            name: None,
            relay: None,
            via: None,
        }
    }

    /// The lease as it counts at a start at this time. A clock that was set back makes no lease longer than its client
    /// was told.
    pub fn read_at(mut self, now: u64) -> Self {
        let length = self.expires.saturating_sub(self.last_seen);
        self.expires = self.expires.min(now.saturating_add(length));
        self
    }

    /// Whether a client has the address at this moment.
    pub fn is_bound(&self, now: u64) -> bool {
        self.state == State::Bound && self.expires > now
    }
}
