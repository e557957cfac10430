//! A provider's OpenVPN file, as `openvpn`(8) takes it: foreign text with keys in it.
//!
//! It is never given to openvpn. What is known to be harmless ([`directive`]) is taken from it, typed, and a configuration
//! of our own is made from that; what runs programs, writes files or changes the host is refused with its line; what the
//! cell decides itself is left out and said. No line of it is repeated in a message, as it may hold a key.

pub mod directive;
mod inline;
mod lists;
mod read;
mod words;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::desired::EndpointHost;
use crate::secret::Secret;

pub use super::provider::FileError;
pub use directive::Directive;
pub use inline::{add_credentials, named_files, put_in};
pub use read::read;

/// Longest file: ten times what providers write, with all their authorities in it.
pub const MAX_BYTES: usize = 256 << 10;
/// Places of the provider that are taken at the most.
pub const MOST_REMOTES: usize = 64;
/// Bytes per packet that the interface takes: with openvpn's own around them, they fit a path of 1500 in both families.
pub const MTU: u16 = 1420;

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Where the provider is, in the order of the file.
    pub remotes: Vec<Remote>,
    /// What is handed on to openvpn.
    pub options: Vec<Directive>,
    /// Keys and certificates.
    pub blocks: BTreeMap<Block, Hidden>,
    /// Whether a user name and a password are asked for.
    pub asks: bool,
    /// These, where they are known.
    pub credentials: Option<Credentials>,
    /// Bytes per packet of the interface.
    pub mtu: u16,
    /// What was left out, in words.
    pub notes: Vec<String>,
}

/// One place of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Name or address.
    pub host: EndpointHost,
    /// Port.
    pub port: u16,
    /// By TCP, and not by UDP.
    pub tcp: bool,
}

/// A user name and a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user's name.
    pub user: Hidden,
    /// Its password.
    pub password: Hidden,
}

impl Credentials {
    /// Longest name and longest password that openvpn takes, in bytes (`USER_PASS_LEN`, 128 without PKCS#11).
    pub const MOST: usize = 127;

    /// From two texts, if openvpn can take them: each has a letter, and none that ends its line.
    pub fn new(user: &str, password: &str) -> Option<Self> {
        let fits = |text: &&str| {
            (1..=Self::MOST).contains(&text.len()) && !text.chars().any(|letter| letter.is_control())
        };
        [user, password].iter().all(fits).then(|| Self { user: user.into(), password: password.into() })
    }

    /// From two lines, as openvpn's own files for `auth-user-pass` have them.
    pub fn from_lines(text: &str) -> Option<Self> {
        let mut lines = text.trim_start_matches('\u{feff}').lines().map(|line| line.trim_end_matches('\r'));
        Self::new(lines.next()?, lines.next()?)
    }
}

/// A secret text that may go into the snapshot of the program which needs it, and nowhere else: `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Secret<String>);

impl Hidden {
    /// The text itself. Callers keep it out of logs, arguments and API answers.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(Secret::new(text.to_owned()))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// A block of a file, `<ca>` … `</ca>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// Authorities that may sign the server's certificate.
    Ca,
    /// Our certificate.
    Cert,
    /// Its key.
    Key,
    /// Certificates between ours and an authority.
    ExtraCerts,
    /// Certificates that are no longer to be trusted.
    CrlVerify,
    /// Fingerprints of server certificates, in the place of an authority.
    PeerFingerprint,
    /// A key that signs the control channel.
    TlsAuth,
    /// A key that hides the control channel.
    TlsCrypt,
    /// The same, with one key for each customer.
    TlsCryptV2,
}

impl Block {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Ca,
        Self::Cert,
        Self::Key,
        Self::ExtraCerts,
        Self::CrlVerify,
        Self::PeerFingerprint,
        Self::TlsAuth,
        Self::TlsCrypt,
        Self::TlsCryptV2,
    ];

    /// Its name in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Cert => "cert",
            Self::Key => "key",
            Self::ExtraCerts => "extra-certs",
            Self::CrlVerify => "crl-verify",
            Self::PeerFingerprint => "peer-fingerprint",
            Self::TlsAuth => "tls-auth",
            Self::TlsCrypt => "tls-crypt",
            Self::TlsCryptV2 => "tls-crypt-v2",
        }
    }

    /// The block of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|block| block.as_str() == name)
    }
}

#[cfg(test)]
mod tests;
