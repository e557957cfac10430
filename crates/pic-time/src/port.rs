//! Whether the port is free. chronyd shares it with whoever holds it (`SO_REUSEADDR`), and the kernel then gives each
//! packet to one of them: another server of the host would silently lose its clients, or we ours.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, bind, setsockopt, socket,
    sockopt,
};
use pic_model::time::NTP_PORT;

/// Fails when another program has it, on any address. A host without IPv6 has no IPv6 port to be held.
pub(crate) fn check() -> io::Result<()> {
    let v4 = SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, NTP_PORT));
    let v6 = SockaddrIn6::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, NTP_PORT, 0, 0));
    try_one(AddressFamily::Inet, &v4)?;
    match try_one(AddressFamily::Inet6, &v6) {
        Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn try_one(family: AddressFamily, address: &dyn SockaddrLike) -> nix::Result<()> {
    let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    if family == AddressFamily::Inet6 {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    bind(socket.as_raw_fd(), address)
}
