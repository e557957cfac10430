//! Options onto the wire.

/// Bytes of a message that grows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Out(Vec<u8>);

impl Out {
    /// A message of this type and transaction, without options.
    pub fn message(kind: u8, xid: [u8; 3]) -> Self {
        let [a, b, c] = xid;
        Self(vec![kind, a, b, c])
    }

    /// Bytes that stand before options, as the fixed part of one.
    pub fn fixed(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Adds an option. One that is longer than an option can be cannot come from what we hold, and is left out.
    pub fn option(&mut self, code: u16, value: &[u8]) -> &mut Self {
        if let Ok(length) = u16::try_from(value.len()) {
            self.0.extend_from_slice(&code.to_be_bytes());
            self.0.extend_from_slice(&length.to_be_bytes());
            self.0.extend_from_slice(value);
        }
        self
    }

    /// The same, unless it would be empty.
    pub fn filled(&mut self, code: u16, value: &[u8]) -> &mut Self {
        if value.is_empty() { self } else { self.option(code, value) }
    }

    /// A status with words for whoever looks at the wire.
    pub fn status(&mut self, status: u16, words: &str) -> &mut Self {
        self.option(super::option::STATUS, &[&status.to_be_bytes(), words.as_bytes()].concat())
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// The bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
