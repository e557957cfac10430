//! The message format: what is read from strangers and what is written to them.
//!
//! Owns: parsing questions, checking answers of upstreams, composing answers. Pure: no sockets, no clock, no zones.
//! Never: panics or loops on any input, follows a compression pointer in a question, copies a client's options.
//! Tested: unit tests here, and random messages against hickory-proto in `tests/wire_props.rs`.

pub mod address;
pub mod answer;
pub mod name;
pub mod query;
pub mod reply;

/// Length of the fixed header.
pub const HEADER: usize = 12;
/// What we can receive over UDP without fragments, and the most we send (DNS Flag Day 2020).
pub const UDP_PAYLOAD: u16 = 1232;
/// The UDP limit of clients without EDNS, RFC 1035.
pub const UDP_CLASSIC: u16 = 512;

/// Record types by number.
pub mod rtype {
    /// IPv4 address.
    pub const A: u16 = 1;
    /// Name server.
    pub const NS: u16 = 2;
    /// Alias.
    pub const CNAME: u16 = 5;
    /// Alias of everything beneath (RFC 6672).
    pub const DNAME: u16 = 39;
    /// Start of authority.
    pub const SOA: u16 = 6;
    /// Pointer.
    pub const PTR: u16 = 12;
    /// Host information; here only the answer to ANY (RFC 8482).
    pub const HINFO: u16 = 13;
    /// IPv6 address.
    pub const AAAA: u16 = 28;
    /// EDNS pseudo record.
    pub const OPT: u16 = 41;
    /// First of the numbers that name no data (RFC 6895 3.1): zone transfers, signatures of messages.
    pub const FIRST_META: u16 = 128;
    /// All records.
    pub const ANY: u16 = 255;
}

/// The one class that is served.
pub const CLASS_IN: u16 = 1;

/// Response codes by number.
pub mod rcode {
    /// Fine, possibly with no records.
    pub const NOERROR: u16 = 0;
    /// The question could not be read.
    pub const FORMERR: u16 = 1;
    /// We failed.
    pub const SERVFAIL: u16 = 2;
    /// No such name.
    pub const NXDOMAIN: u16 = 3;
    /// No such operation here.
    pub const NOTIMP: u16 = 4;
    /// Not for you.
    pub const REFUSED: u16 = 5;
    /// EDNS version above 0; needs an OPT record.
    pub const BADVERS: u16 = 16;

    /// The name of a code as headers hold it.
    pub fn text(code: u8) -> &'static str {
        match code {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            _ => "other",
        }
    }
}

/// Reads two bytes, most significant first.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

/// Reads four bytes, most significant first.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}
