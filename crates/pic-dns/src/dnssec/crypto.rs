//! Signatures and digests by their numbers at IANA.
//!
//! SHA-1 counts as unknown, as RFC 9905 asks, except as the hash of NSEC3, where it need not resist collisions.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

const RSASHA256: u8 = 8;
const RSASHA512: u8 = 10;
const ECDSAP256SHA256: u8 = 13;
const ECDSAP384SHA384: u8 = 14;
const ALGORITHM_ED25519: u8 = 15;

/// Whether signatures of this algorithm can be checked.
pub(super) fn is_supported(algorithm: u8) -> bool {
    matches!(algorithm, RSASHA256 | RSASHA512 | ECDSAP256SHA256 | ECDSAP384SHA384 | ALGORITHM_ED25519)
}

/// Whether digests of this type can be checked.
pub(super) fn is_digest(digest_type: u8) -> bool {
    matches!(digest_type, 2 | 4)
}

/// Digest of some bytes; `None` for unknown types.
pub(super) fn digest(digest_type: u8, parts: &[&[u8]]) -> Option<Box<[u8]>> {
    let algorithm = match digest_type {
        2 => &SHA256,
        4 => &SHA384,
        _ => return None,
    };
    let mut context = Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    Some(context.finish().as_ref().into())
}

/// SHA-1, for NSEC3 alone.
pub(super) fn sha1(parts: &[&[u8]]) -> Box<[u8]> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().into()
}

/// Whether `key`, as in a DNSKEY, made `signature` over `data`.
pub(super) fn verify(algorithm: u8, key: &[u8], data: &[u8], signature: &[u8]) -> bool {
    match algorithm {
        RSASHA256 => rsa(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, key, data, signature),
        RSASHA512 => rsa(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, key, data, signature),
        ECDSAP256SHA256 => plain(&ECDSA_P256_SHA256_FIXED, &[&[4], key].concat(), data, signature),
        ECDSAP384SHA384 => plain(&ECDSA_P384_SHA384_FIXED, &[&[4], key].concat(), data, signature),
        ALGORITHM_ED25519 => plain(&ED25519, key, data, signature),
        _ => false,
    }
}

fn plain(algorithm: &'static dyn VerificationAlgorithm, key: &[u8], data: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(algorithm, key).verify(data, signature).is_ok()
}

/// RFC 3110 section 2: length of the exponent, exponent, modulus.
fn rsa(parameters: &'static RsaParameters, key: &[u8], data: &[u8], signature: &[u8]) -> bool {
    let (length, rest) = match key {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return false,
    };
    let Some((e, n)) = rest.split_at_checked(length) else { return false };
    RsaPublicKeyComponents { n, e }.verify(parameters, data, signature).is_ok()
}
