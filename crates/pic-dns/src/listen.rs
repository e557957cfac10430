//! Which addresses are listened on. Follows the snapshot: opens what is new, then closes what is gone.
//!
//! Addresses may not exist yet (`IP_FREEBIND`): the tunnel interface can come after us. Each address has its own
//! sockets, so an answer always leaves from the address that was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pic_model::snapshot::dns::{DnsListenFailure, TlsListen};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::task::JoinHandle;

use crate::certificate::Certificate;
use crate::converse::converse;
use crate::server::{Server, Transport};
use crate::tls::{self, Kind};
use crate::{seats, udp};

const TCP_BACKLOG: i32 = 128;
/// Room for a burst of questions while the thread is not scheduled.
const UDP_BUFFER: usize = 1 << 20;

/// All open listeners.
#[derive(Debug)]
pub struct Listeners {
    server: Arc<Server>,
    certificate: Arc<Certificate>,
    open: BTreeMap<SocketAddr, Listener>,
    encrypted: BTreeMap<(SocketAddr, Kind), Task>,
    failed: BTreeMap<SocketAddr, String>,
}

/// UDP and TCP of one address; dropping it closes both.
#[derive(Debug)]
struct Listener {
    udp: udp::Thread,
    _tcp: Task,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.udp.stop();
    }
}

/// Serves one listening socket of a stream; dropping it closes the socket and its connections.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Task {
    fn spawn(serve: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(serve))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Listeners {
    /// None open yet.
    pub fn new(server: Arc<Server>, certificate: Arc<Certificate>) -> Self {
        let (open, encrypted, failed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { server, certificate, open, encrypted, failed }
    }

    /// Makes the open addresses those `wanted`, as far as possible; those by TLS once there is a certificate. Must run inside
    /// a tokio runtime.
    pub fn follow(&mut self, wanted: &[SocketAddr], encrypted: Option<&TlsListen>) {
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
                Err(error) => self.fail(address, &error, &failed_before),
            }
        }
        self.open.retain(|address, _| wanted.contains(address));
        let encrypted: BTreeSet<_> =
            encrypted.filter(|_| self.certificate.is_there()).map(kinds).unwrap_or_default();
        self.encrypted.retain(|key, task| encrypted.contains(key) && !task.0.is_finished());
        for (address, kind) in encrypted {
            if self.encrypted.contains_key(&(address, kind)) {
                continue;
            }
            match self.open_encrypted(address, kind) {
                Ok(task) => {
                    tracing::info!(%address, kind = kind.as_str(), "listening");
                    self.encrypted.insert((address, kind), task);
                }
                Err(error) => self.fail(address, &error, &failed_before),
            }
        }
    }

    fn fail(&mut self, address: SocketAddr, error: &io::Error, before: &BTreeMap<SocketAddr, String>) {
        let error = error.to_string();
        // Tried again every few seconds: say it once.
        if before.get(&address) != Some(&error) {
            tracing::error!(%address, error, "cannot listen; is another program listening there?");
        }
        self.failed.insert(address, error);
    }

    /// Addresses listened on.
    pub fn listening(&self) -> Vec<SocketAddr> {
        self.open.keys().copied().chain(self.encrypted.keys().map(|(address, _)| *address)).collect()
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
        let server = Arc::clone(&self.server);
        let serve = seats::serve(tcp, move |stream, client| {
            converse(stream, client, Arc::clone(&server), Transport::Tcp)
        });
        Ok(Listener { udp: udp::Thread::start(udp, Arc::clone(&self.server))?, _tcp: Task::spawn(serve) })
    }

    fn open_encrypted(&self, address: SocketAddr, kind: Kind) -> io::Result<Task> {
        let listener = tokio::net::TcpListener::from_std(bind_tcp(address)?)?;
        let acceptor = tls::acceptor(&self.certificate, kind).map_err(io::Error::other)?;
        let server = Arc::clone(&self.server);
        Ok(Task::spawn(seats::serve(listener, move |stream, client| {
            tls::converse(acceptor.clone(), kind, stream, client, Arc::clone(&server))
        })))
    }
}

fn kinds(listen: &TlsListen) -> BTreeSet<(SocketAddr, Kind)> {
    let dns = listen.dns.iter().map(|address| (*address, Kind::Dns));
    dns.chain(listen.https.iter().map(|address| (*address, Kind::Https))).collect()
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
