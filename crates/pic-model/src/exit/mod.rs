//! Exits: named ways to the internet other than the uplink.
//!
//! `cell.toml` names an exit and the file that a provider gave; the file itself, which holds keys, is in the secrets
//! folder and read by [`provider`] or [`openvpn`], or by [`proxy`] for who one is at a proxy.

pub mod openvpn;
pub mod provider;
pub mod proxy;

use std::fmt;

use crate::name::ExitName;

/// Exits that a cell has at the most: more are a mistake, and each costs a routing table.
pub const MOST: usize = 32;

/// Numbers that exits have: one byte of the packet mark without 0, no mark, and 1, the uplink.
const NUMBERS: u32 = 250;

/// `[[exit]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// What it is.
    pub kind: Kind,
    /// Whether packets leave by the uplink where this is the last of a list of which none works.
    pub fails_open: bool,
    /// One that is switched off counts as one that does not work.
    pub enabled: bool,
}

/// `exit.kind`, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A WireGuard tunnel by a provider's file, of this name in the folder of exits.
    Wireguard {
        /// Name of the file.
        file: String,
    },
    /// An OpenVPN tunnel by a provider's file, of this name in the folder of exits, by Debian's `openvpn`.
    Openvpn {
        /// Name of the file.
        file: String,
    },
    /// The Tor network, by Debian's `tor`: TCP and names. All else is stopped.
    Tor,
    /// A proxy, by a relay of our own: TCP and names. All else is stopped.
    Proxy(proxy::Proxy),
    /// Another cell that offers its internet, by the file that it made for this one.
    Cell {
        /// Name of the file.
        file: String,
        /// UDP port at which the other cell dials this one, where it cannot be dialled itself.
        listen: Option<u16>,
    },
}

impl Kind {
    /// As written in the file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Wireguard { .. } => "wireguard",
            Self::Openvpn { .. } => "openvpn",
            Self::Tor => "tor",
            Self::Proxy(proxy) => proxy.protocol.as_str(),
            Self::Cell { .. } => "cell",
        }
    }

    /// Name of the provider's file in the folder of exits, for a kind that has one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Wireguard { file } | Self::Openvpn { file } | Self::Cell { file, .. } => Some(file),
            Self::Tor | Self::Proxy(_) => None,
        }
    }

    /// The proxy, where it is one.
    pub fn proxy(&self) -> Option<&proxy::Proxy> {
        match self {
            Self::Proxy(proxy) => Some(proxy),
            Self::Wireguard { .. } | Self::Openvpn { .. } | Self::Tor | Self::Cell { .. } => None,
        }
    }

    /// UDP port of this host at which the other side dials it.
    pub fn listen(&self) -> Option<u16> {
        match self {
            Self::Cell { listen, .. } => *listen,
            Self::Wireguard { .. } | Self::Openvpn { .. } | Self::Tor | Self::Proxy(_) => None,
        }
    }

    /// Fields of the file that say more about it than its kind, with what they say; `None` is left out.
    pub fn fields(&self) -> [(&'static str, Option<String>); 4] {
        let proxy = self.proxy();
        [
            ("file", self.file().map(str::to_owned)),
            ("proxy", proxy.map(ToString::to_string)),
            ("credentials", proxy.and_then(|proxy| proxy.credentials.clone())),
            ("dns", proxy.and_then(|proxy| Some(proxy.dns.as_ref()?.text.clone()))),
        ]
    }
}

/// One entry of a list of ways out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WayOut {
    /// By the uplink, as if there were no exits.
    Direct,
    /// By this exit.
    Exit(ExitName),
}

impl WayOut {
    /// As written in the file.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Direct => "direct",
            Self::Exit(name) => name.as_str(),
        }
    }
}

impl fmt::Display for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ExitName {
    /// The exit's number, 2 to 251, of which follow its mark, its routing table and its interface. It depends on the name
    /// alone, so that no other exit that comes or goes gives this one's packets another way for a moment. Two that meet
    /// cannot stand in one file.
    pub fn number(&self) -> u32 {
        // FNV-1a, 32 bits.
        let hash = self
            .as_str()
            .bytes()
            .fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        2 + (hash ^ (hash >> 16)) % NUMBERS
    }
}

/// Whether a text is the plain name of a file in the folder of exits.
pub fn is_file_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_fit_into_the_mark() {
        // Devices out there are configured by it: it must never change.
        let number = |name: &str| name.parse::<ExitName>().unwrap().number();
        for at in 0..1000 {
            assert!((2..=251).contains(&number(&format!("exit-{at}"))));
        }
        assert_ne!(number("nl"), number("us"));
        assert_eq!(number("nl"), number("nl"));
    }

    #[test]
    fn names_of_files_lead_nowhere_else() {
        assert!(is_file_name("nl-1a2b.conf"));
        for bad in ["", "../x", "a/b", ".hidden", "a b", "a\n", &"a".repeat(101)] {
            assert!(!is_file_name(bad), "{bad:?}");
        }
        assert!("direct".parse::<ExitName>().is_err());
    }
}
