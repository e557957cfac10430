//! Multicast sockets of the kernel, read without blocking.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::unix::AsyncFd;

use super::{Error, Event};

/// Room for the notices of one large transaction; what exceeds it is reported as lost.
const ROOM: usize = 4 * 1024 * 1024;
/// Datagrams read before others get their turn.
const BURST: usize = 64;

const ROUTE_GROUPS: [u32; 7] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
];
/// `NFNLGRP_NFTABLES` of linux/netfilter/nfnetlink.h.
const NFT_GROUP: u32 = 7;

/// One socket and its buffer.
#[derive(Debug)]
pub(super) struct Watcher {
    socket: AsyncFd<Arc<netlink_sys::Socket>>,
    buffer: Vec<u8>,
}

/// The listening to nftables, for whoever is about to load a large table: while somebody listens, the kernel builds a
/// notice for each element, at several times the price of the element itself.
#[derive(Debug)]
pub struct Ear(Arc<netlink_sys::Socket>);

/// Not listening to nftables until dropped. What others do meanwhile is not told: read the table afterwards.
#[derive(Debug)]
pub struct Covered<'a>(&'a Ear);

impl Ear {
    /// Stops listening for a while.
    pub fn cover(&self) -> Covered<'_> {
        if let Err(error) = self.0.drop_membership(NFT_GROUP) {
            tracing::debug!(%error, "still listening to nftables");
        }
        Covered(self)
    }
}

impl Drop for Covered<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.0.add_membership(NFT_GROUP) {
            tracing::error!(%error, "cannot listen to nftables again; foreign changes are found by looking only");
        }
    }
}

impl Watcher {
    pub(super) fn route() -> Result<Self, Error> {
        Self::listen(NETLINK_ROUTE, &ROUTE_GROUPS).map_err(|source| Error::Listen { what: "routing", source })
    }

    pub(super) fn nft() -> Result<Self, Error> {
        Self::listen(NETLINK_NETFILTER, &[NFT_GROUP])
            .map_err(|source| Error::Listen { what: "nftables", source })
    }

    fn listen(protocol: isize, groups: &[u32]) -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        // Needs CAP_NET_ADMIN; without it the default room does, only with more losses.
        if setsockopt(&socket.as_fd(), sockopt::RcvBufForce, &ROOM).is_err() {
            setsockopt(&socket.as_fd(), sockopt::RcvBuf, &ROOM)?;
        }
        for group in groups {
            socket.add_membership(*group)?;
        }
        #[expect(
            deprecated,
            reason = "its successor is unsafe; our socket owns its descriptor until it is dropped"
        )]
        let socket = AsyncFd::new(Arc::new(socket))?;
        Ok(Self { socket, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// For who makes large changes; of the watcher of nftables.
    pub(super) fn ear(&self) -> Ear {
        Ear(Arc::clone(self.socket.get_ref()))
    }

    /// Waits for messages and reads what there is; `decode` turns a datagram into events.
    pub(super) async fn read(&mut self, decode: fn(&[u8]) -> Vec<Event>) -> io::Result<Vec<Event>> {
        let mut ready = self.socket.readable().await?;
        let mut events = Vec::new();
        for _ in 0..BURST {
            self.buffer.clear();
            let buffer = &mut self.buffer;
            match ready.try_io(|socket| socket.get_ref().recv(buffer, 0)) {
                Err(_would_block) => break,
                Ok(Ok(_)) => events.extend(decode(&self.buffer)),
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => events.push(Event::Lost),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
            }
        }
        events.dedup();
        Ok(events)
    }
}
