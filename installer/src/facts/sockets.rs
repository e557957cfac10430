//! Listening sockets and the programs that hold them, from proc(5).

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pic_model::desired::{Port, Protocol};

/// States of a TCP socket that listens and of a UDP socket without a partner (include/net/tcp_states.h).
const LISTEN: (&str, &str) = ("0A", "07");

/// One listening socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listener {
    /// Port.
    pub(crate) port: Port,
    /// Address it is bound to.
    pub(crate) address: IpAddr,
    /// Who holds it; `None` for the kernel's own, and for others' when we are not root.
    pub(crate) owner: Option<Owner>,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    /// Name, made printable.
    pub(crate) name: String,
    /// Process.
    pub(crate) pid: u32,
}

/// Running programs: their names, and who holds which socket.
#[derive(Debug, Default)]
pub(super) struct Programs {
    pub(super) names: BTreeMap<u32, String>,
    sockets: BTreeMap<u64, u32>,
}

/// Looks through all processes.
pub(super) fn programs() -> Programs {
    let mut programs = Programs::default();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(name) = fs::read_to_string(entry.path().join("comm")) else { continue };
        programs.names.insert(pid, printable(name.trim_end()));
        for fd in fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten() {
            let Some(inode) = fs::read_link(fd.path()).ok().and_then(|link| inode(link.to_str()?)) else {
                continue;
            };
            let holder = programs.sockets.entry(inode).or_insert(pid);
            // systemd holds what it opened for others; the program it is for says more.
            if *holder == 1 {
                *holder = pid;
            }
        }
    }
    programs
}

fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// A program may call itself anything.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// What listens in this network namespace.
pub(super) fn listeners(programs: &Programs) -> Vec<Listener> {
    let files = [
        ("tcp", Protocol::Tcp, LISTEN.0),
        ("tcp6", Protocol::Tcp, LISTEN.0),
        ("udp", Protocol::Udp, LISTEN.1),
        ("udp6", Protocol::Udp, LISTEN.1),
    ];
    let mut found = Vec::new();
    for (file, protocol, state) in files {
        let text = fs::read_to_string(format!("/proc/self/net/{file}")).unwrap_or_default();
        found.extend(table(&text, protocol, state).map(|(address, port, inode)| {
            let pid = programs.sockets.get(&inode).copied();
            let owner = pid.and_then(|pid| Some(Owner { name: programs.names.get(&pid)?.clone(), pid }));
            Listener { port, address, owner }
        }));
    }
    found.sort();
    found.dedup();
    found
}

fn table(text: &str, protocol: Protocol, state: &str) -> impl Iterator<Item = (IpAddr, Port, u64)> {
    text.lines().skip(1).filter_map(move |line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, remote, is, _, _, _, _, _, inode, ..] = fields[..] else { return None };
        // A UDP socket that is connected answers only its partner.
        if is != state || !remote.ends_with(":0000") {
            return None;
        }
        let (address, number) = local.split_once(':')?;
        let number = u16::from_str_radix(number, 16).ok()?;
        Some((ip(address)?, Port { protocol, number }, inode.parse().ok()?))
    })
}

/// Addresses stand there as words of 32 bits in the machine's own byte order.
fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let bytes: Vec<u8> = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            let bytes: [u8; 16] = bytes.try_into().ok()?;
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0\n   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 100 0 0 10 0\n   2: 0A00020F:0016 0202000A:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 4244 1 0 100 0 0 10 0\n";

    #[test]
    fn reads_what_the_kernel_prints() {
        let found: Vec<_> = table(TCP, Protocol::Tcp, LISTEN.0).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0, "127.0.0.1".parse::<IpAddr>().unwrap());
        assert_eq!((found[1].1.number, found[1].2), (22, 4243));
        assert_eq!(ip("00000000000000000000000001000000"), Some("::1".parse().unwrap()));
        assert_eq!(ip("0000000000000000FFFF00000100007F"), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(ip("zz"), None);
    }

    #[test]
    fn sees_its_own_socket_with_its_owner() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let number = socket.local_addr().unwrap().port();
        let found = listeners(&programs());
        let ours = found.iter().find(|l| l.port == Port { protocol: Protocol::Udp, number }).unwrap();
        assert_eq!(ours.owner.as_ref().map(|owner| owner.pid), Some(std::process::id()));
    }

    #[test]
    fn names_cannot_write_on_the_terminal() {
        assert_eq!(printable("a\x1b[2J"), "a?[2J");
    }
}
