//! The outside host's services: a web server that tells the caller its address, and a UDP echo.
//! Both note who asked, so that a test sees from which address traffic left.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::netns::Namespace;
use crate::netns::internet::address::{ECHO, HTTP};

/// One request that reached a service.
#[derive(Debug, Clone)]
pub struct Seen {
    /// From where it seemed to come.
    pub from: SocketAddr,
    /// The datagram, or the head of the HTTP request.
    pub payload: Vec<u8>,
}

/// The running services; they end on drop.
#[derive(Debug)]
pub struct Echo {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    stop: AtomicBool,
    seen: Mutex<Vec<Seen>>,
}

impl State {
    fn note(&self, from: SocketAddr, payload: &[u8]) {
        let seen = Seen { from, payload: payload.to_vec() };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }
}

impl Echo {
    /// Serves on these addresses of a namespace.
    pub fn start(namespace: &Namespace, addresses: &[IpAddr]) -> Result<Self> {
        let (listeners, sockets) = namespace.enter(|| open(addresses))??;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || serve(&shared, &listeners, &sockets));
        Ok(Self { state, thread: Some(thread) })
    }

    /// Everything that was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open(addresses: &[IpAddr]) -> Result<(Vec<TcpListener>, Vec<UdpSocket>)> {
    let mut opened = (Vec::new(), Vec::new());
    for &address in addresses {
        let listener =
            TcpListener::bind((address, HTTP)).with_context(|| format!("serve web on {address}"))?;
        listener.set_nonblocking(true)?;
        let socket = UdpSocket::bind((address, ECHO)).with_context(|| format!("serve echo on {address}"))?;
        socket.set_nonblocking(true)?;
        opened.0.push(listener);
        opened.1.push(socket);
    }
    Ok(opened)
}

fn serve(state: &Arc<State>, listeners: &[TcpListener], sockets: &[UdpSocket]) {
    let mut buffer = vec![0; 65536];
    while !state.stop.load(Ordering::Relaxed) {
        let fds = listeners.iter().map(|l| l.as_fd()).chain(sockets.iter().map(|s| s.as_fd()));
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let _ = poll(&mut fds, PollTimeout::from(100_u8));
        for listener in listeners {
            while let Ok((stream, from)) = listener.accept() {
                let state = Arc::clone(state);
                // A slow client must not hold up the others.
                thread::spawn(move || answer(&state, stream, from));
            }
        }
        for socket in sockets {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                state.note(from, &buffer[..length]);
                let _ = socket.send_to(&buffer[..length], from);
            }
        }
    }
}

/// Answers any request with the caller's address.
fn answer(state: &State, mut stream: TcpStream, from: SocketAddr) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer).ok()? {
            0 => break,
            length => head.extend_from_slice(&buffer[..length]),
        }
    }
    state.note(from, &head);
    let body = format!("{}\n", from.ip());
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .ok()
}
