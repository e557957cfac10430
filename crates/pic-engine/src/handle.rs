//! What everyone but the engine's own thread holds.

use std::sync::{Arc, mpsc};

use pic_plan::way_in::Session;
use tokio::sync::{oneshot, watch};

use crate::change::{Author, Change, ChangeError};
use crate::ledger::{Entry, Record, State};
use crate::report::{Operation, Report};

/// The engine's thread is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has stopped")]
pub struct Stopped;

/// Answer of a change: the operation, or why there is none.
pub type Answer = Result<Operation, ChangeError>;

/// Something asked of the engine's thread.
pub(crate) enum Command {
    Change(Box<Change>, oneshot::Sender<Answer>),
    Confirm {
        author: Author,
        generation: Option<u64>,
        session: Option<Session>,
        reply: oneshot::Sender<Answer>,
    },
    Revert {
        author: Author,
        generation: Option<u64>,
        reply: oneshot::Sender<Answer>,
    },
    History(oneshot::Sender<(Vec<Entry>, State)>),
    Text(u64, oneshot::Sender<Result<String, ChangeError>>),
    Record(u64, oneshot::Sender<Option<Record>>),
    Look(&'static str, oneshot::Sender<()>),
    /// Something on the host changed.
    Event,
    Stop,
}

/// A way to ask the engine.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) report: watch::Receiver<Arc<Report>>,
}

impl Handle {
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Makes a change and waits until it is kept, waits for its confirmation, or is taken back.
    pub async fn change(&self, change: Change) -> Result<Answer, Stopped> {
        self.ask(|reply| Command::Change(Box::new(change), reply)).await
    }

    /// Keeps the change that waits.
    ///
    /// `session` is the connection that this is asked over, if it is to be another one than that of the change: one that was
    /// there before may live on where no new one gets in.
    pub async fn confirm(
        &self,
        author: Author,
        generation: Option<u64>,
        session: Option<Session>,
    ) -> Result<Answer, Stopped> {
        self.ask(|reply| Command::Confirm { author, generation, session, reply }).await
    }

    /// Takes the change that waits back: whichever it is, or only the one of this generation.
    pub async fn revert(&self, author: Author, generation: Option<u64>) -> Result<Answer, Stopped> {
        self.ask(|reply| Command::Revert { author, generation, reply }).await
    }

    /// Generations, newest first, and which of them is in force, pending or taken back.
    pub async fn history(&self) -> Result<(Vec<Entry>, State), Stopped> {
        self.ask(Command::History).await
    }

    /// `cell.toml` of a generation.
    pub async fn text(&self, generation: u64) -> Result<Result<String, ChangeError>, Stopped> {
        self.ask(|reply| Command::Text(generation, reply)).await
    }

    /// How the change that made a generation went, or stands; `None` where nothing is known of it.
    pub async fn record(&self, generation: u64) -> Result<Option<Record>, Stopped> {
        self.ask(|reply| Command::Record(generation, reply)).await
    }

    /// Reads the host now, so that [`Self::report`] is fresh.
    pub async fn look(&self) -> Result<(), Stopped> {
        self.ask(|reply| Command::Look("look", reply)).await
    }

    /// Brings the host to what changed beside `cell.toml`, as bans do. No repair: nobody else has changed anything.
    pub async fn follow(&self, because: &'static str) -> Result<(), Stopped> {
        self.ask(|reply| Command::Look(because, reply)).await
    }

    /// Tells that something on the host changed; many at once count as one.
    pub fn event(&self) {
        // A stopped engine has nothing to repair.
        let _ = self.commands.send(Command::Event);
    }

    /// Ends the engine's thread; the host stays as it is.
    pub fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
    }

    /// The last report.
    pub fn report(&self) -> Arc<Report> {
        self.report.borrow().clone()
    }

    /// Reports as they come.
    pub fn watch(&self) -> watch::Receiver<Arc<Report>> {
        self.report.clone()
    }
}
