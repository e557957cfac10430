//! Reading and writing netlink messages and attributes as bytes; nothing of nftables is known here.
//!
//! Reading never fails: what is cut short ends the iteration, and the caller misses an attribute.

/// One message of a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// What follows the header.
    pub(super) body: &'a [u8],
}

/// Messages of a datagram.
pub(super) fn messages(mut rest: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(native32(rest)?).ok()?;
        let whole = rest.get(..length)?;
        let message = Message {
            kind: native16(whole.get(4..)?)?,
            flags: native16(whole.get(6..)?)?,
            sequence: native32(whole.get(8..)?)?,
            body: whole.get(16..)?,
        };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Attributes of a message or nest: type without its flag bits, and content.
pub(super) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(native16(rest)?);
        let kind = native16(rest.get(2..)?)? & 0x3fff;
        let content = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, content))
    })
}

/// Content of the first attribute of a type.
pub(super) fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(kind, content)| (kind == wanted).then_some(content))
}

/// Text attribute without its closing zero byte.
pub(super) fn text(bytes: &[u8], wanted: u16) -> Option<&str> {
    let content = find(bytes, wanted)?;
    std::str::from_utf8(content.strip_suffix(&[0]).unwrap_or(content)).ok()
}

/// 32-bit attribute; nftables sends numbers in network order.
pub(super) fn number(bytes: &[u8], wanted: u16) -> Option<u32> {
    find(bytes, wanted)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

/// 64-bit attribute, in network order.
pub(super) fn number64(bytes: &[u8], wanted: u16) -> Option<u64> {
    find(bytes, wanted)?.first_chunk().map(|eight| u64::from_be_bytes(*eight))
}

/// 32 bits in the host's order.
pub(super) fn native32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|four| u32::from_ne_bytes(*four))
}

fn native16(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|two| u16::from_ne_bytes(*two))
}

/// A request: header, the four bytes every netfilter message starts with, text attributes. `None` if longer than a
/// message can be.
pub(super) fn request(
    kind: u16,
    flags: u16,
    sequence: u32,
    family: u8,
    texts: &[(u16, &str)],
) -> Option<Vec<u8>> {
    let mut body = vec![family, 0, 0, 0];
    for (attribute, text) in texts {
        let length = u16::try_from(4 + text.len() + 1).ok()?;
        body.extend(length.to_ne_bytes());
        body.extend(attribute.to_ne_bytes());
        body.extend(text.as_bytes());
        body.push(0);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = Vec::with_capacity(16 + body.len());
    message.extend(u32::try_from(16 + body.len()).ok()?.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 4]);
    message.append(&mut body);
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back() {
        let bytes = request(0x0a04, 0x301, 9, 1, &[(1, "pic"), (2, "peers4")]).unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let message = messages(&bytes).next().unwrap();
        assert_eq!((message.kind, message.flags, message.sequence), (0x0a04, 0x301, 9));
        let body = &message.body[4..];
        assert_eq!(text(body, 1), Some("pic"));
        assert_eq!(text(body, 2), Some("peers4"));
        assert_eq!(text(body, 3), None);
    }

    #[test]
    fn cut_bytes_end_the_iteration() {
        let bytes = request(1, 2, 3, 1, &[(1, "pic"), (2, "peers4")]).unwrap();
        for end in 0..bytes.len() {
            assert_eq!(messages(&bytes[..end]).count(), 0);
            let _ = attributes(bytes.get(20..end).unwrap_or_default()).count();
        }
        // A length of zero must not loop for ever.
        assert_eq!(messages(&[0; 64]).count(), 0);
        assert_eq!(attributes(&[0; 64]).count(), 0);
    }
}
