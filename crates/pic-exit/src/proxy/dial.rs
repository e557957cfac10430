//! Connections through the proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use pic_model::snapshot::proxy::ProxySnapshot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::dialogue::{Dialogue, Refusal, Step};

/// Until the proxy takes the connection.
const CONNECT: Duration = Duration::from_secs(8);
/// Until it has connected further, which may take several tries of its own.
const ANSWER: Duration = Duration::from_secs(30);
/// One that does not know us is not asked again before: it may lock out who is wrong too often.
const REST: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failure {
    #[error("nobody takes connections at {at}: {words}")]
    Away { at: SocketAddr, words: String },
    #[error("{at} takes connections and says nothing for {seconds} seconds")]
    Slow { at: SocketAddr, seconds: u64 },
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// How connections are made.
#[derive(Debug)]
pub(super) struct Dialer {
    config: ProxySnapshot,
    /// That the proxy knows us not, and until when that is believed.
    refused: Mutex<Option<(Instant, Refusal)>>,
    /// A connection failed: the proxy is to be looked at.
    failed: Notify,
}

/// A connection through the proxy, and what came by it already.
#[derive(Debug)]
pub(super) struct Through {
    pub(super) stream: TcpStream,
    pub(super) came: Vec<u8>,
}

impl Dialer {
    pub(super) fn new(config: ProxySnapshot) -> Arc<Self> {
        Arc::new(Self { config, refused: Mutex::new(None), failed: Notify::new() })
    }

    pub(super) fn config(&self) -> &ProxySnapshot {
        &self.config
    }

    /// Waits until a connection has failed.
    pub(super) async fn failed(&self) {
        self.failed.notified().await;
    }

    /// Connects to an address through the proxy.
    pub(super) async fn dial(&self, target: SocketAddr) -> Result<Through, Failure> {
        let refused = self.refused().clone().filter(|(until, _)| Instant::now() < *until);
        if let Some((_, refusal)) = refused {
            return Err(refusal.into());
        }
        let dialled = self.try_dial(target).await;
        match &dialled {
            Err(Failure::Refused(refusal)) if refusal.is_about_us() => {
                *self.refused() = Some((Instant::now() + REST, refusal.clone()));
                self.failed.notify_one();
            }
            // That of one target alone says nothing of the proxy.
            Err(Failure::Refused(Refusal::Target(_))) | Ok(_) => {}
            Err(_) => self.failed.notify_one(),
        }
        dialled
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Refusal)>> {
        // A panic elsewhere leaves plain data behind.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_dial(&self, target: SocketAddr) -> Result<Through, Failure> {
        let at = self.config.proxy;
        let away = |words: String| Failure::Away { at, words };
        let connected = timeout(CONNECT, TcpStream::connect(at)).await;
        let mut stream = connected
            .map_err(|_| away(format!("no answer for {} seconds", CONNECT.as_secs())))?
            .map_err(|error| away(error.to_string()))?;
        keep_alive(&stream).map_err(|error| away(error.to_string()))?;
        let mut dialogue = Dialogue::new(self.config.protocol, target, self.config.login.as_ref());
        match timeout(ANSWER, converse(&mut stream, &mut dialogue)).await {
            Ok(Ok(came)) => Ok(Through { stream, came }),
            Ok(Err(refusal)) => Err(refusal.into()),
            Err(_) => Err(Failure::Slow { at, seconds: ANSWER.as_secs() }),
        }
    }
}

async fn converse(stream: &mut TcpStream, dialogue: &mut Dialogue) -> Result<Vec<u8>, Refusal> {
    let mut buffer = [0; 1024];
    loop {
        match dialogue.step()? {
            Step::Say(words) => stream.write_all(&words).await.map_err(|_| Refusal::Silent)?,
            Step::Hear => {
                let room = dialogue.room().min(buffer.len());
                let read = stream.read(&mut buffer[..room]).await.map_err(|_| Refusal::Silent)?;
                match buffer.get(..read) {
                    Some([]) | None => return Err(Refusal::Silent),
                    Some(bytes) => dialogue.hear(bytes),
                }
            }
            Step::Done(came) => return Ok(came),
        }
    }
}

/// Finds out within minutes that somebody at the other end is gone without a word; and what is written leaves at once.
pub(super) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &60)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &15)?;
    setsockopt(stream, sockopt::TcpKeepCount, &4)?;
    // What was sent and is not acknowledged, in milliseconds.
    setsockopt(stream, sockopt::TcpUserTimeout, &120_000)?;
    Ok(())
}
