//! Signs of life of an exit: small questions sent into its tunnel, to a resolver at its other end. Whatever comes back
//! counts, unread: no packet is understood here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};

/// Answers taken at one look; more are no better a sign.
const MOST: usize = 32;

/// Asks one resolver through one interface.
#[derive(Debug)]
pub(super) struct Probe {
    interface: String,
    target: SocketAddr,
    socket: Option<UdpSocket>,
    asked: u16,
}

impl Probe {
    pub(super) fn new(interface: String, target: SocketAddr) -> Self {
        Self { interface, target, socket: None, asked: 0 }
    }

    /// Whether it would ask the same.
    pub(super) fn is_for(&self, interface: &str, target: SocketAddr) -> bool {
        self.interface == interface && self.target == target
    }

    /// Whether anything came back since the last look, and asks again.
    pub(super) fn look(&mut self) -> bool {
        let sign = self.socket.as_ref().is_some_and(answers);
        self.asked = self.asked.wrapping_add(1);
        let sent = match &self.socket {
            Some(socket) => ask(socket, self.asked),
            None => open(&self.interface, self.target).and_then(|socket| {
                let sent = ask(&socket, self.asked);
                self.socket = Some(socket);
                sent
            }),
        };
        if sent.is_err() {
            // The interface may be another one by now, of the same name.
            self.socket = None;
        }
        sign
    }
}

/// A socket that can send by this interface alone.
fn open(interface: &str, target: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    setsockopt(&socket, sockopt::BindToDevice, &interface.into())?;
    socket.set_nonblocking(true)?;
    socket.connect(target)?;
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
