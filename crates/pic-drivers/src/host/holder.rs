//! Who has a port that somebody else wants, out of `/proc/net` and, where that may be read, `/proc/PID/fd`.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::unistd::{Uid, User};

/// `TCP_LISTEN` of the kernel's `tcp_states.h`.
const LISTEN: &str = "0A";

/// Who has a port, as far as this process may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Name and number of the process; what belongs to others is hidden from a process without power over it.
    pub process: Option<(String, u32)>,
    /// Whose it is: a name, or else a number.
    pub user: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some((name, pid)) => write!(f, "{name} (process {pid})"),
            None => write!(f, "a program of user {}", self.user),
        }
    }
}

/// Who has this port of this address, or of all addresses, by UDP or TCP. `asking`, a program whose user has the same
/// name, is passed over: it may have got one of the two.
pub fn port_holder(address: SocketAddr, asking: &str) -> Option<Holder> {
    let tables = [("udp", false), ("udp6", false), ("tcp", true), ("tcp6", true)];
    let mut sockets = tables.into_iter().flat_map(|(table, only_listening)| {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
        text.lines().filter_map(|line| socket(line, only_listening)).collect::<Vec<_>>()
    });
    sockets.find_map(|socket| {
        let clashes = socket.address.port() == address.port()
            && (socket.address.ip() == address.ip() || socket.address.ip().is_unspecified());
        if !clashes {
            return None;
        }
        let process = process(socket.inode);
        let user = User::from_uid(Uid::from_raw(socket.user)).ok().flatten();
        let user = user.map_or_else(|| socket.user.to_string(), |user| user.name);
        let is_asking = process.as_ref().map_or(user == asking, |(name, _)| name == asking);
        (!is_asking).then_some(Holder { process, user })
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Socket {
    address: SocketAddr,
    user: u32,
    inode: u64,
}

/// One line of such a table (the kernel's `proc_net_tcp` document).
fn socket(line: &str, only_listening: bool) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().take(10).collect();
    let [_, local, _, state, _, _, _, user, _, inode] = fields[..] else { return None };
    let (ip, port) = local.split_once(':')?;
    let address = SocketAddr::new(ip_of(ip)?, u16::from_str_radix(port, 16).ok()?);
    let socket = Socket { address, user: user.parse().ok()?, inode: inode.parse().ok()? };
    (!only_listening || state == LISTEN).then_some(socket)
}

/// Words of 32 bits in hex, each in the byte order of the machine.
fn ip_of(hex: &str) -> Option<IpAddr> {
    let words =
        hex.as_bytes().chunks(8).map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
    let bytes: Vec<u8> = words.collect::<Option<Vec<_>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

/// The process that has a socket.
fn process(inode: u64) -> Option<(String, u32)> {
    let wanted = format!("socket:[{inode}]");
    let has_it = |pid: u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| link.as_os_str() == wanted.as_str())
    };
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pid = pids.find(|pid| has_it(*pid))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some((name.trim().to_owned(), pid))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn finds_who_listens() {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let holder = port_holder(SocketAddr::from(([127, 0, 0, 1], port)), "nobody").unwrap();
        let name = holder.process.clone().unwrap().0;
        assert_eq!(holder.process.as_ref().unwrap().1, std::process::id());
        assert_eq!(port_holder(SocketAddr::from(([127, 0, 0, 1], port)), &name), None);
        let listener = TcpListener::bind("[::1]:0").unwrap();
        assert!(port_holder(listener.local_addr().unwrap(), "nobody").is_some());
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn reads_lines_and_no_nonsense() {
        let line = "  0: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   110        0 4242 2 0 0";
        let read = socket(line, false).unwrap();
        assert_eq!(read, Socket { address: "127.0.0.1:53".parse().unwrap(), user: 110, inode: 4242 });
        assert_eq!(socket(line, true), None);
        for bad in [
            "",
            "0: 1",
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
        ] {
            assert_eq!(socket(bad, false), None);
        }
        assert_eq!((ip_of(""), ip_of("zz"), ip_of("0100007F01")), (None, None, None));
    }
}
