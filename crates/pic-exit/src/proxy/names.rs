//! Questions for names, asked by TCP through the proxy (RFC 7766). The cell's own name server asks here by UDP and, where an
//! answer is too long for that, by TCP, which is carried as any connection.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::dial::{Dialer, Failure};
use super::message;

/// Questions at the same time; of more, those that come are dropped, and asked again.
const MOST: usize = 128;
/// Connections to the resolver that are kept for the next question, and for how long.
const KEPT: usize = 8;
const FRESH: Duration = Duration::from_secs(4);
/// Until a resolver that is connected has answered.
const ANSWER: Duration = Duration::from_secs(5);
/// Before the next try to listen.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks the resolver.
#[derive(Debug)]
pub(super) struct Names {
    dialer: Arc<Dialer>,
    kept: Mutex<Vec<(TcpStream, Instant)>>,
}

impl Names {
    pub(super) fn new(dialer: Arc<Dialer>) -> Arc<Self> {
        Arc::new(Self { dialer, kept: Mutex::default() })
    }

    /// Answers questions at an address for ever.
    pub(super) async fn serve(self: Arc<Self>, at: SocketAddr) {
        let socket = loop {
            match UdpSocket::bind(at).await {
                Ok(socket) => break Arc::new(socket),
                Err(error) => tracing::debug!(%at, %error, "cannot listen yet"),
            }
            sleep(PAUSE).await;
        };
        let places = Arc::new(Semaphore::new(MOST));
        let mut asking = JoinSet::new();
        let mut buffer = [0; 4096];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
                sleep(PAUSE).await;
                continue;
            };
            while asking.try_join_next().is_some() {}
            let Some(question) = buffer.get(..length).filter(|bytes| message::is_question(bytes)) else {
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (names, socket, question) = (Arc::clone(&self), Arc::clone(&socket), question.to_vec());
            asking.spawn(async move {
                if let Ok(answer) = names.ask(&question).await {
                    let _ = socket.send_to(&message::fitting(&question, answer), from).await;
                }
                drop(place);
            });
        }
    }

    /// The answer to a question.
    ///
    /// # Errors
    /// The proxy does not connect to the resolver, or that does not answer; the latter is of the kind [`Asked::Silent`].
    pub(super) async fn ask(&self, question: &[u8]) -> Result<Vec<u8>, Asked> {
        // The resolver may have closed one that was kept, just now.
        if let Some(stream) = self.take()
            && let Ok(answer) = self.ask_by(stream, question).await
        {
            return Ok(answer);
        }
        let through = self.dialer.dial(self.dialer.config().resolver).await?;
        if !through.came.is_empty() {
            // Nobody was asked yet.
            return Err(Asked::Silent);
        }
        self.ask_by(through.stream, question).await.map_err(|_| Asked::Silent)
    }

    /// One connection, one question at a time.
    async fn ask_by(&self, mut stream: TcpStream, question: &[u8]) -> io::Result<Vec<u8>> {
        let answer = timeout(ANSWER, async {
            let length = u16::try_from(question.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
            let length = stream.read_u16().await?;
            let mut answer = vec![0; usize::from(length)];
            stream.read_exact(&mut answer).await?;
            io::Result::Ok(answer)
        });
        let answer = answer.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if !message::answers(question, &answer) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut kept = self.kept();
        if kept.len() < KEPT {
            kept.push((stream, Instant::now()));
        }
        Ok(answer)
    }

    fn take(&self) -> Option<TcpStream> {
        let mut kept = self.kept();
        kept.retain(|(_, since)| since.elapsed() < FRESH);
        kept.pop().map(|(stream, _)| stream)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<(TcpStream, Instant)>> {
        // A panic elsewhere leaves plain data behind.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Asked {
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("the proxy connects, and no answer of the resolver comes back")]
    Silent,
}
