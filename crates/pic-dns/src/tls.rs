//! Clients by TLS: DNS itself (RFC 7858), or HTTPS (`crate::doh`), whichever a socket is for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::certificate::Certificate;
use crate::server::{Server, Transport};
use crate::{converse, doh};

/// A client on a bad line shakes hands within this time.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What is spoken inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// DNS as by TCP.
    Dns,
    /// HTTP.
    Https,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "TLS",
            Self::Https => "HTTPS",
        }
    }

    fn protocols(self) -> &'static [&'static [u8]] {
        match self {
            Self::Dns => &[b"dot"],
            Self::Https => doh::PROTOCOLS,
        }
    }
}

/// What shakes hands for one listening socket. The certificate is looked up anew each time.
pub(crate) fn acceptor(certificate: &Arc<Certificate>, kind: Kind) -> Result<TlsAcceptor, rustls::Error> {
    certificate.config(kind.protocols()).map(TlsAcceptor::from)
}

/// Shakes hands and answers one client until it ends, or is silent for too long.
pub(crate) async fn converse(
    acceptor: TlsAcceptor,
    kind: Kind,
    stream: TcpStream,
    client: IpAddr,
    server: Arc<Server>,
) {
    // Who cannot shake hands is told by TLS itself.
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    match kind {
        Kind::Dns => converse::converse(stream, client, server, Transport::Tls).await,
        Kind::Https => {
            let version = doh::Version::agreed(stream.get_ref().1.alpn_protocol());
            doh::converse(stream, version, client, server).await;
        }
    }
}
