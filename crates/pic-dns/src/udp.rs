//! One thread per UDP socket: receives, answers what it can at once, hands the rest to the runtime.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::forward::Task;
use crate::listen::Flag;
use crate::server::{Outcome, Server, Transport};

/// How long a thread may take to notice that it should stop.
const TICK: Duration = Duration::from_millis(500);
/// After an error that may persist, such as a lack of memory.
const PAUSE: Duration = Duration::from_millis(50);

/// A running thread.
#[derive(Debug)]
pub(crate) struct Thread {
    stop: Flag,
    alive: Flag,
    handle: JoinHandle<()>,
}

impl Thread {
    /// Starts receiving. Must be called inside a tokio runtime, which gets the questions that have to be forwarded.
    pub(crate) fn start(socket: UdpSocket, server: Arc<Server>) -> io::Result<Self> {
        socket.set_read_timeout(Some(TICK))?;
        let (stop, alive) = (Flag::default(), Arc::new(AtomicBool::new(true)));
        let worker = Worker {
            socket: Arc::new(socket),
            server,
            runtime: Handle::current(),
            stop: Arc::clone(&stop),
            alive: Arc::clone(&alive),
        };
        let handle = std::thread::Builder::new().name("udp".to_owned()).spawn(move || worker.run())?;
        Ok(Self { stop, alive, handle })
    }

    /// Ends it after at most [`TICK`]; questions received until then are answered.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.handle.is_finished()
    }

    /// Whether it went round its loop since the last call.
    pub(crate) fn was_alive(&self) -> bool {
        self.alive.swap(false, Ordering::Relaxed)
    }
}

struct Worker {
    socket: Arc<UdpSocket>,
    server: Arc<Server>,
    runtime: Handle,
    stop: Flag,
    alive: Flag,
}

impl Worker {
    fn run(self) {
        let mut packet = vec![0; usize::from(u16::MAX)];
        let mut out = Vec::with_capacity(usize::from(u16::MAX));
        while !self.stop.load(Ordering::Relaxed) {
            self.alive.store(true, Ordering::Relaxed);
            match self.socket.recv_from(&mut packet) {
                Ok((length, client)) => {
                    self.answer(packet.get(..length).unwrap_or_default(), client, &mut out);
                }
                Err(error) if is_idle(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot receive");
                    std::thread::park_timeout(PAUSE);
                }
            }
        }
    }

    fn answer(&self, packet: &[u8], client: SocketAddr, out: &mut Vec<u8>) {
        match self.server.handle(packet, client.ip(), Transport::Udp, Instant::now(), out) {
            Outcome::Drop => {}
            // A client that went away is no error of ours.
            Outcome::Reply => drop(self.socket.send_to(out, client)),
            Outcome::Renew(task) => {
                let _ = self.socket.send_to(out, client);
                self.runtime.spawn(async move { drop(task.run().await) });
            }
            Outcome::Forward(task) => self.forward(task, packet.into(), client),
        }
    }

    fn forward(&self, task: Task, packet: Box<[u8]>, client: SocketAddr) {
        let (server, socket) = (Arc::clone(&self.server), Arc::clone(&self.socket));
        self.runtime.spawn(async move {
            let served = task.run().await;
            let mut out = Vec::new();
            let outcome = server.complete(&packet, Transport::Udp, &task, &served, &mut out);
            if matches!(outcome, Outcome::Reply) {
                let _ = socket.send_to(&out, client);
            }
        });
    }
}

/// Timeouts, and reports about answers that an earlier client did not want.
fn is_idle(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted | ConnectionRefused)
}
