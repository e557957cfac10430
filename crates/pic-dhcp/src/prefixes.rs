//! The prefixes of a network with their lifetimes at this moment: what is advertised and given out. Pure.

use ipnet::Ipv6Net;
use pic_model::snapshot::dhcp::Ipv6Lan;

use crate::delegation::Book;

/// Seconds that addresses of the cell's own network stay valid, and are preferred.
const OWN: Life = Life { preferred: 14_400, valid: 86_400 };
/// The same for addresses out of a prefix that may change any day (RFC 9096 section 3.5: `ND_PREFERRED_LIMIT`,
/// `ND_VALID_LIMIT`).
pub(crate) const BORROWED: Life = Life { preferred: 2700, valid: 5400 };

/// Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// That an address is used for new connections.
    pub preferred: u32,
    /// That it is used at all.
    pub valid: u32,
}

impl Life {
    /// The shorter of each.
    pub fn at_most(self, other: Self) -> Self {
        Self { preferred: self.preferred.min(other.preferred), valid: self.valid.min(other.valid) }
    }

    /// One of no more use.
    pub const OVER: Self = Self { preferred: 0, valid: 0 };
}

/// A prefix of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The prefix.
    pub net: Ipv6Net,
    /// How long.
    pub life: Life,
}

/// The network's own first, then those from elsewhere.
pub fn of(lan: &Ipv6Lan, book: &Book, now: u64) -> Vec<Prefix> {
    let own = std::iter::once(&lan.prefix).chain(&lan.routed).map(|net| Prefix { net: *net, life: OWN });
    let borrowed =
        lan.delegated.iter().map(|net| Prefix { net: *net, life: book.life(*net, now).at_most(BORROWED) });
    own.chain(borrowed).collect()
}
