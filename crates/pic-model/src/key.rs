//! WireGuard keys: Curve25519 points and scalars, in the base64 form of `wg`(8).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::secret::Secret;

const LEN: usize = 32;

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 44 characters of base64 that decode to 32 bytes.
    #[error("a key is 44 characters of base64 (32 bytes), as printed by `wg pubkey`")]
    NotAKey,
    /// All bytes zero: no valid peer has it.
    #[error("the key of only zero bytes belongs to nobody")]
    Zero,
}

fn decode(text: &str) -> Result<[u8; LEN], KeyError> {
    // 44 characters, checked first: the decoder must not work on megabytes.
    if text.len() != 44 {
        return Err(KeyError::NotAKey);
    }
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| KeyError::NotAKey)?);
    let key: [u8; LEN] = bytes.as_slice().try_into().map_err(|_| KeyError::NotAKey)?;
    if key == [0; LEN] { Err(KeyError::Zero) } else { Ok(key) }
}

/// A peer's public key; its identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; LEN]);

impl PublicKey {
    /// From raw bytes as the kernel gives them.
    pub fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// Raw bytes as the kernel takes them.
    pub fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(Self)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A private key, always clamped (RFC 7748 section 5): an unclamped key would never compare equal to what the kernel
/// reads back, and setting it again would cost every live session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrivateKey(Secret<[u8; LEN]>);

impl PrivateKey {
    /// Makes a key of 32 random bytes; the caller brings the randomness.
    pub fn from_random(mut bytes: [u8; LEN]) -> Self {
        bytes[0] &= 248;
        bytes[31] = (bytes[31] & 127) | 64;
        let key = Self(Secret::new(bytes));
        bytes.zeroize();
        key
    }

    /// Reads the base64 form and clamps.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        decode(text).map(Self::from_random)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        let scalar = x25519_dalek::StaticSecret::from(*self.0.expose());
        PublicKey(x25519_dalek::PublicKey::from(&scalar).to_bytes())
    }

    /// Raw bytes, for the kernel only.
    pub fn expose(&self) -> &[u8; LEN] {
        self.0.expose()
    }

    /// Base64, for a key file or a client's configuration only.
    pub fn expose_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.expose()))
    }
}

/// A symmetric key mixed into the handshake of one peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PresharedKey(Secret<[u8; LEN]>);

impl PresharedKey {
    /// From raw bytes as the kernel gives them.
    pub fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Reads the base64 form of a provider's file.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        decode(text).map(Self::from_bytes)
    }

    /// Raw bytes, for the kernel only.
    pub fn expose(&self) -> &[u8; LEN] {
        self.0.expose()
    }

    /// Base64, for a client's configuration only.
    pub fn expose_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.expose()))
    }
}

/// The cell's secret from which each peer's preshared key is derived, so that none is stored and a peer's
/// configuration can be shown again. HMAC-SHA-256 (RFC 2104) over a label and the peer's public key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PresharedSeed(Secret<[u8; LEN]>);

impl PresharedSeed {
    /// From 32 random bytes.
    pub fn from_random(bytes: [u8; LEN]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Reads the base64 form of the secrets folder.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        decode(text).map(Self::from_random)
    }

    /// Base64, for the secrets folder only.
    pub fn expose_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.expose()))
    }

    /// The preshared key of one peer.
    pub fn derive(&self, peer: &PublicKey) -> PresharedKey {
        self.deriver().derive(peer)
    }

    /// What derives the keys of many peers.
    pub fn deriver(&self) -> PresharedDeriver {
        // RFC 2104 section 2: a shorter key is filled up with zeros to the length of a block.
        let mut block = Zeroizing::new([0; 64]);
        block[..LEN].copy_from_slice(self.0.expose());
        PresharedDeriver(Hmac::new(&(*block).into()))
    }
}

/// A [`PresharedSeed`] with the part of the computation done that is the same for all peers. Not to be kept: it is as
/// secret as the seed.
pub struct PresharedDeriver(Hmac<Sha256>);

impl PresharedDeriver {
    /// The preshared key of one peer.
    pub fn derive(&self, peer: &PublicKey) -> PresharedKey {
        let mac = self.0.clone().chain_update(b"pic preshared key v1\0").chain_update(peer.as_bytes());
        PresharedKey::from_bytes(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for PresharedDeriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedDeriver(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamps_and_round_trips() {
        let key = PrivateKey::from_random([255; 32]);
        assert_eq!(key.expose()[0], 248);
        assert_eq!(key.expose()[31], 127);
        assert_eq!(PrivateKey::parse(&key.expose_base64()).unwrap(), key);
        let public: PublicKey = key.public().to_string().parse().unwrap();
        assert_eq!(public, key.public());
    }

    #[test]
    fn refuses_what_is_not_a_key() {
        for bad in
            ["", "abc", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", &"A".repeat(44), &"=".repeat(44)]
        {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn preshared_keys_stay_the_same_for_ever() {
        // By another implementation of HMAC: devices out there hold such keys.
        let psk = PresharedSeed::from_random([7; 32]).derive(&PublicKey::from_bytes([9; 32]));
        assert_eq!(*psk.expose_base64(), "cr6rVYRbnZbROoFNz6NvlBKblrf4HNtbPb7WI+rhrd4=");
    }

    #[test]
    fn secrets_do_not_print() {
        let seed = PresharedSeed::from_random([7; 32]);
        let psk = seed.derive(&PublicKey::from_bytes([9; 32]));
        let text = format!("{seed:?} {psk:?} {:?}", PrivateKey::from_random([3; 32]));
        assert_eq!(text, "PresharedSeed(Secret(…)) PresharedKey(Secret(…)) PrivateKey(Secret(…))");
        assert_ne!(psk, seed.derive(&PublicKey::from_bytes([8; 32])));
    }
}
