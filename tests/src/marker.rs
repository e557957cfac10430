//! Random bytes that are put in a packet here and looked for in a capture there.

use std::fmt;
use std::fs::File;
use std::io::Read as _;

use anyhow::{Context as _, Result};

/// Sixteen random bytes: as many as `ping -p` takes, and enough never to appear by chance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Marker([u8; 16]);

impl Marker {
    /// A new marker.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut bytes))
            .context("read random bytes from /dev/urandom")?;
        Ok(Self(bytes))
    }

    /// The bytes to send.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As hexadecimal digits, for `ping -p` and the like.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether `data` carries the marker, raw or as hexadecimal digits (in a URL or a DNS name).
    pub fn is_in(&self, data: &[u8]) -> bool {
        let hex = self.hex();
        data.windows(self.0.len()).any(|window| window == self.0)
            || data.windows(hex.len()).any(|window| window.eq_ignore_ascii_case(hex.as_bytes()))
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Marker({})", self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_found_raw_and_in_hex() {
        let marker = Marker::random().unwrap();
        let raw = [b"ab".as_slice(), marker.bytes(), b"cd"].concat();
        assert!(marker.is_in(&raw));
        assert!(marker.is_in(format!("GET /{} HTTP/1.1", marker.hex()).as_bytes()));
        assert!(!marker.is_in(&raw[..17]));
        assert!(!Marker::random().unwrap().is_in(&raw));
    }
}
