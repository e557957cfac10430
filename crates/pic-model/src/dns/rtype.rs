//! Types that a record may have.

use std::fmt;
use std::str::FromStr;

macro_rules! types {
    ($($name:ident = $number:literal, $doc:literal;)*) => {
        /// Type of a record, RFC 1035 section 3.2.2 and its successors.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum RecordType {
            $(#[doc = $doc] $name,)*
        }

        impl RecordType {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Number on the wire.
            pub fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// As written.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

types! {
    A = 1, "IPv4 address.";
    NS = 2, "Name server of a part of the zone.";
    CNAME = 5, "Alias.";
    PTR = 12, "Pointer.";
    MX = 15, "Mail exchange.";
    TXT = 16, "Texts.";
    AAAA = 28, "IPv6 address.";
    SRV = 33, "Service, RFC 2782.";
    SSHFP = 44, "Fingerprint of an SSH host key, RFC 4255.";
    TLSA = 52, "Certificate association, RFC 6698.";
    SVCB = 64, "Service binding, RFC 9460.";
    HTTPS = 65, "Service binding of HTTPS, RFC 9460.";
    CAA = 257, "Who may issue certificates, RFC 8659.";
}

/// Not a type that records of a cell may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the types are A, AAAA, CAA, CNAME, HTTPS, MX, NS, PTR, SRV, SSHFP, SVCB, TLSA and TXT")]
pub struct TypeError;

impl FromStr for RecordType {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        let is_it = |t: &&Self| t.as_str().eq_ignore_ascii_case(text);
        Self::ALL.iter().find(is_it).copied().ok_or(TypeError)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
