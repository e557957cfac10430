//! One netlink socket to nftables.

use std::io::{self, IoSlice};
use std::time::Duration;

use netlink_sys::SocketAddr;
use nix::errno::Errno;
use nix::sys::socket::{self, MsgFlags, NetlinkAddr, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::fd::AsRawFd;

use super::abi;
use super::error::Error;

/// Buffers in both directions: a transaction is one datagram, and every message of it is answered.
const BUFFER: usize = 16 << 20;
/// Room for one datagram of answers; the kernel makes them no larger than 32 KiB.
const DATAGRAM: usize = 64 << 10;
/// The kernel answers at once; a silence this long is an error.
const PATIENCE_SECONDS: i64 = 10;

pub(super) struct Socket {
    socket: netlink_sys::Socket,
    /// Largest datagram that can be sent.
    room: usize,
    datagram: Vec<u8>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

impl Socket {
    pub(super) fn open() -> Result<Self, Error> {
        Self::prepare().map_err(Error::Socket)
    }

    fn prepare() -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(abi::NETLINK_NETFILTER)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        // Answers without a copy of the message, but with words where the kernel has some.
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        if socket::setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
            socket::setsockopt(&socket, sockopt::RcvBuf, &BUFFER)?;
        }
        socket::setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(PATIENCE_SECONDS))?;
        Ok(Self { socket, room: 0, datagram: vec![0; DATAGRAM] })
    }

    /// Sends all parts as one datagram.
    pub(super) fn send(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.make_room(parts.iter().map(|part| part.len()).sum())?;
        let kernel = NetlinkAddr::new(0, 0);
        socket::sendmsg(self.socket.as_raw_fd(), parts, &[], MsgFlags::empty(), Some(&kernel))?;
        Ok(())
    }

    fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        let room = BUFFER.max(bytes.saturating_mul(2));
        if room <= self.room {
            return Ok(());
        }
        // Without CAP_NET_ADMIN of the first user namespace only the limited option works; small transactions pass.
        if socket::setsockopt(&self.socket, sockopt::SndBufForce, &room).is_err() {
            socket::setsockopt(&self.socket, sockopt::SndBuf, &room)?;
        }
        self.room = room;
        Ok(())
    }

    /// The next datagram that is there already, if any.
    pub(super) fn receive_queued(&mut self) -> io::Result<Option<&[u8]>> {
        self.receive_with(MsgFlags::MSG_DONTWAIT)
    }

    /// Hears what is told to a multicast group as well.
    pub(super) fn join(&mut self, group: u32) -> io::Result<()> {
        self.socket.add_membership(group)
    }

    /// Waits at most this long for a datagram.
    pub(super) fn set_patience(&mut self, time: Duration) -> io::Result<()> {
        let time = TimeVal::microseconds(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
        Ok(socket::setsockopt(&self.socket, sockopt::ReceiveTimeout, &time)?)
    }

    /// The next datagram, or nothing if none comes in time.
    pub(super) fn receive_or_time_out(&mut self) -> io::Result<Option<&[u8]>> {
        self.receive_with(MsgFlags::empty())
    }

    /// The next datagram, waiting for it.
    pub(super) fn receive(&mut self) -> io::Result<&[u8]> {
        self.receive_with(MsgFlags::empty())?.ok_or_else(|| io::ErrorKind::TimedOut.into())
    }

    fn receive_with(&mut self, flags: MsgFlags) -> io::Result<Option<&[u8]>> {
        loop {
            let flags = flags | MsgFlags::MSG_TRUNC;
            match socket::recv(self.socket.as_raw_fd(), &mut self.datagram, flags) {
                Ok(length) => {
                    let whole = self.datagram.get(..length);
                    return whole.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into());
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
