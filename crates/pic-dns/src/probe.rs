//! Signs of life of exits: small questions sent by an interface to a resolver behind it, when the agent asks for that. The agent
//! has no sockets of the internet, and its verdict is its own; whatever comes back counts, unread.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use pic_model::snapshot::dns::DnsProbe;

/// Answers taken at one look; more are no better a sign.
const MOST: usize = 32;
/// What was not looked at for so long is not asked any more: exits that nobody uses are looked at every ten seconds.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// What is thrown away (RFC 863).
const SCRAP: &[u8] = b"pic";

/// A question that is asked again and again, and how many were asked.
#[derive(Debug)]
struct Asked {
    socket: UdpSocket,
    number: u16,
    at: Instant,
}

/// What is asked at present.
#[derive(Debug, Default)]
pub struct Probes(Mutex<BTreeMap<DnsProbe, Asked>>);

impl Probes {
    /// For each whether anything came back since the last look, and asks again; `None` where it was not asked before.
    pub fn look(&self, wanted: &[DnsProbe], now: Instant) -> Vec<Option<bool>> {
        // A panic elsewhere leaves sockets behind, and no half of one.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, asked| now.saturating_duration_since(asked.at) < FORGOTTEN);
        wanted.iter().map(|one| look(&mut known, one, now)).collect()
    }
}

fn look(known: &mut BTreeMap<DnsProbe, Asked>, one: &DnsProbe, now: Instant) -> Option<bool> {
    let (sign, asked) = match known.remove(one) {
        Some(asked) => (Some(answers(&asked.socket)), Ok(asked)),
        None => (None, open(one).map(|socket| Asked { socket, number: 0, at: now })),
    };
    let sent = asked.and_then(|mut asked| {
        (asked.number, asked.at) = (asked.number.wrapping_add(1), now);
        ask(&asked.socket, asked.number).map(|()| asked)
    });
    match sent {
        Ok(asked) => {
            known.insert(one.clone(), asked);
            sign
        }
        // The interface may be another one by now, of the same name.
        Err(_) => Some(sign == Some(true)),
    }
}

/// A socket that can send by this interface alone.
fn bound(interface: &str, to: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    setsockopt(&socket, sockopt::BindToDevice, &interface.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn open(one: &DnsProbe) -> io::Result<UdpSocket> {
    let socket = bound(&one.interface, one.target)?;
    socket.connect(one.target)?;
    Ok(socket)
}

fn answers(socket: &UdpSocket) -> bool {
    let mut scrap = [0; 1];
    let mut found = false;
    for _ in 0..MOST {
        match socket.recv(&mut scrap) {
            Ok(_) => found = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // An ICMP error: somebody answered, but not the one who was asked.
            Err(_) => {}
        }
    }
    found
}

/// The name servers of the root: every resolver has them at hand (RFC 1035 section 4.1).
fn ask(socket: &UdpSocket, number: u16) -> io::Result<()> {
    let [high, low] = number.to_be_bytes();
    let question = [high, low, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
    match socket.send(&question) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

/// Sends something that a table of the agent's is to see. Dropped there, it is refused to the sender: it came as far.
pub fn knock(at: &DnsProbe) -> io::Result<()> {
    match bound(&at.interface, at.target)?.send_to(SCRAP, at.target) {
        Err(error) if error.raw_os_error() != Some(Errno::EPERM as i32) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_what_came_back_since_the_last_look() {
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let one = DnsProbe { interface: "lo".to_owned(), target: other.local_addr().unwrap() };
        let nowhere = DnsProbe { interface: "none".to_owned(), ..one.clone() };
        let (probes, both) = (Probes::default(), [one.clone(), nowhere]);
        // An interface that is not there is no way; of the other nothing can be known yet.
        let now = Instant::now();
        assert_eq!(probes.look(&both, now), [None, Some(false)]);
        let mut asked = [0; 64];
        let (length, from) = other.recv_from(&mut asked).unwrap();
        assert_eq!(length, 17);
        other.send_to(b"anything", from).unwrap();
        assert_eq!(probes.look(&both, now), [Some(true), Some(false)]);
        assert_eq!(probes.look(&both, now), [Some(false), Some(false)]);
        // One that is looked at seldom is still known, and one that nobody asks for is forgotten.
        assert_eq!(probes.look(&both[..1], now + FORGOTTEN / 2), [Some(false)]);
        assert_eq!(probes.look(&both[..1], now + FORGOTTEN * 2), [None]);
    }
}
