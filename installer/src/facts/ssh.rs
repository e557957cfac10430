//! The SSH session this program runs in, if any.
//!
//! sshd puts `SSH_CONNECTION` into the environment (ssh(1)); sudo takes it out again, so the processes above are asked
//! as well, which root may.

use std::fs;
use std::net::IpAddr;

/// Where the administrator comes from, and by which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// The administrator's address.
    pub(crate) from: IpAddr,
    /// sshd's port.
    pub(crate) port: u16,
}

const VARIABLE: &str = "SSH_CONNECTION";
/// Shells in shells in shells: nobody nests deeper.
const DEPTH: usize = 32;

/// Looks in our own environment, then in those of the processes above.
pub(super) fn session() -> Option<Session> {
    if let Ok(value) = std::env::var(VARIABLE) {
        return parse(&value);
    }
    let mut pid = parent("self")?;
    for _ in 0..DEPTH {
        if pid <= 1 {
            return None;
        }
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        if let Some(session) = in_environ(&environ) {
            return Some(session);
        }
        pid = parent(&pid.to_string())?;
    }
    None
}

fn parent(pid: &str) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn in_environ(environ: &[u8]) -> Option<Session> {
    environ.split(|byte| *byte == 0).find_map(|entry| {
        let (name, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
        if name == VARIABLE { parse(value) } else { None }
    })
}

/// `CLIENT CLIENT_PORT SERVER SERVER_PORT`
fn parse(value: &str) -> Option<Session> {
    let words: Vec<&str> = value.split(' ').collect();
    let [from, _, _, port] = words[..] else { return None };
    // A link-local address carries its interface behind a percent sign.
    let from: IpAddr = from.split('%').next()?.parse().ok()?;
    let port: u16 = port.parse().ok()?;
    (port != 0).then_some(Session { from: from.to_canonical(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_shapes() {
        let get = |text: &str| parse(text).map(|s| format!("{} {}", s.from, s.port));
        assert_eq!(get("192.0.2.7 50000 198.51.100.1 2222").as_deref(), Some("192.0.2.7 2222"));
        assert_eq!(get("::ffff:192.0.2.7 1 :: 22").as_deref(), Some("192.0.2.7 22"));
        assert_eq!(get("fe80::1%eth0 1 fe80::2%eth0 22").as_deref(), Some("fe80::1 22"));
        for bad in ["", "x 1 y 22", "192.0.2.7 1 192.0.2.1 0", "192.0.2.7", "192.0.2.7 1 192.0.2.1 22 5"] {
            assert_eq!(get(bad), None, "{bad}");
        }
    }

    #[test]
    fn finds_it_among_others() {
        let environ =
            b"A=1\0XSSH_CONNECTION=9.9.9.9 1 1.1.1.1 1\0SSH_CONNECTION=192.0.2.7 1 192.0.2.1 22\0\xff=\0";
        assert_eq!(in_environ(environ).map(|s| s.from), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(in_environ(b""), None);
    }
}
