//! Names of records: letters, digits, `-` and `_`, with `*` as a wildcard.

use std::fmt;

/// Longest name in wire form.
const MAX_WIRE: usize = 255;
const REVERSE: [&str; 2] = [".in-addr.arpa", ".ip6.arpa"];

/// An absolute name in lower case without the dot at the end; the root is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// What a name without a dot at its end means.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'z> {
    /// Zone that relative names are in, without the dot at the end.
    pub zone: &'z str,
    /// As in zone files: every name without a dot at its end is relative. Otherwise one that ends in the zone's name is
    /// absolute, and so is a target of several labels.
    pub strict: bool,
}

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A label that is empty, too long or of other characters.
    #[error("a label is 1 to 63 letters, digits, '-' or '_'; '*' alone may be the first")]
    Label,
    /// Over 255 bytes.
    #[error("the whole name is longer than 253 characters")]
    Long,
}

impl Name {
    /// The root.
    pub const ROOT: Self = Self(String::new());

    /// An absolute name; a dot at the end changes nothing.
    pub fn absolute(text: &str) -> Result<Self, NameError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.is_empty() {
            return if text == "." { Ok(Self::ROOT) } else { Err(NameError::Label) };
        }
        if name.len() + 2 > MAX_WIRE {
            return Err(NameError::Long);
        }
        let is_right = |(at, label): (usize, &str)| (at == 0 && label == "*") || is_label(label);
        if name.split('.').enumerate().all(is_right) { Ok(Self(name)) } else { Err(NameError::Label) }
    }

    /// The text, without a dot at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `zone` or beneath it.
    pub fn is_within(&self, zone: &str) -> bool {
        self.0 == zone || self.beneath(zone).is_some()
    }

    /// The part in front of a zone it is beneath.
    pub fn beneath(&self, zone: &str) -> Option<&str> {
        self.0.strip_suffix(zone)?.strip_suffix('.')
    }

    /// Whether it is the name of an address.
    pub fn is_reverse(&self) -> bool {
        REVERSE.iter().any(|suffix| self.0.ends_with(suffix))
    }

    /// Whether it stands for all names beneath its parent.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Length-prefixed labels, uncompressed.
    pub fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(self.0.len() + 2);
        for label in self.0.split('.').filter(|label| !label.is_empty()) {
            // At most 63, as every label was checked.
            wire.push(u8::try_from(label.len()).unwrap_or(0));
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        wire
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

impl Origin<'_> {
    /// Name of a record.
    pub fn owner(&self, text: &str) -> Result<Name, NameError> {
        let lower = text.to_ascii_lowercase();
        let is_full = !self.strict
            && (lower == self.zone
                || lower.strip_suffix(self.zone).is_some_and(|rest| rest.ends_with('.'))
                || REVERSE.iter().any(|suffix| lower.ends_with(suffix)));
        self.complete(text, is_full)
    }

    /// Name that a record points to.
    pub fn target(&self, text: &str) -> Result<Name, NameError> {
        self.complete(text, !self.strict && text.contains('.'))
    }

    fn complete(&self, text: &str, is_full: bool) -> Result<Name, NameError> {
        match text {
            "@" => Name::absolute(self.zone),
            _ if is_full || text.ends_with('.') => Name::absolute(text),
            _ if self.zone.is_empty() => Name::absolute(text),
            _ => Name::absolute(&format!("{text}.{}", self.zone)),
        }
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Origin<'_> = Origin { zone: "home.cell", strict: false };

    #[test]
    fn owners_and_targets() {
        let owner = |text| HOME.owner(text).unwrap().to_string();
        assert_eq!(owner("Printer"), "printer.home.cell");
        assert_eq!(owner("_sip._tcp"), "_sip._tcp.home.cell");
        assert_eq!(owner("printer.HOME.cell"), "printer.home.cell");
        assert_eq!(owner("@"), "home.cell");
        assert_eq!(owner("*.apps"), "*.apps.home.cell");
        assert_eq!(owner("www.example.org."), "www.example.org");
        assert_eq!(owner("myhome.cell"), "myhome.cell.home.cell");
        let target = |text| HOME.target(text).unwrap().to_string();
        assert_eq!(
            (target("nas"), target("a.b"), target(".")),
            ("nas.home.cell".into(), "a.b".into(), ".".into())
        );
        let file = Origin { zone: "home.cell", strict: true };
        assert_eq!(file.target("a.b").unwrap().to_string(), "a.b.home.cell");
    }

    #[test]
    fn refused_names() {
        for bad in ["", "a b", "a..b", ".a", "a.*", "*a", "ü", "a\\.b", &"x".repeat(64), &"abc.".repeat(70)]
        {
            assert!(HOME.owner(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn wire_form() {
        assert_eq!(Name::absolute("a.cell").unwrap().wire(), b"\x01a\x04cell\x00");
        assert_eq!(Name::ROOT.wire(), b"\x00");
    }
}
