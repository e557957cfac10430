//! Directives that are handed on to openvpn, and what each may say.
//!
//! The list is of what is allowed: what it does not have never reaches openvpn. It says how packets are sealed and how the
//! server is known; nothing in it names a file, a program, an interface, an address or a socket of this host.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest word of a directive.
const LONGEST: usize = 512;

/// What may stand behind a directive.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// This many numbers, at least and at the most.
    Numbers(usize, usize),
    /// One of these words; with `true` there need be none.
    OneOf(&'static [&'static str], bool),
    /// Names of ciphers and the like, this many at the most.
    Names(usize),
    /// A version of TLS, and whether the highest will do.
    Version,
    /// A text that the server's certificate has, and which one it is.
    Certificate,
    /// `mssfix`: bytes, and whether they are those of the whole packet.
    Mss,
}

use Form::{Certificate, Mss, Names, Numbers, OneOf, Version};

const FLAG: Form = Numbers(0, 0);
const NUMBER: Form = Numbers(1, 1);

const TABLE: &[(&str, Form)] = &[
    ("allow-compression", OneOf(&["asym", "no"], false)),
    ("auth", Names(1)),
    ("cipher", Names(1)),
    ("comp-lzo", OneOf(&["yes", "no", "adaptive"], true)),
    ("compat-mode", Names(1)),
    ("compress", OneOf(&["lzo", "lz4", "lz4-v2", "stub", "stub-v2", "migrate"], true)),
    ("connect-retry", Numbers(1, 2)),
    ("connect-timeout", NUMBER),
    ("data-ciphers", Names(1)),
    ("data-ciphers-fallback", Names(1)),
    ("ecdh-curve", Names(1)),
    ("explicit-exit-notify", Numbers(0, 1)),
    ("fast-io", FLAG),
    ("float", FLAG),
    ("fragment", NUMBER),
    ("hand-window", NUMBER),
    ("keepalive", Numbers(2, 2)),
    ("key-direction", OneOf(&["0", "1"], false)),
    ("mssfix", Mss),
    ("mute-replay-warnings", FLAG),
    ("ping", NUMBER),
    ("ping-restart", NUMBER),
    ("providers", OneOf(&["legacy", "default"], false)),
    ("rcvbuf", NUMBER),
    ("remote-cert-eku", Certificate),
    ("remote-cert-tls", OneOf(&["server"], false)),
    ("remote-random", FLAG),
    ("reneg-bytes", NUMBER),
    ("reneg-pkts", NUMBER),
    ("reneg-sec", Numbers(1, 2)),
    ("replay-window", Numbers(1, 2)),
    ("sndbuf", NUMBER),
    ("tls-cert-profile", OneOf(&["insecure", "legacy", "preferred", "suiteb"], false)),
    ("tls-cipher", Names(1)),
    ("tls-ciphersuites", Names(1)),
    ("tls-groups", Names(1)),
    ("tls-timeout", NUMBER),
    ("tls-version-max", Version),
    ("tls-version-min", Version),
    ("tran-window", NUMBER),
    ("tun-mtu", NUMBER),
    ("tun-mtu-extra", NUMBER),
    ("verify-x509-name", Certificate),
];

/// A directive with its words, as the list allows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Directive(Vec<String>);

/// Why words are no directive of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// It is not in the list.
    #[error("this directive is not one that is handed on to openvpn")]
    Unknown,
    /// What stands behind it makes no sense.
    #[error("what stands behind this directive is not what it takes")]
    Words,
}

impl Directive {
    /// From the words of a line.
    ///
    /// # Errors
    /// The list does not have it, or not with these words.
    pub fn new(words: Vec<String>) -> Result<Self, NotAllowed> {
        let (name, rest) = words.split_first().ok_or(NotAllowed::Unknown)?;
        let (_, form) = TABLE.iter().find(|(known, _)| known == name).ok_or(NotAllowed::Unknown)?;
        if form.takes(rest) { Ok(Self(words)) } else { Err(NotAllowed::Words) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// What stands behind it.
    pub fn words(&self) -> &[String] {
        self.0.get(1..).unwrap_or_default()
    }
}

impl TryFrom<Vec<String>> for Directive {
    type Error = NotAllowed;
    fn try_from(words: Vec<String>) -> Result<Self, NotAllowed> {
        Self::new(words)
    }
}

impl From<Directive> for Vec<String> {
    fn from(directive: Directive) -> Self {
        directive.0
    }
}

/// As a line of a configuration: no word has a quote, a backslash or an end of line.
impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.words().iter().try_for_each(|word| write!(f, " \"{word}\""))
    }
}

