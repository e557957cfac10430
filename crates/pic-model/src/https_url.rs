//! `https://host[:port]/path`: where a blocklist is fetched from. Nothing else of RFC 3986 is taken: no user, no fragment.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::name::DomainName;

const MAX: usize = 1_024;
const PORT: u16 = 443;

/// Such an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpsUrl {
    host: UrlHost,
    port: u16,
    /// With its leading slash, and its query.
    path: String,
}

/// Host part of an [`HttpsUrl`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UrlHost {
    /// To be looked up.
    Name(DomainName),
    /// Literal.
    Address(IpAddr),
}

/// Why a text is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpsUrlError {
    /// Too long.
    #[error("it is longer than {MAX} characters")]
    Long,
    /// Another scheme.
    #[error("it does not begin with https://")]
    Scheme,
    /// Not a host.
    #[error("its host is no domain name and no address, or its port no port")]
    Host,
    /// Not a path.
    #[error("its path has characters that must be written as %XX")]
    Path,
}

impl HttpsUrl {
    /// Who is connected to.
    pub fn host(&self) -> &UrlHost {
        &self.host
    }

    /// TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is asked for there: path and query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Name that the certificate must carry, as text.
    pub fn name(&self) -> String {
        match &self.host {
            UrlHost::Name(name) => name.to_string(),
            UrlHost::Address(address) => address.to_string(),
        }
    }

    /// Value of the header `Host`.
    pub fn authority(&self) -> String {
        let host = match &self.host {
            UrlHost::Address(IpAddr::V6(address)) => format!("[{address}]"),
            UrlHost::Name(_) | UrlHost::Address(IpAddr::V4(_)) => self.name(),
        };
        if self.port == PORT { host } else { format!("{host}:{}", self.port) }
    }

    /// What `Location: to` means in an answer of this address.
    pub fn joined(&self, to: &str) -> Result<Self, HttpsUrlError> {
        if to.starts_with('/') && !to.starts_with("//") {
            return format!("https://{}{to}", self.authority()).parse();
        }
        to.parse()
    }
}

impl FromStr for HttpsUrl {
    type Err = HttpsUrlError;

    fn from_str(text: &str) -> Result<Self, HttpsUrlError> {
        if text.len() > MAX {
            return Err(HttpsUrlError::Long);
        }
        let rest = text.strip_prefix("https://").ok_or(HttpsUrlError::Scheme)?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let is_path = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b);
        if !path.bytes().all(is_path) {
            return Err(HttpsUrlError::Path);
        }
        let (host, port) = authority_of(authority)?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { host, port, path: format!("{slash}{path}") })
    }
}

fn authority_of(text: &str) -> Result<(UrlHost, u16), HttpsUrlError> {
    let bad = HttpsUrlError::Host;
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(bad)?;
        let address = address.parse().map(IpAddr::V6).map_err(|_| bad)?;
        return Ok((UrlHost::Address(address), port_of(port.strip_prefix(':'), port)?));
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let host = match host.parse() {
        Ok(address) => UrlHost::Address(IpAddr::V4(address)),
        Err(_) => UrlHost::Name(host.to_ascii_lowercase().parse().map_err(|_| bad)?),
    };
    Ok((host, port_of(port, "")?))
}

/// `rest` is what stands where only a port may stand.
fn port_of(port: Option<&str>, rest: &str) -> Result<u16, HttpsUrlError> {
    match port {
        None if rest.is_empty() => Ok(PORT),
        None => Err(HttpsUrlError::Host),
        Some(port) => {
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            port.parse().ok().filter(|port| *port != 0 && digits).ok_or(HttpsUrlError::Host)
        }
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_is_none() {
        for (text, same) in [
            ("https://Lists.Example/hosts?a=b", "https://lists.example/hosts?a=b"),
            ("https://lists.example", "https://lists.example/"),
            ("https://lists.example?x", "https://lists.example/?x"),
            ("https://192.0.2.1:8443/a", "https://192.0.2.1:8443/a"),
            ("https://[2001:db8::1]:443/a", "https://[2001:db8::1]/a"),
        ] {
            let url: HttpsUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), same);
            assert_eq!(same.parse(), Ok(url));
        }
        for (text, error) in [
            ("http://lists.example/", HttpsUrlError::Scheme),
            ("https://user@lists.example/", HttpsUrlError::Host),
            ("https://lists/", HttpsUrlError::Host),
            ("https://lists.example:0/", HttpsUrlError::Host),
            ("https://[::1]x/", HttpsUrlError::Host),
            ("https://lists.example/a b", HttpsUrlError::Path),
            ("https://lists.example/a\r\nX: y", HttpsUrlError::Path),
            ("https://lists.example/#top", HttpsUrlError::Path),
        ] {
            assert_eq!(text.parse::<HttpsUrl>(), Err(error), "{text}");
        }
        assert_eq!(format!("https://a.b/{}", "x".repeat(MAX)).parse::<HttpsUrl>(), Err(HttpsUrlError::Long));
        let url: HttpsUrl = "https://lists.example:444/a/b".parse().unwrap();
        assert_eq!(url.joined("/c").unwrap().to_string(), "https://lists.example:444/c");
        assert_eq!(url.joined("https://b.example/").unwrap().to_string(), "https://b.example/");
        assert!(url.joined("http://b.example/").is_err() && url.joined("//b.example/").is_err());
    }
}
