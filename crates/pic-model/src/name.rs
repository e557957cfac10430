//! Names: of cells and peers (single DNS labels), of domains, of network interfaces.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a DNS label in lower case (RFC 1123 section 2.1).
    #[error("a name is 1 to 63 characters of a-z, 0-9 and '-', and neither starts nor ends with '-'")]
    Label,
    /// Kept for the cell itself.
    #[error("this name is kept for the cell itself")]
    Reserved,
    /// Not a domain of two or more labels.
    #[error(
        "a domain is two or more labels of a-z, 0-9 and '-', at most 253 characters, without a dot at the end"
    )]
    Domain,
    /// Not an interface name the kernel takes.
    #[error("an interface name is 1 to 15 characters of letters, digits, '.', '_' and '-'")]
    Interface,
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), NameError> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name_type!(
    /// The cell's name: one DNS label; its zone is `<name>.cell`.
    CellName,
    |text| if is_label(text) { Ok(()) } else { Err(NameError::Label) }
);

name_type!(
    /// A peer's name: one DNS label, so that `<peer>.<cell>.cell` resolves.
    PeerName,
    |text| match text {
        "ns" | "cell" | "localhost" => Err(NameError::Reserved),
        _ if is_label(text) => Ok(()),
        _ => Err(NameError::Label),
    }
);

name_type!(
    /// A LAN's name: one DNS label.
    LanName,
    |text| if is_label(text) { Ok(()) } else { Err(NameError::Label) }
);

name_type!(
    /// A group's name: one DNS label, other than the words that stand for many in lists of who is meant.
    GroupName,
    |text| match text {
        "peers" | "outside" | "internet" | "cell" | "host" | "all" | "none" | "direct" => Err(NameError::Reserved),
        _ if is_label(text) => Ok(()),
        _ => Err(NameError::Label),
    }
);

name_type!(
    /// An exit's name: one DNS label, other than the words that stand for a way out or for many.
    ExitName,
    |text| match text {
        "direct" | "none" | "internet" | "cell" | "peers" | "host" | "all" => Err(NameError::Reserved),
        _ if is_label(text) => Ok(()),
        _ => Err(NameError::Label),
    }
);

name_type!(
    /// The name of a peer, a group or a LAN, where any of them may stand.
    SubjectName,
    |text| if is_label(text) { Ok(()) } else { Err(NameError::Label) }
);

name_type!(
    /// The name of a host on a LAN: one DNS label, so that `<host>.<cell>.cell` resolves.
    HostName,
    |text| text.parse::<PeerName>().map(|_| ())
);

name_type!(
    /// A public domain name of two or more labels.
    DomainName,
    |text| {
        let ok = text.len() <= 253 && text.contains('.') && text.split('.').all(is_label);
        if ok { Ok(()) } else { Err(NameError::Domain) }
    }
);

name_type!(
    /// A network interface's name, `IFNAMSIZ` long at most.
    InterfaceName,
    |text| {
        let ok = (1..=15).contains(&text.len())
            && text != "."
            && text != ".."
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if ok { Ok(()) } else { Err(NameError::Interface) }
    }
);

impl CellName {
    /// The cell's own zone, without the trailing dot.
    pub fn zone(&self) -> String {
        format!("{}.cell", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(300);
        for bad in ["", "-a", "a-", "A", "a b", "a\nb", "a\"b", "a%b", "a$b", "..", "a/b", "ü", "a.b", &long]
        {
            assert!(bad.parse::<PeerName>().is_err(), "{bad:?}");
            assert!(bad.parse::<CellName>().is_err(), "{bad:?}");
        }
        assert_eq!("ns".parse::<PeerName>(), Err(NameError::Reserved));
        assert!("phone-2".parse::<PeerName>().is_ok());
    }

    #[test]
    fn domains_and_interfaces() {
        assert!("home.example.org".parse::<DomainName>().is_ok());
        for bad in ["home", "home.example.", "a..b", ".a", "a b.c"] {
            assert!(bad.parse::<DomainName>().is_err(), "{bad}");
        }
        assert!("eth0.20".parse::<InterfaceName>().is_ok());
        for bad in ["", "a/b", "waytoolonginterface", "e h", ".", ".."] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad}");
        }
    }
}
