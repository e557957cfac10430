//! Names in wire form: length-prefixed labels ending in the empty one.
//!
//! Lower-casing works on the whole wire form, because a length byte (at most 63) is never an upper-case letter.

/// The longest name in wire form.
pub const MAX: usize = 255;
const MAX_LABEL: u8 = 63;
/// A pointer per label is all that makes sense, and a name has at most 127 labels.
const MAX_POINTERS: usize = 127;

/// Length of the uncompressed name at the start of `bytes`, or `None` if it is cut, too long or compressed.
pub fn plain_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let label = *bytes.get(at)?;
        if label > MAX_LABEL {
            return None;
        }
        at += 1 + usize::from(label);
        if at > MAX {
            return None;
        }
        if label == 0 {
            return Some(at);
        }
    }
}

/// Offset just behind the name at `start`, which may be compressed.
///
/// Pointers must lead strictly backwards, so every name ends; the expanded length is limited as well, and so is the
/// number of pointers: a long chain of them, walked for each of thousands of records, would take a second.
pub fn skip(message: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut lowest, mut length) = (start, start, 0usize);
    let mut behind = None;
    let mut pointers = 0;
    loop {
        let label = *message.get(at)?;
        match label {
            0 => return Some(behind.unwrap_or(at + 1)),
            1..=MAX_LABEL => {
                at += 1 + usize::from(label);
                length += 1 + usize::from(label);
                if length >= MAX {
                    return None;
                }
            }
            0xC0.. => {
                let low = *message.get(at + 1)?;
                behind.get_or_insert(at + 2);
                let target = usize::from(u16::from_be_bytes([label & 0x3F, low]));
                pointers += 1;
                if target >= lowest || pointers > MAX_POINTERS {
                    return None;
                }
                (at, lowest) = (target, target);
            }
            _ => return None,
        }
    }
}

/// The name at `start` without compression, and the offset just behind it. Bounded as [`skip`] is.
pub fn expand(message: &[u8], start: usize) -> Option<(Vec<u8>, usize)> {
    let behind = skip(message, start)?;
    let (mut name, mut at) = (Vec::new(), start);
    loop {
        let label = *message.get(at)?;
        match label {
            0xC0.. => at = usize::from(u16::from_be_bytes([label & 0x3F, *message.get(at + 1)?])),
            _ => {
                let end = at + 1 + usize::from(label);
                name.extend_from_slice(message.get(at..end)?);
                if label == 0 {
                    return Some((name, behind));
                }
                at = end;
            }
        }
    }
}

/// The name and all names above it, down to the root.
pub fn and_above(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), |name| parent(name))
}

/// How many labels it has; the root has none.
pub fn labels(name: &[u8]) -> usize {
    and_above(name).count() - 1
}

/// The name made of the last so many labels; `None` if it has fewer.
pub fn last_labels(name: &[u8], count: usize) -> Option<&[u8]> {
    and_above(name).nth(labels(name).checked_sub(count)?)
}

/// Order of names in a zone (RFC 4034 section 6.1): by their labels from the last to the first. Both in lower case.
pub fn compare(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    let labels = |name| {
        let mut labels: Vec<&[u8]> = and_above(name).filter_map(first_label).collect();
        labels.reverse();
        labels
    };
    labels(a).cmp(&labels(b))
}

/// Bytes of the first label; `None` at the root.
pub fn first_label(name: &[u8]) -> Option<&[u8]> {
    match *name.first()? {
        0 => None,
        length => name.get(1..=usize::from(length)),
    }
}

/// Wire form of a dotted name without escapes, in lower case; `None` if it is no valid name. `""` is the root.
pub fn from_text(text: &str) -> Option<Vec<u8>> {
    let mut wire = Vec::with_capacity(text.len() + 2);
    push_labels(&mut wire, text)?;
    wire.push(0);
    (wire.len() <= MAX).then_some(wire)
}

/// Appends the labels of a dotted name in lower case; `None` if one is no valid label.
fn push_labels(wire: &mut Vec<u8>, text: &str) -> Option<()> {
    for label in text.split('.').filter(|_| !text.is_empty()) {
        let length = u8::try_from(label.len()).ok().filter(|l| (1..=MAX_LABEL).contains(l))?;
        if !label.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return None;
        }
        wire.push(length);
        wire.extend(label.bytes().map(|b| b.to_ascii_lowercase()));
    }
    Some(())
}

