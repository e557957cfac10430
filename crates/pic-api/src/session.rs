//! How whoever changes something is logged in: what a change must not take away unnoticed.

use std::net::IpAddr;

/// Name of the header, in small letters.
pub const HEADER: &str = "pic-session";

/// Reads `CLIENT CLIENT_PORT SERVER SERVER_PORT`, as sshd has it in `SSH_CONNECTION` (ssh(1)): the address that somebody comes
/// from, and address and port that they came to.
pub fn read(value: &str) -> Option<(IpAddr, IpAddr, u16)> {
    let words: Vec<&str> = value.split(' ').collect();
    let [from, _, to, port] = words[..] else { return None };
    // A link-local address carries its interface behind a percent sign.
    let address = |word: &str| Some(word.split('%').next()?.parse::<IpAddr>().ok()?.to_canonical());
    let port: u16 = port.parse().ok()?;
    (port != 0).then_some((address(from)?, address(to)?, port))
}

/// Writes it, without what is not known of it.
pub fn write(from: IpAddr, to: IpAddr, port: u16) -> String {
    format!("{from} 0 {to} {port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_shapes() {
        let get = |text: &str| read(text).map(|(from, to, port)| write(from, to, port));
        let all = "192.0.2.7 50000 198.51.100.1 2222";
        assert_eq!(get(all).as_deref(), Some("192.0.2.7 0 198.51.100.1 2222"));
        assert_eq!(
            get("::ffff:192.0.2.7 1 ::ffff:192.0.2.1 22").as_deref(),
            Some("192.0.2.7 0 192.0.2.1 22")
        );
        assert_eq!(get("fe80::1%eth0 1 fe80::2%eth0 22").as_deref(), Some("fe80::1 0 fe80::2 22"));
        for bad in ["", "x 1 y 22", "192.0.2.7 1 192.0.2.1 0", "192.0.2.7", "192.0.2.7 1 192.0.2.1 22 5"] {
            assert_eq!(get(bad), None, "{bad}");
        }
    }
}
