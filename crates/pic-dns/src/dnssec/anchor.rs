//! What is trusted without proof: digests or keys of zones, built in or from a file.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire::name;

use super::key::{Ds, Key};

/// The root's two keys as IANA publishes them (<https://www.iana.org/dnssec/files>), as of 2026-11: of 2017, and of
/// 2024, which signs from October 2026 on. New ones come with a release.
const ROOT: &str = "\
. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";
const MAX_BYTES: u64 = 64 << 10;
const DS_WORDS: usize = 4;

/// Why trust anchors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorsError {
    /// The file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// A line is not understood.
    #[error("{path}:{line}: {problem}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nothing in it.
    #[error("{path} holds no DS and no DNSKEY record", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// One thing that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Anchor {
    Digest(Ds),
    Key(Key),
}

/// All that is trusted, by zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchors(Vec<(Box<[u8]>, Anchor)>);

impl Anchors {
    /// The built-in ones.
    pub fn root() -> Self {
        // A test shows that they are well-formed.
        Self::parse(Path::new(""), ROOT).unwrap_or_default()
    }

    /// Those in a file of DS or DNSKEY records, one a line.
    pub fn load(path: &Path) -> Result<Self, AnchorsError> {
        let read = |source| AnchorsError::Read { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(read)?;
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(read)?;
        Self::parse(path, &text)
    }

    /// Those in a text; `path` is where it is from, for the error.
    pub fn parse(path: &Path, text: &str) -> Result<Self, AnchorsError> {
        let mut anchors = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.split(';').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let problem = |problem| AnchorsError::Line { path: path.to_owned(), line: at + 1, problem };
            anchors.push(record(line).map_err(problem)?);
        }
        if anchors.is_empty() {
            Err(AnchorsError::Empty { path: path.to_owned() })
        } else {
            Ok(Self(anchors))
        }
    }

    /// Whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nearest zone at or above a name that is trusted.
    pub(super) fn nearest<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        name::and_above(name).find(|above| self.0.iter().any(|(apex, _)| **apex == **above))
    }

    /// Whether a zone at or above this name, other than the root, is trusted.
    pub fn is_for(&self, name: &[u8]) -> bool {
        self.nearest(name).is_some_and(|apex| name::parent(apex).is_some())
    }

    /// Those of these keys of the zone `apex` that are trusted.
    pub(super) fn trusted(&self, apex: &[u8], keys: &[Key]) -> Vec<Key> {
        let own = || self.0.iter().filter(|(zone, _)| **zone == *apex);
        let is_trusted = |key: &&Key| {
            own().any(|(_, anchor)| match anchor {
                Anchor::Digest(ds) => ds.matches(apex, key),
                Anchor::Key(trusted) => trusted == *key,
            })
        };
        keys.iter().filter(is_trusted).cloned().collect()
    }
}

fn record(line: &str) -> Result<(Box<[u8]>, Anchor), &'static str> {
    if line.contains(['(', ')']) {
        return Err("write each record on one line, without parentheses");
    }
    let mut words = line.split_whitespace();
    let owner = words.next().unwrap_or_default();
    let apex = name::from_text(owner.strip_suffix('.').unwrap_or(owner)).ok_or("that is no name")?;
    let rtype = words.find(|word| !word.eq_ignore_ascii_case("IN") && word.parse::<u32>().is_err());
    let rest: Vec<&str> = words.collect();
    let anchor = match rtype {
        Some("DS" | "ds") => Anchor::Digest(ds(&rest).ok_or("a DS is a tag, two numbers and hex digits")?),
        Some("DNSKEY" | "dnskey") => {
            Anchor::Key(key(&rest).ok_or("a DNSKEY is flags, 3, an algorithm and a key in base 64")?)
        }
        _ => return Err("only DS and DNSKEY records belong here"),
    };
    Ok((apex.into(), anchor))
}

fn ds(words: &[&str]) -> Option<Ds> {
    let [tag, algorithm, digest_type, ..] = words else { return None };
    let mut rdata = tag.parse::<u16>().ok()?.to_be_bytes().to_vec();
    rdata.extend([algorithm.parse::<u8>().ok()?, digest_type.parse::<u8>().ok()?]);
    let hex: Vec<u8> = words.get(DS_WORDS - 1..)?.concat().into_bytes();
    for pair in hex.chunks(2) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        rdata.push(u8::from_str_radix(pair, 16).ok()?);
    }
    Ds::parse(&rdata)
}

fn key(words: &[&str]) -> Option<Key> {
    let [flags, protocol, algorithm, ..] = words else { return None };
    let mut rdata = flags.parse::<u16>().ok()?.to_be_bytes().to_vec();
    rdata.extend([protocol.parse::<u8>().ok()?, algorithm.parse::<u8>().ok()?]);
    rdata.extend(STANDARD.decode(words.get(DS_WORDS - 1..)?.concat()).ok()?);
    Key::parse(&rdata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Anchors, String> {
        Anchors::parse(Path::new("/k"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_what_tools_write() {
        assert_eq!(Anchors::root().0.len(), 2);
        let text =
            "; of the lab\nLab. 3600 IN DS 1 13 2 AB CD\n\n. 172800 IN DNSKEY 257 3 13 AQID BAUG ;{id = 7}\n";
        let anchors = parse(text).unwrap();
        let wire = |text| name::from_text(text).unwrap();
        assert_eq!(anchors.nearest(&wire("a.lab")), Some(&wire("lab")[..]));
        assert_eq!(anchors.nearest(&wire("a.other")), Some(&wire("")[..]));
        assert!(anchors.is_for(&wire("a.lab")) && !anchors.is_for(&wire("other")));
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(parse("; none\n").unwrap_err(), "/k holds no DS and no DNSKEY record");
        assert!(parse("\n. IN DS 1 13 2 ABC\n").unwrap_err().starts_with("/k:2: a DS is"));
        assert!(parse(". IN DNSKEY 257 3 (\n").unwrap_err().contains("parentheses"));
        assert!(parse(". IN A 192.0.2.1").unwrap_err().contains("only DS and DNSKEY"));
    }
}
