//! Whether another server answers on a network: asked as a client would, before serving and, while one does, again and
//! again.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::Socket;

use super::port::Interface;
use crate::wire::{self, CLIENT_PORT, Kind, frame};

/// Milliseconds that another server has to answer: some look for conflicts themselves for three seconds.
const PATIENCE: u64 = 4500;
const ASK_AGAIN: u64 = 1500;
/// Milliseconds between two looks while another server was there.
const PAUSE: u64 = 60_000;

/// Where a network stands.
#[derive(Debug)]
pub(super) enum Look {
    /// We serve.
    Serving,
    /// We look before we serve.
    Wanted,
    /// The question is out.
    Asked(Asked),
    /// Another server is there.
    Another { server: Ipv4Addr, again: u64 },
}

/// A question that is out.
#[derive(Debug)]
pub(super) struct Asked {
    socket: Socket,
    xid: [u8; 4],
    until: u64,
    repeat: Option<u64>,
}

impl Look {
    pub(super) fn is_serving(&self) -> bool {
        matches!(self, Self::Serving)
    }

    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Asked(asked) => Some(asked.socket.as_fd()),
            Self::Serving | Self::Wanted | Self::Another { .. } => None,
        }
    }

    /// Why we do not serve.
    pub(super) fn why_not(&self) -> Option<String> {
        match self {
            Self::Serving => None,
            Self::Wanted | Self::Asked(_) => Some("looking whether another DHCP server answers".to_owned()),
            Self::Another { server, .. } => Some(format!(
                "another DHCP server answers there: {server}; switch it off, or write beside_another = true"
            )),
        }
    }

    /// Goes on as time does; true when it has come to an end.
    pub(super) fn step(&mut self, interface: &Interface, own: Ipv4Addr, now: u64) -> bool {
        let next = match self {
            Self::Serving => return false,
            Self::Another { again, .. } if now < *again => return false,
            Self::Wanted | Self::Another { .. } => match ask(interface, now) {
                Ok(asked) => Self::Asked(asked),
                // The interface may be down: asked again when it is not.
                Err(error) => {
                    tracing::debug!(%error, "cannot ask for other DHCP servers");
                    return false;
                }
            },
            Self::Asked(asked) => {
                if asked.repeat.is_some_and(|at| now >= at) {
                    asked.repeat = None;
                    let _ = asked.socket.send(&frame::discover(interface.mac, asked.xid));
                }
                match asked.heard(own) {
                    Some(server) => Self::Another { server, again: now + PAUSE },
                    None if now >= asked.until => Self::Serving,
                    None => return false,
                }
            }
        };
        *self = next;
        !matches!(self, Self::Asked(_))
    }
}

fn ask(interface: &Interface, now: u64) -> io::Result<Asked> {
    let socket = interface.packets(frame::ETHER_IPV4)?;
    let [a, b, c, d, ..] = now.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let xid = [a ^ interface.mac[5], b, c, d];
    socket.send(&frame::discover(interface.mac, xid))?;
    Ok(Asked { socket, xid, until: now + PATIENCE, repeat: Some(now + ASK_AGAIN) })
}

impl Asked {
    /// The server whose offer has come.
    fn heard(&self, own: Ipv4Addr) -> Option<Ipv4Addr> {
        let mut buffer = [0; 1514];
        // Bounded: a busy network must not keep us here.
        for _ in 0..4096 {
            let length = nix::sys::socket::recv(
                std::os::fd::AsRawFd::as_raw_fd(&self.socket),
                &mut buffer,
                nix::sys::socket::MsgFlags::MSG_DONTWAIT,
            )
            .ok()?;
            let payload = buffer.get(..length).and_then(|frame| frame::udp_payload(frame, CLIENT_PORT));
            let Some((source, payload)) = payload else { continue };
            let offer = wire::read(payload).filter(|message| {
                !message.is_request && message.kind == Kind::Offer && message.xid() == self.xid
            });
            if let Some(server) = offer.map(|offer| offer.server.unwrap_or(source)).filter(|s| *s != own) {
                return Some(server);
            }
        }
        None
    }
}