impl Form {
    fn takes(self, words: &[String]) -> bool {
        let word = |at: usize| words.get(at).map(String::as_str);
        match self {
            Numbers(least, most) => {
                (least..=most).contains(&words.len()) && words.iter().all(|word| is_number(word))
            }
            OneOf(known, may_be_none) => match words {
                [] => may_be_none,
                [one] => known.contains(&one.as_str()),
                _ => false,
            },
            Names(most) => (1..=most).contains(&words.len()) && words.iter().all(|word| are_names(word)),
            Version => {
                matches!(word(0), Some("1.0" | "1.1" | "1.2" | "1.3"))
                    && matches!(word(1), None | Some("or-highest"))
                    && words.len() <= 2
            }
            Certificate => {
                word(0).is_some_and(is_text)
                    && matches!(word(1), None | Some("subject" | "name" | "name-prefix"))
                    && words.len() <= 2
            }
            Mss => {
                word(0).is_none_or(is_number)
                    && matches!(word(1), None | Some("mtu" | "fixed"))
                    && words.len() <= 2
            }
        }
    }
}

fn is_number(word: &str) -> bool {
    (1..=19).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Names of ciphers, curves, digests or a version, in a list with colons.
fn are_names(word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+!?@=".contains(&byte);
    // A word that begins with a stroke could be taken for a path.
    (1..=LONGEST).contains(&word.len()) && !word.starts_with(['/', '-', '.']) && word.bytes().all(is_part)
}

fn is_text(word: &str) -> bool {
    (1..=LONGEST).contains(&word.len())
        && word.chars().all(|letter| !letter.is_control() && !matches!(letter, '"' | '\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(line: &str) -> Result<String, NotAllowed> {
        let words = super::super::words::split(line).unwrap();
        Directive::new(words).map(|directive| directive.to_string())
    }

    #[test]
    fn the_list_is_sorted_and_takes_what_providers_write() {
        assert!(TABLE.is_sorted_by_key(|(name, _)| *name));
        for (line, out) in [
            ("cipher AES-256-GCM", "cipher \"AES-256-GCM\""),
            (
                "data-ciphers AES-256-GCM:?CHACHA20-POLY1305",
                "data-ciphers \"AES-256-GCM:?CHACHA20-POLY1305\"",
            ),
            ("reneg-sec 0", "reneg-sec \"0\""),
            ("mssfix", "mssfix"),
            ("comp-lzo no", "comp-lzo \"no\""),
            ("tls-version-min 1.2 or-highest", "tls-version-min \"1.2\" \"or-highest\""),
            (
                "verify-x509-name 'C=NL, O=Example, CN=nl 1' subject",
                "verify-x509-name \"C=NL, O=Example, CN=nl 1\" \"subject\"",
            ),
            ("remote-random", "remote-random"),
        ] {
            assert_eq!(made(line).as_deref(), Ok(out));
        }
    }

    #[test]
    fn nothing_else_gets_through() {
        for line in [
            "up /bin/sh",
            "plugin x",
            "management /run/x unix",
            "config x",
            "log x",
            "setenv PATH x",
            "Cipher x",
            "",
        ] {
            assert_eq!(made(line), Err(NotAllowed::Unknown), "{line}");
        }
        for line in [
            "cipher",
            "cipher a b",
            "cipher /etc/passwd",
            "reneg-sec -1",
            "ping 1 2",
            "providers /tmp/x.so",
            "remote-random x",
            "key-direction 2",
            "verify-x509-name a file",
            "verify-x509-name 'a\"b'",
            "verify-x509-name 'a\u{7}b'",
            "tls-version-min 2",
            "mssfix a",
            "remote-cert-tls client",
        ] {
            assert_eq!(made(line), Err(NotAllowed::Words), "{line}");
        }
    }
}
