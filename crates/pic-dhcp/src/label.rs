//! From what a client calls itself, which is any bytes, to a label that may stand in DNS and be shown.

/// Names that must not be taken by a device: the cell's own, and those that programs trust blindly.
const TAKEN: [&str; 6] = ["ns", "cell", "localhost", "wpad", "isatap", "_gateway"];
const MAX: usize = 63;

/// The first label of a host name, in lower case, of letters, digits and single hyphens; `None` where nothing is left.
pub fn of_host_name(bytes: &[u8]) -> Option<Box<str>> {
    let first = bytes.split(|byte| *byte == b'.' || *byte == 0).next().unwrap_or_default();
    clean(first.iter().take(255).map(|byte| char::from(*byte)))
}

/// The same for the name in an FQDN option (RFC 4702), which is on the wire as in DNS or, from old clients, as text.
pub fn of_fqdn(bytes: &[u8]) -> Option<Box<str>> {
    match bytes.split_first() {
        Some((length, rest)) if (1..=63).contains(length) && rest.len() >= usize::from(*length) => {
            of_host_name(&rest[..usize::from(*length)])
        }
        _ => of_host_name(bytes),
    }
}

fn clean(text: impl Iterator<Item = char>) -> Option<Box<str>> {
    let mut label = String::new();
    for letter in text {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_lowercase() || letter.is_ascii_digit() => label.push(letter),
            '\'' => {}
            _ if !label.is_empty() && !label.ends_with('-') => label.push('-'),
            _ => {}
        }
    }
    label.truncate(MAX);
    let label = label.trim_end_matches('-');
    (!label.is_empty() && !TAKEN.contains(&label)).then(|| label.into())
}

/// The name of a device whose first choice is taken: with the end of its hardware address, always the same.
pub fn otherwise(name: &str, mac: [u8; 6]) -> String {
    let kept = name.get(..name.len().min(MAX - 7)).unwrap_or(name).trim_end_matches('-');
    format!("{kept}-{:02x}{:02x}{:02x}", mac[3], mac[4], mac[5])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_comes_is_a_label_or_nothing() {
        let host = |text: &str| of_host_name(text.as_bytes()).unwrap_or_default().to_string();
        assert_eq!(host("Alice's iPhone"), "alices-iphone");
        assert_eq!(host("nas.home.example"), "nas");
        assert_eq!(host("<script>alert(1)</script>"), "script-alert-1-script");
        assert_eq!(host(&"a".repeat(300)).len(), 63);
        for nothing in ["", "...", "---", "localhost", "WPAD", "\u{fc}", "\n\0x"] {
            assert_eq!(host(nothing), "", "{nothing:?}");
        }
        assert_eq!(of_fqdn(b"\x05phone\x04home\x00").as_deref(), Some("phone"));
        assert_eq!(of_fqdn(b"phone.home").as_deref(), Some("phone"));
        assert_eq!(otherwise("phone", [0, 1, 2, 3, 4, 0xab]), "phone-0304ab");
        assert!(otherwise(&"x".repeat(63), [0; 6]).len() <= 63);
    }
}