/// Wire form of a dotted name that is relative to `apex`; `None` if it is no valid name. `""` is the apex itself.
pub fn beneath(text: &str, apex: &[u8]) -> Option<Vec<u8>> {
    let mut wire = Vec::with_capacity(text.len() + 1 + apex.len());
    push_labels(&mut wire, text)?;
    wire.extend_from_slice(apex);
    (wire.len() <= MAX).then_some(wire)
}

/// The name without its first label; `None` at the root.
pub fn parent(name: &[u8]) -> Option<&[u8]> {
    match *name.first()? {
        0 => None,
        label => name.get(1 + usize::from(label)..),
    }
}

/// Dotted form for people, without the dot at the end; bytes that are no text are escaped.
pub fn to_text(mut name: &[u8]) -> String {
    let mut text = String::new();
    while let Some(rest) = parent(name) {
        let label = name.get(1..name.len() - rest.len()).unwrap_or_default();
        if !text.is_empty() {
            text.push('.');
        }
        text.extend(label.escape_ascii().map(char::from));
        name = rest;
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

/// Whether `name` is `apex` or beneath it. Both in lower case.
pub fn is_within(name: &[u8], apex: &[u8]) -> bool {
    let mut rest = Some(name);
    while let Some(suffix) = rest {
        if suffix == apex {
            return true;
        }
        rest = parent(suffix);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_to_wire() {
        assert_eq!(from_text("Home.cell").unwrap(), b"\x04home\x04cell\x00");
        assert_eq!(from_text("").unwrap(), b"\x00");
        for bad in ["a..b", ".", "a.", "x y", "back\\slash", &"l".repeat(64), &"abc.".repeat(70)] {
            assert!(from_text(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn names_beneath_another() {
        let apex = from_text("home.cell").unwrap();
        assert_eq!(beneath("Phone", &apex), from_text("phone.home.cell"));
        assert_eq!(beneath("", &apex).unwrap(), apex);
        assert!(beneath("a..b", &apex).is_none() && beneath(&"abc.".repeat(63), &apex).is_none());
    }

    #[test]
    fn plain_names_end_or_fail() {
        assert_eq!(plain_len(b"\x01a\x00rest"), Some(3));
        assert_eq!(plain_len(b"\x01a"), None);
        assert_eq!(plain_len(b""), None);
        assert_eq!(plain_len(b"\xC0\x0C"), None, "no pointers in questions");
        assert_eq!(plain_len(&[1, b'a'].repeat(200)), None, "too long");
    }

    #[test]
    fn pointers_only_lead_backwards() {
        let mut message = vec![0; 12];
        message.extend(b"\x01a\x00\x01b\xC0\x0C");
        assert_eq!(skip(&message, 15), Some(19));
        message.extend(b"\xC0\x13");
        assert_eq!(skip(&message, 19), None, "a pointer to itself");
        assert_eq!(skip(b"\xC0", 0), None);
    }

    #[test]
    fn names_in_the_order_of_a_zone() {
        let name = |t| from_text(t).unwrap();
        // The example of RFC 4034 section 6.1, as far as it is text.
        let order =
            ["example", "a.example", "yljkjljk.a.example", "z.a.example", "zabc.a.example", "z.example"];
        assert!(order.iter().map(|t| name(t)).is_sorted_by(|a, b| compare(a, b).is_lt()));
        assert_eq!(labels(&name("a.b.c")), 3);
        assert_eq!(last_labels(&name("a.b.c"), 2), Some(&name("b.c")[..]));
        assert_eq!(last_labels(&name("a"), 2), None);
        let message = b"\x03com\x00\x01A\xC0\x00?";
        assert_eq!(expand(message, 5), Some((b"\x01A\x03com\x00".to_vec(), 9)));
    }

    #[test]
    fn zones_contain_whole_labels() {
        let name = |t| from_text(t).unwrap();
        assert!(is_within(&name("phone.home.cell"), &name("home.cell")));
        assert!(!is_within(&name("phonehome.cell"), &name("home.cell")));
        assert!(is_within(&name("x"), &name("")));
    }
}
