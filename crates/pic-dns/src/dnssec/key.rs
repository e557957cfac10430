//! Keys, digests of keys and signatures as records carry them (RFC 4034 sections 2, 3 and 5).

use crate::wire::{name, u16_at, u32_at};

use super::crypto;

const FLAG_ZONE: u16 = 0x0100;
const FLAG_REVOKED: u16 = 0x0080;
const PROTOCOL: u8 = 3;

/// A DNSKEY that may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) tag: u16,
    pub(super) algorithm: u8,
    /// The whole value.
    rdata: Box<[u8]>,
}

impl Key {
    /// `None` for what is no key of a zone, or was revoked (RFC 5011 section 2.1).
    pub(super) fn parse(rdata: &[u8]) -> Option<Self> {
        let flags = u16_at(rdata, 0)?;
        let algorithm = *rdata.get(3)?;
        let usable = flags & FLAG_ZONE != 0 && flags & FLAG_REVOKED == 0 && *rdata.get(2)? == PROTOCOL;
        usable.then(|| Self { tag: tag(rdata), algorithm, rdata: rdata.into() })
    }

    pub(super) fn has_signed(&self, data: &[u8], signature: &[u8]) -> bool {
        let key = self.rdata.get(4..).unwrap_or_default();
        crypto::verify(self.algorithm, key, data, signature)
    }
}

/// RFC 4034 appendix B.
fn tag(rdata: &[u8]) -> u16 {
    let sum = rdata.chunks(2).fold(0_u32, |sum, pair| {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        sum.wrapping_add(u32::from(word))
    });
    let [_, _, high, low] = (sum + (sum >> 16)).to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// A DS: what the parent says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ds {
    tag: u16,
    pub(super) algorithm: u8,
    pub(super) digest_type: u8,
    digest: Box<[u8]>,
}

impl Ds {
    pub(super) fn parse(rdata: &[u8]) -> Option<Self> {
        let digest = rdata.get(4..).filter(|digest| !digest.is_empty())?.into();
        Some(Self { tag: u16_at(rdata, 0)?, algorithm: rdata[2], digest_type: rdata[3], digest })
    }

    /// Whether we know both the algorithm of the key and that of the digest.
    pub(super) fn is_usable(&self) -> bool {
        crypto::is_supported(self.algorithm) && crypto::is_digest(self.digest_type)
    }

    /// Whether it could be about this key, by what is cheap to compare.
    pub(super) fn is_about(&self, key: &Key) -> bool {
        self.tag == key.tag && self.algorithm == key.algorithm
    }

    /// Whether it is about this key of the zone `apex`.
    pub(super) fn matches(&self, apex: &[u8], key: &Key) -> bool {
        self.is_about(key)
            && crypto::digest(self.digest_type, &[apex, &key.rdata]).as_deref() == Some(&self.digest)
    }
}

/// An RRSIG.
#[derive(Debug)]
pub(super) struct Signature<'r> {
    pub(super) algorithm: u8,
    /// Labels of the name that was signed, a leading asterisk not counted.
    pub(super) labels: u8,
    pub(super) original_ttl: u32,
    pub(super) expiration: u32,
    pub(super) inception: u32,
    pub(super) tag: u16,
    /// In lower case.
    pub(super) signer: &'r [u8],
    /// Everything before the signature, which is part of what is signed.
    pub(super) head: &'r [u8],
    pub(super) signature: &'r [u8],
}

impl<'r> Signature<'r> {
    pub(super) fn parse(rdata: &'r [u8]) -> Option<Self> {
        let signer = rdata.get(18..)?;
        let signer = signer.get(..name::plain_len(signer)?)?;
        let (head, signature) = rdata.split_at_checked(18 + signer.len())?;
        Some(Self {
            algorithm: rdata[2],
            labels: rdata[3],
            original_ttl: u32_at(rdata, 4)?,
            expiration: u32_at(rdata, 8)?,
            inception: u32_at(rdata, 12)?,
            tag: u16_at(rdata, 16)?,
            signer,
            head,
            signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scraps_are_no_keys() {
        assert!(Key::parse(&[1, 0, 3]).is_none(), "cut");
        assert!(Key::parse(&[0, 0, 3, 8, 1]).is_none(), "no key of a zone");
        assert!(Key::parse(&[1, 0x81, 3, 8, 1]).is_none(), "revoked");
        assert!(Key::parse(&[1, 1, 2, 8, 1]).is_none(), "another protocol");
        assert!(Key::parse(&[1, 1, 3, 8, 1]).is_some());
        assert!(Ds::parse(&[0, 1, 8, 2]).is_none(), "no digest");
        assert!(Signature::parse(&[0; 18]).is_none(), "no signer");
    }
}
