//! One thread per UDP socket: receives, answers what it can at once, hands the rest to the runtime.
//!
//! Questions that are there together are taken together, and their answers leave together: a call of the kernel costs as much
//! as answering. Nobody is waited for: a question that is alone is answered alone.

mod batch;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use tokio::runtime::Handle;

use crate::forward::Task;
use crate::listen::Flag;
use crate::server::{Outcome, Server, Transport};
use batch::{Answers, Questions};

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
        let (mut questions, mut answers) = (Questions::new(), Answers::new());
        while !self.stop.load(Ordering::Relaxed) {
            self.alive.store(true, Ordering::Relaxed);
            match questions.receive(&self.socket) {
                Ok(()) => {
                    let now = Instant::now();
                    for (packet, client) in questions.iter() {
                        self.answer(packet, client, now, &mut answers);
                    }
                    answers.send(&self.socket);
                }
                Err(error) if is_idle(error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot receive");
                    std::thread::park_timeout(PAUSE);
                }
            }
        }
    }

    fn answer(&self, packet: &[u8], client: SocketAddr, now: Instant, answers: &mut Answers) {
        let out = answers.next();
        match self.server.handle(packet, client.ip(), Transport::Udp, now, out) {
            Outcome::Drop => {}
            Outcome::Reply => answers.keep(client),
            Outcome::Renew(task) => {
                answers.keep(client);
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
fn is_idle(error: Errno) -> bool {
    matches!(error, Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED | Errno::ETIMEDOUT)
}
