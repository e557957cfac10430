//! The ways by which questions come.

use crate::wire::query::{Query, Unreadable};

/// How the question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One datagram, the sender may be forged.
    Udp,
    /// A stream, the sender is real and answers may be long.
    Tcp,
    /// The same, encrypted (RFC 7858).
    Tls,
    /// One request of HTTP (RFC 8484).
    Https,
    /// From the agent, to see what a client would be answered. In no statistics of clients.
    Inside,
}

impl Transport {
    /// As it is written in the query log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Https => "https",
            Self::Inside => "inside",
        }
    }

    /// Reads a question; what only makes sense on a stream is not heard elsewhere.
    pub(super) fn read(self, packet: &[u8]) -> Result<Query<'_>, Unreadable> {
        let mut query = Query::parse(packet)?;
        if let Some(edns) = query.edns.as_mut() {
            edns.keepalive &= matches!(self, Self::Tcp | Self::Tls);
            // Length tells nothing where everything can be read (RFC 7830 section 6).
            edns.padding &= matches!(self, Self::Tls | Self::Https);
        }
        Ok(query)
    }

    pub(super) fn limit(self, query: &Query<'_>) -> usize {
        match self {
            Self::Udp => query.udp_limit(),
            Self::Tcp | Self::Tls | Self::Https | Self::Inside => usize::from(u16::MAX),
        }
    }
}
