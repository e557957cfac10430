//! The first install: files, services, and back again when it does not succeed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pic_api::client::Client;
use pic_api::status::Status;
use pic_drivers::files::{create_dir_durable, remove_durable, write_atomic};

use crate::existing::{CELL_TOML, STATE};
use crate::folders::{self, Folder};
use crate::out::Out;
use crate::service;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Install {
    /// The text of `cell.toml`; `None` leaves it to the agent, which has it in its ledger.
    pub(crate) text: Option<String>,
    /// Folders elsewhere.
    pub(crate) folders: Vec<Folder>,
}

impl Install {
    /// Each step, for a person.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.folders.iter().map(Folder::words).collect();
        words.push(match &self.text {
            Some(_) => format!("write {CELL_TOML}"),
            None => format!("have the agent write {CELL_TOML} again, as its ledger has it"),
        });
        words.push(
            "enable pic-guard, pic-agent, pic-dns, pic-dhcp and pic-time, start pic-agent, and wait until all is well"
                .to_owned(),
        );
        words
    }

    /// Does it. After a failure the host is what it was before.
    pub(crate) async fn run(&self, client: &Client, out: Out) -> Result<Status> {
        let mut done = Done::default();
        match self.steps(&mut done, client, out).await {
            Ok(status) => Ok(status),
            Err(error) => {
                for line in if done.services { service::last_words().await } else { Vec::new() } {
                    out.note(&format!("pic-agent said: {line}"));
                }
                out.note("this did not succeed; putting the host back to what it was");
                for problem in done.undo(self.text.is_some()).await {
                    out.error(&format!("while putting back: {problem:#}"));
                }
                Err(error)
            }
        }
    }

    async fn steps(&self, done: &mut Done, client: &Client, out: Out) -> Result<Status> {
        for folder in &self.folders {
            out.note(&folder.words());
            done.folders.push(folder.clone());
            folders::place(folder)?;
        }
        let path = Path::new(CELL_TOML);
        create_dir_durable(Path::new("/etc/pic"), 0o755)?;
        done.cell_toml = Some(path.to_owned());
        // An empty file is a lost one to the agent, which then writes it again.
        write_atomic(path, self.text.as_deref().unwrap_or_default().as_bytes(), 0o644)?;
        out.note("starting the agent");
        // A cell that ran before goes on running, whatever comes of this.
        done.services = !service::runs().await?;
        // An agent that runs looks for a lost file only at its start.
        service::start(self.text.is_none()).await?;
        service::wait(client, out).await
    }
}

/// What was done so far.
#[derive(Debug, Default)]
struct Done {
    folders: Vec<Folder>,
    cell_toml: Option<PathBuf>,
    services: bool,
}

impl Done {
    /// Undoes it, the last first, as far as it goes.
    async fn undo(self, is_first: bool) -> Vec<anyhow::Error> {
        let mut problems = Vec::new();
        let mut keep = |result: Result<()>| problems.extend(result.err());
        if self.services {
            keep(service::take_down().await);
        }
        if let Some(path) = self.cell_toml {
            keep(remove_durable(&path).context("take the file away again"));
        }
        if is_first && self.services {
            // Else the next try would find the ledger of a cell that never was. The other is kept for waiting programs.
            for folder in [Path::new(STATE).join("ledger"), PathBuf::from("/run/pic")] {
                if folder.exists() {
                    let removed = std::fs::remove_dir_all(&folder);
                    keep(removed.with_context(|| format!("remove {}", folder.display())));
                }
            }
        }
        for folder in self.folders.iter().rev() {
            keep(folders::remove(folder));
        }
        problems
    }
}
