//! Whether the proxy works: the resolver is asked through it, again and again. That takes part in all that a device's own
//! connection needs; a proxy that says yes and carries nothing is found by it as well.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pic_model::chain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::dial::Dialer;
use super::message;
use super::names::{Asked, Names};

/// Between two questions: by a connection that is kept, and where each needs one of its own.
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(5);
/// For the whole of one.
const PATIENCE: Duration = Duration::from_secs(6);
/// One that takes longer than this counts as not working while it does.
const QUICK: Duration = Duration::from_secs(2);
/// Before a question that somebody's failed connection asks for.
const PAUSE: Duration = Duration::from_millis(300);

/// What is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) works: bool,
    /// Why not.
    pub(super) words: Option<String>,
}

/// Looks, and keeps what it found.
#[derive(Debug)]
pub(super) struct Health {
    dialer: Arc<Dialer>,
    names: Arc<Names>,
    known: Mutex<Known>,
}

impl Health {
    pub(super) fn new(dialer: Arc<Dialer>, names: Arc<Names>) -> Arc<Self> {
        Arc::new(Self { dialer, names, known: Mutex::default() })
    }

    /// What was found last.
    pub(super) fn known(&self) -> Known {
        self.lock().clone()
    }

    /// Looks for ever.
    pub(super) async fn watch(self: Arc<Self>) {
        let often = if self.dialer.config().plain { OFTEN } else { SELDOM };
        let mut number = 0_u16;
        loop {
            number = number.wrapping_add(1);
            let mut look = std::pin::pin!(timeout(PATIENCE, self.look(number)));
            let looked = match timeout(QUICK, &mut look).await {
                Ok(looked) => looked,
                Err(_) => {
                    self.tell(Some(format!(
                        "the proxy takes longer than {} seconds to answer",
                        QUICK.as_secs()
                    )));
                    look.as_mut().await
                }
            };
            let late = || format!("the proxy does not answer within {} seconds", PATIENCE.as_secs());
            self.tell(looked.map_or_else(|_| Some(late()), |looked| looked.err().map(|error| chain(&error))));
            let is_due = sleep(if self.known().works { often } else { OFTEN });
            tokio::select! {
                () = is_due => {}
                () = self.dialer.failed() => sleep(PAUSE).await,
            }
        }
    }

    async fn look(&self, number: u16) -> Result<(), Asked> {
        if self.dialer.config().plain {
            self.names.ask(&message::for_the_root(number)).await.map(drop)
        } else {
            let mut through = self.dialer.dial(self.dialer.config().resolver).await?;
            greet(&mut through.stream).await.map_err(|_| Asked::Silent)
        }
    }

    fn tell(&self, words: Option<String>) {
        let new = Known { works: words.is_none(), words };
        let mut known = self.lock();
        if *known != new {
            match &new.words {
                None => tracing::info!("the proxy works"),
                Some(words) => tracing::warn!("the proxy does not work: {words}"),
            }
        }
        *known = new;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        // A panic elsewhere leaves plain data behind.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says something that every TLS server answers, if only with an alert (RFC 8446 section 6): a greeting without content.
async fn greet(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> io::Result<()> {
    const GREETING: [u8; 9] = [22, 3, 1, 0, 4, 1, 0, 0, 0];
    stream.write_all(&GREETING).await?;
    match stream.read_u8().await? {
        // Alert, handshake.
        21 | 22 => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
