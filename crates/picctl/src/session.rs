//! The SSH session this program runs in, if any.
//!
//! sshd puts `SSH_CONNECTION` into the environment (ssh(1)); sudo takes it out again, so the processes above are asked
//! as well, which root may.

use std::fs;

pub use pic_api::session::Session;
use pic_api::session::read;

const VARIABLE: &str = "SSH_CONNECTION";
/// Shells in shells in shells: nobody nests deeper.
const DEPTH: usize = 32;

/// Looks in our own environment, then in those of the processes above.
pub fn session() -> Option<Session> {
    if let Ok(value) = std::env::var(VARIABLE) {
        return read(&value);
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
        if name == VARIABLE { read(value) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_it_among_others() {
        let environ =
            b"A=1\0XSSH_CONNECTION=9.9.9.9 1 1.1.1.1 1\0SSH_CONNECTION=192.0.2.7 1 192.0.2.1 22\0\xff=\0";
        assert_eq!(in_environ(environ).map(|s| s.from), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(in_environ(b""), None);
    }
}
