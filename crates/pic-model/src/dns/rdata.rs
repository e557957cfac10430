//! Values of records: from presentation format to wire form, and to one canonical text.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::name::Origin;
use super::rtype::RecordType;
use super::svcb;
use super::token::{self, Token};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RData {
    /// RDATA as on the wire, names in lower case and uncompressed.
    pub wire: Vec<u8>,
    /// Presentation format, names absolute with their dot.
    pub text: String,
}

/// Largest RDATA: leaves room for the rest of a message that TCP can carry.
const MAX_WIRE: usize = 32_768;
/// Longest character string, RFC 1035 section 3.3.
const MAX_STRING: usize = 255;

impl RData {
    /// Reads a value as it stands in `cell.toml`. There, a TXT without quotes is one text.
    pub fn parse(rtype: RecordType, text: &str, origin: Origin<'_>) -> Result<Self, String> {
        if text.len() > 4 * MAX_WIRE {
            return Err("the value is too long".to_owned());
        }
        if rtype == RecordType::TXT && !text.contains('"') {
            let word = Token { bytes: text.as_bytes().to_vec(), quoted: true };
            return Self::from_words(rtype, &[word], origin);
        }
        Self::from_words(rtype, &token::words(text)?, origin)
    }

    pub(super) fn from_words(rtype: RecordType, words: &[Token], origin: Origin<'_>) -> Result<Self, String> {
        let mut out = Fields { words: words.iter(), origin, wire: Vec::new(), text: Vec::new() };
        out.read(rtype)?;
        if out.words.next().is_some() {
            return Err(format!("there is more than {}", shape(rtype)));
        }
        if out.wire.len() > MAX_WIRE {
            return Err("the value is too long".to_owned());
        }
        Ok(Self { wire: out.wire, text: out.text.join(" ") })
    }
}

/// What a value of the type looks like.
pub fn shape(rtype: RecordType) -> &'static str {
    match rtype {
        RecordType::A => "an IPv4 address",
        RecordType::AAAA => "an IPv6 address",
        RecordType::NS | RecordType::CNAME | RecordType::PTR => "a name",
        RecordType::MX => "a preference and a name, as 10 mail.example.org",
        RecordType::TXT => "a text",
        RecordType::SRV => "priority, weight, port and a name, as 0 5 5060 sip.example.org",
        RecordType::SSHFP => "algorithm, digest type and digest in hex",
        RecordType::TLSA => "usage, selector, matching type and data in hex",
        RecordType::SVCB | RecordType::HTTPS => "a priority, a name and parameters, as 1 . alpn=h2",
        RecordType::CAA => "flags, a tag and a value, as 0 issue \"ca.example\"",
    }
}

/// How to write a value of the type.
pub fn hint(rtype: RecordType) -> &'static str {
    match rtype {
        RecordType::A => "write \"192.168.40.20\"",
        RecordType::AAAA => "write \"fd12:3456:789a::20\"",
        RecordType::NS | RecordType::CNAME | RecordType::PTR => "write \"nas\" or \"www.example.org\"",
        RecordType::MX => "write \"10 mail.example.org\"",
        RecordType::TXT => "write a text; several strings stand each in quotes",
        RecordType::SRV => "write \"0 5 5060 sip.example.org\"",
        RecordType::SSHFP => "write \"4 2 \" and the digest in hex, as ssh-keygen -r prints it",
        RecordType::TLSA => "write \"3 1 1 \" and the digest in hex",
        RecordType::SVCB | RecordType::HTTPS => "write \"1 . alpn=h2,h3\"",
        RecordType::CAA => "write '0 issue \"ca.example\"'",
    }
}

/// A value being read field by field.
pub(super) struct Fields<'w, 'z> {
    words: std::slice::Iter<'w, Token>,
    origin: Origin<'z>,
    pub(super) wire: Vec<u8>,
    pub(super) text: Vec<String>,
}

