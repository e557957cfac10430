//! One generation as a file: a comment line with its facts, then the exact `cell.toml`.

use pic_model::config::MAX_BYTES;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::change::Author;

const PREFIX: &str = "# pic generation ";
/// A higher number is damage, and so is 0, which stands for none: no cell lives that long, and counting on from it must not overflow.
pub(super) const NUMBER_MAX: u64 = 1 << 48;

/// Facts about one generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// Unix seconds when it was proposed.
    pub at: i64,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// SHA-256 of the text, hex.
    pub sha256: String,
    /// Size of the text.
    pub bytes: u64,
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:06}.toml")
}

pub(super) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".toml")?;
    let number = digits.parse().ok()?;
    ((1..=NUMBER_MAX).contains(&number) && file_name(number) == name).then_some(number)
}

/// Hex SHA-256 of a text.
pub(crate) fn checksum(text: impl AsRef<[u8]>) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn render(number: u64, at: i64, author: &Author, reason: &str, text: &str) -> (Entry, Vec<u8>) {
    let reason = reason.chars().filter(|c| !c.is_control()).take(200).collect();
    let entry = Entry {
        number,
        at,
        author: author.0.clone(),
        reason,
        sha256: checksum(text),
        bytes: text.len() as u64,
    };
    // Plain data with string keys always serialises.
    let facts = serde_json::to_string(&entry).unwrap_or_default();
    (entry, format!("{PREFIX}{facts}\n{text}").into_bytes())
}

/// Reads a generation back; `None` when it is damaged in any byte.
pub(super) fn parse(number: u64, bytes: &[u8]) -> Option<(Entry, String)> {
    if bytes.len() > MAX_BYTES + 4096 {
        return None;
    }
    let (first, text) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
    let entry: Entry = serde_json::from_str(first.strip_prefix(PREFIX)?).ok()?;
    (entry.number == number && entry.sha256 == checksum(text)).then(|| (entry, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_damage_is_seen() {
        let (entry, bytes) = render(7, 99, &Author("root".into()), "why\nnot", "[cell]\nname = \"home\"\n");
        assert_eq!(parse(7, &bytes), Some((entry, "[cell]\nname = \"home\"\n".into())));
        assert_eq!(parse(8, &bytes), None);
        let start = bytes.iter().position(|b| *b == b'\n').unwrap();
        for at in start + 1..bytes.len() {
            assert_eq!(parse(7, &bytes[..at]), None);
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(parse(7, &bad), None);
        }
    }

    #[test]
    fn only_our_own_file_names() {
        assert_eq!(number_of("000042.toml"), Some(42));
        for other in [
            "42.toml",
            "state.json",
            "000042.toml.bak",
            ".pic-tmp-1",
            "+00042.toml",
            "18446744073709551615.toml",
        ] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
