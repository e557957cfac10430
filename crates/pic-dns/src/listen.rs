//! Which addresses are listened on. Follows the snapshot: opens what is new, then closes what is gone.
//!
//! Addresses may not exist yet (`IP_FREEBIND`): the tunnel interface can come after us. Each address has its own
//! sockets, so an answer always leaves from the address that was asked.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pic_model::snapshot::dns::DnsListenFailure;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::task::JoinHandle;

use crate::server::Server;
use crate::{tcp, udp};

const TCP_BACKLOG: i32 = 128;
/// Room for a burst of questions while the thread is not scheduled.
const UDP_BUFFER: usize = 1 << 20;

/// All open listeners.
#[derive(Debug)]
pub struct Listeners {
    server: Arc<Server>,
    open: BTreeMap<SocketAddr, Listener>,
    failed: BTreeMap<SocketAddr, String>,
}

/// UDP and TCP of one address; dropping it closes both.
#[derive(Debug)]
struct Listener {
    udp: udp::Thread,
    tcp: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.udp.stop();
        self.tcp.abort();
    }
}

impl Listeners {
    /// None open yet.
    pub fn new(server: Arc<Server>) -> Self {
        Self { server, open: BTreeMap::new(), failed: BTreeMap::new() }
    }

    /// Makes the open addresses those `wanted`, as far as possible. Must run inside a tokio runtime.
    pub fn follow(&mut self, wanted: &[SocketAddr]) {
        let failed_before = std::mem::take(&mut self.failed);
        for &address in wanted {
            if self.open.get(&address).is_some_and(|listener| listener.udp.is_running()) {
                continue;
            }
            match self.open(address) {
                Ok(listener) => {
                    tracing::info!(%address, "listening");
                    self.open.insert(address, listener);
                }
                Err(error) => {
                    let error = error.to_string();
                    // Tried again every few seconds: say it once.
                    if failed_before.get(&address) != Some(&error) {
                        tracing::error!(%address, error, "cannot listen; is another DNS server running there?");
                    }
                    self.failed.insert(address, error);
                }
            }
        }
        self.open.retain(|address, _| wanted.contains(address));
    }

    /// Addresses listened on.
    pub fn listening(&self) -> Vec<SocketAddr> {
        self.open.keys().copied().collect()
    }

    /// Addresses wanted but not had.
    pub fn failures(&self) -> Vec<DnsListenFailure> {
        let one = |(address, error): (&SocketAddr, &String)| DnsListenFailure {
            address: *address,
            error: error.clone(),
        };
        self.failed.iter().map(one).collect()
    }

    /// Whether every receiving thread has shown signs of life since the last call.
    pub fn all_alive(&self) -> bool {
        // Counted rather than `all`: every flag must be reset.
        self.open.values().filter(|listener| !listener.udp.was_alive()).count() == 0
    }

    fn open(&self, address: SocketAddr) -> io::Result<Listener> {
        let udp = bind_udp(address)?;
        let tcp = tokio::net::TcpListener::from_std(bind_tcp(address)?)?;
        Ok(Listener {
            udp: udp::Thread::start(udp, Arc::clone(&self.server))?,
            tcp: tokio::spawn(tcp::serve(tcp, Arc::clone(&self.server))),
        })
    }
}

fn bind(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
        }
    }
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bind(address, Type::DGRAM, Protocol::UDP)?;
    // Capped by the system without error.
    let _ = socket.set_recv_buffer_size(UDP_BUFFER);
    Ok(socket.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bind(address, Type::STREAM, Protocol::TCP)?;
    socket.listen(TCP_BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A flag shared with a listener's thread.
pub(crate) type Flag = Arc<AtomicBool>;