impl Fields<'_, '_> {
    fn read(&mut self, rtype: RecordType) -> Result<(), String> {
        match rtype {
            RecordType::A => self.address::<Ipv4Addr>(shape(rtype), |ip| ip.octets().to_vec()),
            RecordType::AAAA => self.address::<Ipv6Addr>(shape(rtype), |ip| ip.octets().to_vec()),
            RecordType::NS | RecordType::CNAME | RecordType::PTR => self.name(),
            RecordType::MX => self.number16("preference").and_then(|()| self.name()),
            RecordType::TXT => self.strings(),
            RecordType::SRV => {
                for what in ["priority", "weight", "port"] {
                    self.number16(what)?;
                }
                self.name()
            }
            RecordType::SSHFP => {
                self.numbers8(&["algorithm", "digest type"])?;
                let length = match self.wire.last() {
                    Some(1) => Some(20),
                    Some(2) => Some(32),
                    _ => None,
                };
                self.digest(length)
            }
            RecordType::TLSA => {
                self.numbers8(&["usage", "selector", "matching type"])?;
                let length = match self.wire.last() {
                    Some(1) => Some(32),
                    Some(2) => Some(64),
                    _ => None,
                };
                self.digest(length)
            }
            RecordType::SVCB | RecordType::HTTPS => self.binding(),
            RecordType::CAA => self.authority(),
        }
    }

    pub(super) fn word(&mut self, what: &str) -> Result<&Token, String> {
        self.words.next().ok_or_else(|| format!("the {what} is missing"))
    }

    fn plain(&mut self, what: &str) -> Result<String, String> {
        let word = self.word(what)?;
        word.text().map(str::to_owned).ok_or_else(|| format!("the {what} is not a text in UTF-8"))
    }

    fn number<T: std::str::FromStr + std::fmt::Display>(&mut self, what: &str) -> Result<T, String> {
        let text = self.plain(what)?;
        let number: T =
            text.parse().map_err(|_| format!("{what} {} is out of range", text.escape_debug()))?;
        self.text.push(number.to_string());
        Ok(number)
    }

    pub(super) fn number16(&mut self, what: &str) -> Result<(), String> {
        let number: u16 = self.number(what)?;
        self.wire.extend_from_slice(&number.to_be_bytes());
        Ok(())
    }

    fn numbers8(&mut self, whats: &[&str]) -> Result<(), String> {
        for what in whats {
            let number: u8 = self.number(what)?;
            self.wire.push(number);
        }
        Ok(())
    }

    fn address<T: std::str::FromStr + std::fmt::Display>(
        &mut self,
        what: &str,
        octets: fn(&T) -> Vec<u8>,
    ) -> Result<(), String> {
        let text = self.plain("address")?;
        let address: T = text.parse().map_err(|_| format!("{} is not {what}", text.escape_debug()))?;
        self.wire.extend(octets(&address));
        self.text.push(address.to_string());
        Ok(())
    }

    pub(super) fn name(&mut self) -> Result<(), String> {
        let text = self.plain("name")?;
        let name = self
            .origin
            .target(&text)
            .map_err(|error| format!("\"{}\" is no name: {error}", text.escape_debug()))?;
        if name.is_wildcard() {
            return Err("a record cannot point to a wildcard".to_owned());
        }
        self.wire.extend(name.wire());
        self.text.push(if name.as_str().is_empty() { ".".to_owned() } else { format!("{name}.") });
        Ok(())
    }

    /// Character strings; one that is too long is cut into several, which readers join again.
    fn strings(&mut self) -> Result<(), String> {
        let mut any = false;
        for word in self.words.by_ref() {
            any = true;
            let pieces = word.bytes.chunks(MAX_STRING);
            let empty: &[u8] = &[];
            let empty = word.bytes.is_empty().then_some(empty);
            for piece in pieces.chain(empty) {
                self.wire.push(u8::try_from(piece.len()).unwrap_or(u8::MAX));
                self.wire.extend_from_slice(piece);
                self.text.push(token::quote(piece));
            }
        }
        if any { Ok(()) } else { Err("the text is missing".to_owned()) }
    }

    /// Hex of the length that the kind of digest has; resolvers take no other.
    fn digest(&mut self, length: Option<usize>) -> Result<(), String> {
        let before = self.wire.len();
        self.hex()?;
        match length {
            Some(length) if self.wire.len() - before != length => {
                Err(format!("a digest of this type has {} hex digits", 2 * length))
            }
            _ => Ok(()),
        }
    }

