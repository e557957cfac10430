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
/// Milliseconds between two looks while another server is there.
const PAUSE: u64 = 60_000;
/// Milliseconds between two looks while none is known.
const WATCH: u64 = 600_000;
/// Milliseconds between two looks that clients give cause for.
const SUSPICION: u64 = 15_000;

/// Where a network stands.
#[derive(Debug)]
pub(super) enum Look {
    /// We serve whoever else does.
    BesideOthers,
    /// We serve, and look from time to time.
    Serving(Watch),
    /// We look before we serve.
    Wanted,
    /// The question is out.
    Asked(Asked),
    /// Another server is there.
    Another { server: Ipv4Addr, again: u64 },
}

/// A look out for servers that come later. To stop then would take the addresses from those who have them, and leave it
/// to whoever brings a box along to put us out: it is told, and we go on.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When the next look is due.
    next: u64,
    /// When the last one began.
    last: Option<u64>,
    is_suspected: bool,
    asked: Option<Asked>,
    rival: Option<Ipv4Addr>,
}

/// What is to be told about a network.
pub(super) struct Told {
    pub(super) is_bad: bool,
    pub(super) words: String,
}

/// A question that is out.
#[derive(Debug)]
pub(super) struct Asked {
    socket: Socket,
    xid: [u8; 4],
    message: Vec<u8>,
    until: u64,
    repeat: Option<u64>,
}

impl Look {
    pub(super) fn beside_others() -> Self {
        Self::BesideOthers
    }

    pub(super) fn serving() -> Self {
        Self::Serving(Watch::default())
    }

    pub(super) fn is_serving(&self) -> bool {
        matches!(self, Self::Serving(_) | Self::BesideOthers)
    }

    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Asked(asked) => Some(asked.socket.as_fd()),
            Self::Serving(watch) => watch.asked.as_ref().map(|asked| asked.socket.as_fd()),
            Self::BesideOthers | Self::Wanted | Self::Another { .. } => None,
        }
    }

    /// Why we do not serve.
    pub(super) fn why_not(&self) -> Option<String> {
        match self {
            Self::Serving(_) | Self::BesideOthers => None,
            Self::Wanted | Self::Asked(_) => Some("looking whether another DHCP server answers".to_owned()),
            Self::Another { server, .. } => Some(format!(
                "another DHCP server answers there: {server}; switch it off, or write beside_another = true"
            )),
        }
    }

    /// A server that was found beside us.
    pub(super) fn rival(&self) -> Option<Ipv4Addr> {
        match self {
            Self::Serving(watch) => watch.rival,
            Self::BesideOthers | Self::Wanted | Self::Asked(_) | Self::Another { .. } => None,
        }
    }

    /// There may be another server.
    pub(super) fn suspect(&mut self) {
        if let Self::Serving(watch) = self {
            watch.is_suspected = true;
        }
    }

    /// Goes on as time does; what has come out of it.
    pub(super) fn step(&mut self, interface: &Interface, own: Ipv4Addr, now: u64) -> Option<Told> {
        let next = match self {
            Self::BesideOthers => return None,
            Self::Serving(watch) => return watch.step(interface, own, now),
            Self::Another { again, .. } if now < *again => return None,
            // The interface may be down: asked again when it is not.
            Self::Wanted | Self::Another { .. } => Self::Asked(ask(interface, now)?),
            Self::Asked(asked) => match asked.step(own, now)? {
                Some(server) => Self::Another { server, again: now + PAUSE },
                None => Self::Serving(Watch { next: now + WATCH, ..Watch::default() }),
            },
        };
        *self = next;
        match self {
            Self::Asked(_) => None,
            _ => Some(match self.why_not() {
                Some(why) => Told { is_bad: true, words: format!("not serving: {why}") },
                None => Told { is_bad: false, words: "no other DHCP server answers: serving".to_owned() },
            }),
        }
    }
}

impl Watch {
    fn step(&mut self, interface: &Interface, own: Ipv4Addr, now: u64) -> Option<Told> {
        let Some(asked) = &mut self.asked else {
            let may = self.last.is_none_or(|last| now >= last + SUSPICION);
            if now >= self.next || (self.is_suspected && may) {
                self.asked = ask(interface, now);
                (self.last, self.next, self.is_suspected) = (Some(now), now + PAUSE, false);
            }
            return None;
        };
        let heard = asked.step(own, now)?;
        self.asked = None;
        self.next = now + if heard.is_some() { PAUSE } else { WATCH };
        let before = std::mem::replace(&mut self.rival, heard);
        (before != heard).then(|| match heard {
            Some(server) => Told {
                is_bad: true,
                words: format!(
                    "another DHCP server has begun to answer there: {server}; devices may listen to it"
                ),
            },
            None => Told { is_bad: false, words: "the other DHCP server has gone".to_owned() },
        })
    }
}

fn ask(interface: &Interface, now: u64) -> Option<Asked> {
    question(interface, now)
        .inspect_err(|error| tracing::debug!(%error, "cannot ask for other DHCP servers"))
        .ok()
}

fn question(interface: &Interface, now: u64) -> io::Result<Asked> {
    let socket = interface.packets(frame::ETHER_IPV4)?;
    let [a, b, c, d, ..] = now.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let xid = [a ^ interface.mac[5], b, c, d];
    let message = frame::discover(interface.mac, xid);
    socket.send(&message)?;
    Ok(Asked { socket, xid, message, until: now + PATIENCE, repeat: Some(now + ASK_AGAIN) })
}

impl Asked {
    /// Asks once more when it is time. The server that answered, or none that did; `None` while that is not known.
    fn step(&mut self, own: Ipv4Addr, now: u64) -> Option<Option<Ipv4Addr>> {
        if self.repeat.is_some_and(|at| now >= at) {
            self.repeat = None;
            let _ = self.socket.send(&self.message);
        }
        let heard = self.heard(own);
        (heard.is_some() || now >= self.until).then_some(heard)
    }

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
