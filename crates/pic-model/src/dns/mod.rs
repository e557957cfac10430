//! Records of DNS as people write them: names, types, values, zone files.
//!
//! Owns: reading presentation format (RFC 1035 section 5, RFC 9460 for SVCB) into wire form and into one canonical
//! text. Pure and bounded: every input ends in a value or in words. Tested here and by the fuzz target `dns-zone-file`.

pub mod name;
pub mod rdata;
pub mod rtype;
mod svcb;
mod token;
pub mod zonefile;

pub use name::{Name, Origin};
pub use rdata::RData;
pub use rtype::RecordType;

/// Longest TTL that makes sense: RFC 2181 section 8 allows more, but a week is past every use here.
pub const MAX_TTL: u32 = 604_800;