    /// All remaining words, which zone files break up at will.
    fn hex(&mut self) -> Result<(), String> {
        let digits: Vec<u8> = self.words.by_ref().flat_map(|word| word.bytes.iter().copied()).collect();
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
        let bytes: Option<Vec<u8>> =
            digits.chunks(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(*pair.get(1)?)?)).collect();
        let bytes = bytes.filter(|b| !b.is_empty()).ok_or("the data is not an even number of hex digits")?;
        self.wire.extend_from_slice(&bytes);
        self.text.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        Ok(())
    }

    fn authority(&mut self) -> Result<(), String> {
        self.numbers8(&["flags"])?;
        let tag = self.plain("tag")?;
        let is_tag = (1..=15).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_tag {
            return Err(format!("{} is no tag; write issue, issuewild or iodef", tag.escape_debug()));
        }
        let value = self.word("value")?.bytes.clone();
        self.wire.push(u8::try_from(tag.len()).unwrap_or(0));
        self.wire.extend_from_slice(tag.to_ascii_lowercase().as_bytes());
        self.wire.extend_from_slice(&value);
        self.text.extend([tag.to_ascii_lowercase(), token::quote(&value)]);
        Ok(())
    }

    fn binding(&mut self) -> Result<(), String> {
        self.number16("priority")?;
        let is_alias = self.wire == [0, 0];
        self.name()?;
        let words: Vec<&Token> = self.words.by_ref().collect();
        if is_alias && !words.is_empty() {
            return Err("priority 0 is an alias, which has no parameters".to_owned());
        }
        let parameters = svcb::read(&words)?;
        for parameter in parameters {
            self.wire.extend(parameter.wire());
            self.text.push(parameter.text());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Origin<'_> = Origin { zone: "home.cell", strict: false };

    fn read(rtype: RecordType, text: &str) -> Result<RData, String> {
        RData::parse(rtype, text, HOME)
    }

    #[test]
    fn every_type() {
        for (rtype, text, canonical) in [
            (RecordType::A, "192.168.40.20", "192.168.40.20"),
            (RecordType::AAAA, "FD00::0:2", "fd00::2"),
            (RecordType::CNAME, "nas", "nas.home.cell."),
            (RecordType::MX, "10 mail.example.org", "10 mail.example.org."),
            (RecordType::TXT, "v=spf1 -all", "\"v=spf1 -all\""),
            (RecordType::TXT, "\"a\" \"b\"", "\"a\" \"b\""),
            (RecordType::SRV, "0 5 5060 sip", "0 5 5060 sip.home.cell."),
            (RecordType::CAA, "0 issue \"ca.example\"", "0 issue \"ca.example\""),
            (RecordType::TLSA, "3 1 0 00ff 10", "3 1 0 00ff10"),
            (RecordType::SSHFP, "4 9 ABCD", "4 9 abcd"),
            (RecordType::HTTPS, "1 . alpn=h2,h3 port=8443", "1 . alpn=\"h2,h3\" port=8443"),
            (RecordType::SVCB, "0 other.example", "0 other.example."),
        ] {
            let value = read(rtype, text).unwrap_or_else(|error| panic!("{rtype} {text}: {error}"));
            assert_eq!(value.text, canonical);
            assert_eq!(read(rtype, &value.text).unwrap(), value, "read again");
        }
    }

    #[test]
    fn wire_forms() {
        assert_eq!(read(RecordType::MX, "10 a.b").unwrap().wire, b"\x00\x0A\x01a\x01b\x00");
        assert_eq!(read(RecordType::CAA, "0 issue \"x\"").unwrap().wire, b"\x00\x05issuex");
        let long = read(RecordType::TXT, &"x".repeat(300)).unwrap().wire;
        assert_eq!((long.len(), long[0], long[256]), (302, 255, 45));
    }

    #[test]
    fn refused_values() {
        for (rtype, text) in [
            (RecordType::A, "192.168.40"),
            (RecordType::A, "192.168.40.20 192.168.40.21"),
            (RecordType::AAAA, "192.168.40.20"),
            (RecordType::CNAME, "a b"),
            (RecordType::CNAME, ""),
            (RecordType::CNAME, "*.home.cell"),
            (RecordType::MX, "mail.example.org"),
            (RecordType::MX, "70000 mail.example.org"),
            (RecordType::SRV, "0 5 sip"),
            (RecordType::TLSA, "3 1 1 0f1"),
            (RecordType::TLSA, "3 1 1"),
            (RecordType::TLSA, "3 1 1 00ff"),
            (RecordType::SSHFP, "4 2 00ff"),
            (RecordType::SSHFP, "4 2 xyz0"),
            (RecordType::CAA, "0 iss_ue \"x\""),
            (RecordType::TXT, "\"open"),
            (RecordType::SVCB, "0 a.b alpn=h2"),
        ] {
            assert!(read(rtype, text).is_err(), "{rtype} {text}");
        }
    }
}
