//! DHCPv6 (RFC 8415, RFC 9915) on the wire: reading messages of clients and relays, writing answers. Pure.
//!
//! Every reader is bounded: what is longer, deeper or more than a client could have reason to send is cut off or refused.

pub mod duid;
mod read;
pub mod relay;
mod write;

pub use read::{Ia, IaKind, Message, Options, read};
pub use write::Out;

/// Port that clients listen on.
pub const CLIENT_PORT: u16 = 546;
/// Port that servers and relays listen on.
pub const SERVER_PORT: u16 = 547;

/// Types of messages (RFC 8415 section 7.3).
pub mod kind {
    /// Who is there?
    pub const SOLICIT: u8 = 1;
    /// This is what you would get.
    pub const ADVERTISE: u8 = 2;
    /// I take it.
    pub const REQUEST: u8 = 3;
    /// Is this still my link?
    pub const CONFIRM: u8 = 4;
    /// I keep it, to the server that gave it.
    pub const RENEW: u8 = 5;
    /// I keep it, to any server.
    pub const REBIND: u8 = 6;
    /// It is yours.
    pub const REPLY: u8 = 7;
    /// I am done with it.
    pub const RELEASE: u8 = 8;
    /// Somebody else has it.
    pub const DECLINE: u8 = 9;
    /// Only the rest, please.
    pub const INFORMATION_REQUEST: u8 = 11;
    /// A relay's envelope toward the server.
    pub const RELAY_FORW: u8 = 12;
    /// The server's envelope toward a relay.
    pub const RELAY_REPL: u8 = 13;
}

/// Numbers of options.
pub mod option {
    /// DUID of the client.
    pub const CLIENT_ID: u16 = 1;
    /// DUID of the server.
    pub const SERVER_ID: u16 = 2;
    /// Addresses to keep.
    pub const IA_NA: u16 = 3;
    /// Temporary addresses.
    pub const IA_TA: u16 = 4;
    /// An address in one of these.
    pub const IA_ADDRESS: u16 = 5;
    /// Options that the client wants.
    pub const ORO: u16 = 6;
    /// Which server goes first.
    pub const PREFERENCE: u16 = 7;
    /// Hundredths of a second that the client has been at it.
    pub const ELAPSED: u16 = 8;
    /// The message in a relay's envelope.
    pub const RELAY_MESSAGE: u16 = 9;
    /// How it went.
    pub const STATUS: u16 = 13;
    /// Two messages instead of four.
    pub const RAPID_COMMIT: u16 = 14;
    /// The relay's name for the client's port.
    pub const INTERFACE_ID: u16 = 18;
    /// Resolvers (RFC 3646).
    pub const DNS: u16 = 23;
    /// Domains to search (RFC 3646).
    pub const SEARCH: u16 = 24;
    /// Prefixes to keep.
    pub const IA_PD: u16 = 25;
    /// A prefix in one of these.
    pub const IA_PREFIX: u16 = 26;
    /// Simple time servers (RFC 4075).
    pub const SNTP: u16 = 31;
    /// Seconds after which to ask for the rest again.
    pub const REFRESH: u16 = 32;
    /// The client's name (RFC 4704).
    pub const FQDN: u16 = 39;
    /// Time servers (RFC 5908).
    pub const NTP: u16 = 56;
    /// The client's hardware address, by the relay (RFC 6939).
    pub const LINK_LAYER: u16 = 79;
    /// Longest pause between two solicitations.
    pub const SOL_MAX_RT: u16 = 82;
    /// Whether something stands between the client and the internet (RFC 8910).
    pub const CAPTIVE_PORTAL: u16 = 103;
    /// The relay listens on the port it sends from (RFC 8357).
    pub const RELAY_PORT: u16 = 135;
}

/// Codes of [`option::STATUS`].
pub mod status {
    /// It went well.
    pub const SUCCESS: u16 = 0;
    /// There is no address to give.
    pub const NO_ADDRESSES: u16 = 2;
    /// The server knows of no such thing.
    pub const NO_BINDING: u16 = 3;
    /// The address does not belong on this link.
    pub const NOT_ON_LINK: u16 = 4;
    /// There is no prefix to give.
    pub const NO_PREFIXES: u16 = 6;
}
