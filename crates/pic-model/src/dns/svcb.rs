//! Parameters of SVCB and HTTPS records, RFC 9460 sections 2.1 and 14.3.2.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::token::{Token, quote};

const KEYS: [&str; 8] =
    ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"];
const NO_DEFAULT_ALPN: u16 = 2;

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    key: u16,
    wire: Vec<u8>,
    /// What stands behind the `=`; `None`: nothing does.
    text: Option<String>,
}

impl Parameter {
    pub(super) fn wire(&self) -> Vec<u8> {
        let length = u16::try_from(self.wire.len()).unwrap_or(u16::MAX);
        [&self.key.to_be_bytes()[..], &length.to_be_bytes(), &self.wire].concat()
    }

    pub(super) fn text(&self) -> String {
        let key =
            KEYS.get(usize::from(self.key)).map_or_else(|| format!("key{}", self.key), |k| (*k).to_owned());
        self.text.as_ref().map_or_else(|| key.clone(), |value| format!("{key}={value}"))
    }
}

/// All parameters, in the order of the wire.
pub(super) fn read(words: &[&Token]) -> Result<Vec<Parameter>, String> {
    let mut all = words.iter().map(|word| parameter(word)).collect::<Result<Vec<_>, _>>()?;
    all.sort_by_key(|parameter| parameter.key);
    if let Some(twice) = all.windows(2).find(|two| two[0].key == two[1].key) {
        return Err(format!("{} stands twice", twice[0].text()));
    }
    let has = |key: u16| all.iter().any(|parameter| parameter.key == key);
    if has(NO_DEFAULT_ALPN) && !has(1) {
        return Err("no-default-alpn needs alpn".to_owned());
    }
    if let Some(mandatory) = all.first().filter(|first| first.key == 0) {
        let missing = mandatory.wire.chunks(2).any(|key| !has(u16::from_be_bytes([key[0], key[1]])));
        if missing {
            return Err("mandatory names a parameter that is not there".to_owned());
        }
    }
    Ok(all)
}

fn parameter(word: &Token) -> Result<Parameter, String> {
    let at = word.bytes.iter().position(|byte| *byte == b'=');
    let (name, value) = word.bytes.split_at(at.unwrap_or(word.bytes.len()));
    let name = std::str::from_utf8(name).unwrap_or_default();
    let key = key(name).ok_or_else(|| format!("{} is no parameter of SVCB", name.escape_debug()))?;
    let value = at.map(|_| value.get(1..).unwrap_or_default());
    let text = || std::str::from_utf8(value.unwrap_or_default()).unwrap_or_default();
    let bad = |what: &str| format!("{name} takes {what}");
    let (wire, text) = match (key, value) {
        (NO_DEFAULT_ALPN, None | Some([])) => (Vec::new(), None),
        (NO_DEFAULT_ALPN, Some(_)) => return Err(bad("no value")),
        (0, Some(_)) => mandatory(text()).ok_or_else(|| bad("names of other parameters"))?,
        (1, Some(_)) => protocols(text()).ok_or_else(|| bad("protocols, as h2,h3"))?,
        (3, Some(_)) => {
            let port: u16 = text().parse().map_err(|_| bad("a port"))?;
            (port.to_be_bytes().to_vec(), Some(port.to_string()))
        }
        (4, Some(_)) => {
            list(text(), |ip: &Ipv4Addr| ip.octets().to_vec()).ok_or_else(|| bad("IPv4 addresses"))?
        }
        (6, Some(_)) => {
            list(text(), |ip: &Ipv6Addr| ip.octets().to_vec()).ok_or_else(|| bad("IPv6 addresses"))?
        }
        (5, Some(bytes)) => {
            let wire = STANDARD.decode(bytes).map_err(|_| bad("base64"))?;
            (wire, Some(text().to_owned()))
        }
        (_, Some(bytes)) => (bytes.to_vec(), Some(quote(bytes))),
        (0 | 1 | 3 | 4 | 5 | 6, None) => return Err(bad("a value")),
        (_, None) => (Vec::new(), None),
    };
    if wire.len() > usize::from(u16::MAX) {
        return Err(bad("a shorter value"));
    }
    Ok(Parameter { key, wire, text })
}

fn key(name: &str) -> Option<u16> {
    let lower = name.to_ascii_lowercase();
    if let Some(at) = KEYS.iter().position(|known| *known == lower) {
        return u16::try_from(at).ok();
    }
    lower.strip_prefix("key").filter(|digits| digits.len() <= 5)?.parse().ok()
}

type Value = (Vec<u8>, Option<String>);

fn mandatory(text: &str) -> Option<Value> {
    let mut keys = text.split(',').map(key).collect::<Option<Vec<u16>>>()?;
    keys.sort_unstable();
    let is_right = !keys.contains(&0) && keys.windows(2).all(|two| two[0] != two[1]);
    is_right
        .then(|| (keys.iter().flat_map(|key| key.to_be_bytes()).collect(), Some(text.to_ascii_lowercase())))
}

fn protocols(text: &str) -> Option<Value> {
    let mut wire = Vec::new();
    for protocol in text.split(',') {
        let length = u8::try_from(protocol.len()).ok().filter(|length| *length > 0)?;
        // Escapes inside an item are for protocols with a comma in their name, which nobody has.
        if !protocol.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"')) {
            return None;
        }
        wire.push(length);
        wire.extend_from_slice(protocol.as_bytes());
    }
    Some((wire, Some(quote(text.as_bytes()))))
}

fn list<T: std::str::FromStr + std::fmt::Display>(text: &str, octets: fn(&T) -> Vec<u8>) -> Option<Value> {
    let all = text.split(',').map(|item| item.parse().ok()).collect::<Option<Vec<T>>>()?;
    let words: Vec<String> = all.iter().map(T::to_string).collect();
    Some((all.iter().flat_map(octets).collect(), Some(words.join(","))))
}

#[cfg(test)]
mod tests {
    use super::super::token::words;
    use super::*;

    fn texts(text: &str) -> Result<Vec<String>, String> {
        let words = words(text)?;
        Ok(read(&words.iter().collect::<Vec<_>>())?.iter().map(Parameter::text).collect())
    }

    #[test]
    fn in_the_order_of_their_keys() {
        let found = texts("ipv6hint=2001:db8::1 port=53 alpn=h2 mandatory=port ipv4hint=192.0.2.1,192.0.2.2")
            .unwrap();
        let wanted = [
            "mandatory=port",
            "alpn=\"h2\"",
            "port=53",
            "ipv4hint=192.0.2.1,192.0.2.2",
            "ipv6hint=2001:db8::1",
        ];
        assert_eq!(found, wanted);
        assert_eq!(texts("key667=hello no-default-alpn alpn=x").unwrap()[2], "key667=\"hello\"");
    }

    #[test]
    fn refused() {
        for bad in [
            "port=x",
            "port",
            "alpn=",
            "alpn=h2 alpn=h3",
            "nothing=1",
            "no-default-alpn",
            "mandatory=port",
            "ech=!",
            "key99999=1",
        ] {
            assert!(texts(bad).is_err(), "{bad}");
        }
    }
}
