//! Pings to addresses behind relays, where ARP is not heard: whoever answers has the address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::socket::{MsgFlags, recv};
use socket2::{Domain, Protocol, Socket, Type};

use crate::wire::frame;

/// An ICMP socket.
#[derive(Debug)]
pub(super) struct Pinger {
    socket: Socket,
    id: u16,
    sequence: u16,
}

impl Pinger {
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        socket.set_nonblocking(true)?;
        // Only tells our pings from those of other programs.
        let id = u16::try_from(std::process::id() & 0xffff).unwrap_or_default();
        Ok(Self { socket, id, sequence: 0 })
    }

    pub(super) fn ask(&mut self, address: Ipv4Addr) {
        self.sequence = self.sequence.wrapping_add(1);
        let request = frame::echo_request(self.id, self.sequence);
        if let Err(error) = self.socket.send_to(&request, &SocketAddr::from((address, 0)).into()) {
            tracing::debug!(%address, %error, "a ping was not sent");
        }
    }

    /// The next packet: who answers us, if it is an answer; an error when there is none.
    pub(super) fn heard(&self) -> io::Result<Option<Ipv4Addr>> {
        let mut buffer = [0; 128];
        let length = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT)?;
        Ok(buffer.get(..length).and_then(|packet| frame::echo_reply(packet, self.id)))
    }
}

impl AsFd for Pinger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
