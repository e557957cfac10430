//! A proxy as a way out: SOCKS5 (RFC 1928, 1929) or HTTP with `CONNECT` (RFC 9110 section 9.3.6), and who one is there.

use std::fmt;

use crate::desired::{Endpoint, EndpointHost};
use crate::secret::Secret;
use crate::snapshot::dns::Upstream;

/// Bytes of a file of credentials: two lines of the longest words that SOCKS5 can carry.
pub const MAX_BYTES: usize = 1 << 10;
/// Bytes of a user's name and of a password (RFC 1929 section 2).
const LONGEST: usize = 255;

/// What is spoken to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// SOCKS version 5.
    Socks5,
    /// HTTP/1.1, `CONNECT`.
    Http,
}

impl Protocol {
    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Socks5 => "socks5",
            Self::Http => "http",
        }
    }
}

/// A proxy, as the file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Where it is.
    pub host: EndpointHost,
    /// Its port.
    pub port: u16,
    /// Name of the file with user and password in the folder of exits, where it wants any.
    pub credentials: Option<String>,
    /// Who is asked for names through it; `None` is the first of the cell's own resolvers that is on the internet.
    pub dns: Option<Resolver>,
}

impl Proxy {
    /// Where it is, as an endpoint.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint { host: self.host.clone(), port: Some(self.port) }
    }
}

/// Where a proxy is, as written in the file.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            EndpointHost::Name(name) => write!(f, "{name}:{}", self.port),
            EndpointHost::Address(address) => {
                write!(f, "{}", std::net::SocketAddr::new(*address, self.port))
            }
        }
    }
}

/// A resolver that is asked through a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// As it is asked.
    pub upstream: Upstream,
    /// As written in the file.
    pub text: String,
}

/// Who one is at a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Name.
    pub user: String,
    /// Password.
    pub password: Secret<String>,
}

/// Why a text is no user and password; nothing of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CredentialsError(&'static str);

/// Reads two lines: the user, and the password. What follows but for empty lines is refused, as it was meant for
/// something.
///
/// # Errors
/// A line is missing, empty, too long, or cannot be told to a proxy.
pub fn read(text: &str) -> Result<Credentials, CredentialsError> {
    if text.len() > MAX_BYTES {
        return Err(CredentialsError("the file is larger than a user and a password can be"));
    }
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let user = lines.next().unwrap_or_default();
    let password = lines.next().unwrap_or_default();
    if user.is_empty() || password.is_empty() {
        return Err(CredentialsError("the first line is to be the user, the second the password"));
    }
    if lines.any(|line| !line.trim().is_empty()) {
        return Err(CredentialsError("there is more than a user and a password, one line each"));
    }
    if user.len() > LONGEST || password.len() > LONGEST {
        return Err(CredentialsError("user and password have 255 bytes at the most"));
    }
    if user.contains(char::is_control) || password.contains(char::is_control) {
        return Err(CredentialsError("user and password have no control characters"));
    }
    Ok(Credentials { user: user.to_owned(), password: Secret::new(password.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_a_user_and_a_password_and_nothing_is_repeated() {
        let good = read("ada\npass wxyz:\n\n").unwrap();
        assert_eq!((good.user.as_str(), good.password.expose().as_str()), ("ada", "pass wxyz:"));
        assert!(!format!("{good:?}").contains("wxyz"));
        assert!(read("ada\r\nsecret\r\n").is_ok());
        let long = format!("ada\n{}", "s".repeat(256));
        for bad in ["", "ada", "ada\n", "\nsecret", "ada\nsecret\nmore", "a\u{7}\nsecret", &long] {
            let error = read(bad).unwrap_err().to_string();
            assert!(!error.contains("secret") && !error.contains("ada"), "{error}");
        }
        assert!(read(&"\n".repeat(MAX_BYTES + 1)).is_err());
    }
}
