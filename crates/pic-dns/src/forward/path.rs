//! By which way a question leaves: by the host's routes, or by one interface and by nothing else. Where that is gone there is
//! no socket, so that a question for an exit never leaves in clear.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// The way of a forwarder's questions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Option<Arc<str>>);

impl Path {
    /// By this interface alone.
    pub fn by(interface: &str) -> Self {
        Self(Some(interface.into()))
    }

    /// A new socket that is connected: the kernel then drops packets of others and reports an unreachable port at once.
    pub(super) async fn udp(&self, to: SocketAddr) -> io::Result<UdpSocket> {
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        // Needs no power since Linux 5.7, for a socket that is bound to no interface yet (socket(7)).
        socket.bind_device(self.0.as_deref().map(str::as_bytes))?;
        socket.connect(to).await?;
        Ok(socket)
    }

    /// A new connection.
    pub(super) async fn tcp(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind_device(self.0.as_deref().map(str::as_bytes))?;
        socket.connect(to).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_its_interface_there_is_no_way() {
        let to = "192.0.2.53:53".parse().unwrap();
        assert!(Path::by("pic5999").udp(to).await.is_err());
        assert!(Path::by("pic5999").tcp(to).await.is_err());
    }
}
