//! How whoever changes something is logged in: what a change must not take away unnoticed.

use std::net::IpAddr;

/// Name of the header, in small letters.
pub const HEADER: &str = "pic-session";

/// A connection of ssh, as sshd tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Where somebody comes from.
    pub from: IpAddr,
    /// The TCP port there, which tells connections apart; 0 is not known.
    pub from_port: u16,
    /// The address that they came to.
    pub to: IpAddr,
    /// sshd's TCP port.
    pub port: u16,
}

/// Reads `CLIENT CLIENT_PORT SERVER SERVER_PORT`, as sshd has it in `SSH_CONNECTION` (ssh(1)): address and port that somebody
/// comes from, and address and port that they came to.
pub fn read(value: &str) -> Option<Session> {
    let words: Vec<&str> = value.split(' ').collect();
    let [from, from_port, to, port] = words[..] else { return None };
    // A link-local address carries its interface behind a percent sign.
    let address = |word: &str| Some(word.split('%').next()?.parse::<IpAddr>().ok()?.to_canonical());
    let (from_port, port) = (from_port.parse().ok()?, port.parse().ok()?);
    let session = Session { from: address(from)?, from_port, to: address(to)?, port };
    (port != 0).then_some(session)
}

/// Writes it.
pub fn write(session: &Session) -> String {
    let Session { from, from_port, to, port } = session;
    format!("{from} {from_port} {to} {port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_shapes() {
        let get = |text: &str| read(text).map(|session| write(&session));
        let all = "192.0.2.7 50000 198.51.100.1 2222";
        assert_eq!(get(all).as_deref(), Some(all));
        assert_eq!(
            get("::ffff:192.0.2.7 1 ::ffff:192.0.2.1 22").as_deref(),
            Some("192.0.2.7 1 192.0.2.1 22")
        );
        assert_eq!(get("fe80::1%eth0 1 fe80::2%eth0 22").as_deref(), Some("fe80::1 1 fe80::2 22"));
        for bad in [
            "",
            "x 1 y 22",
            "192.0.2.7 x 192.0.2.1 22",
            "192.0.2.7 1 192.0.2.1 0",
            "192.0.2.7",
            "192.0.2.7 1 192.0.2.1 22 5",
        ] {
            assert_eq!(get(bad), None, "{bad}");
        }
    }
}
