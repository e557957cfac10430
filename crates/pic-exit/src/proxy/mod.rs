//! An exit by a proxy of others: a relay that takes TCP in which the firewall led here, and makes each connection anew
//! through the proxy, to the address that it was sent to. Names are asked there, too.
//!
//! ```text
//! device ── firewall ──> carry ──> dial ──> dialogue (socks5, http) ──> proxy
//! pic-dns ─────────────> names ──────┘          health: asks through the proxy whether it works
//! ```
//! Another snapshot begins everything anew, so that a proxy or password that was taken back carries nothing any more.
//! Without one there is no exit.

mod carry;
mod dial;
pub mod dialogue;
mod health;
mod http;
pub mod message;
mod names;
mod socks5;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pic_model::snapshot::exit::{ExitStatus, VERSION as STATUS_VERSION};
use pic_model::snapshot::proxy::{ProxySnapshot, VERSION};
use pic_service::life::Stop;
use pic_service::program::{since_boot_ms, tell};
use pic_service::snapshot::Kind;
use pic_service::{chain, file};
use tokio::task::JoinSet;
use tokio::time::sleep;

use carry::{Carrier, Leads};
use dial::Dialer;
use health::Health;
use names::Names;

/// Between two looks at the snapshot; the agent counts silence of three as an exit that does not work.
const TICK: Duration = Duration::from_millis(500);

/// The snapshot.
pub const KIND: Kind<ProxySnapshot> =
    Kind { program: "pic-exit", version: VERSION, version_of: |snapshot| snapshot.version, max: 16 << 10 };

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Paths {
    /// What to do.
    pub snapshot: PathBuf,
    /// Where to say how it is.
    pub status: PathBuf,
}

/// Runs until told to stop.
///
/// # Errors
/// Where the process itself cannot do its work: signals, the runtime.
pub fn main(paths: &Paths) -> io::Result<()> {
    // Where systemd does not make it.
    if let Some(folder) = paths.status.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stop = Stop::listen()?;
        let mut exit = Exit::default();
        loop {
            exit.look(paths);
            tokio::select! {
                () = stop.asked() => return Ok(()),
                () = sleep(TICK) => {}
            }
        }
    })
}

/// What runs now.
#[derive(Default)]
struct Exit {
    /// The snapshot as last read.
    input: Option<Vec<u8>>,
    /// Everything that serves by it; ends when it is dropped.
    tasks: JoinSet<()>,
    health: Option<Arc<Health>>,
    trouble: Option<String>,
}

impl Exit {
    /// Takes another snapshot in, and says how it is. One that cannot be read now is as it was.
    fn look(&mut self, paths: &Paths) {
        match file::read(&paths.snapshot, KIND.max) {
            Ok(input) if input == self.input => {}
            Ok(input) => self.begin(paths, input),
            Err(error) => tracing::debug!(path = %paths.snapshot.display(), %error, "cannot read"),
        }
        let known = self.health.as_ref().map(|health| health.known()).unwrap_or_default();
        tell(
            &paths.status,
            &ExitStatus {
                version: STATUS_VERSION,
                at_ms: since_boot_ms(),
                connected: known.works,
                percent: if known.works { 100 } else { 0 },
                doing: String::new(),
                trouble: self.trouble.clone().or(known.words),
            },
        );
    }

    fn begin(&mut self, paths: &Paths, input: Option<Vec<u8>>) {
        // What was carried by the old one ends here.
        self.tasks = JoinSet::new();
        (self.health, self.trouble) = (None, None);
        let parsed = input.as_deref().map(|bytes| KIND.parse(&paths.snapshot, bytes));
        self.input = input;
        match parsed.transpose() {
            Ok(Some(snapshot)) => self.serve(snapshot),
            Ok(None) => {}
            Err(error) => {
                let words = chain(&error);
                tracing::error!("{words}");
                self.trouble = Some(words);
            }
        }
    }

    fn serve(&mut self, snapshot: ProxySnapshot) {
        let dialer = Dialer::new(snapshot.clone());
        let (carrier, names) = (Carrier::new(Arc::clone(&dialer)), Names::new(Arc::clone(&dialer)));
        for at in snapshot.transparent {
            self.tasks.spawn(Arc::clone(&carrier).serve(at, Leads::AsSent));
        }
        self.tasks.spawn(Arc::clone(&carrier).serve(snapshot.names, Leads::To(snapshot.resolver)));
        if snapshot.plain {
            self.tasks.spawn(Arc::clone(&names).serve(snapshot.names));
        }
        let health = Health::new(dialer, names);
        self.tasks.spawn(Arc::clone(&health).watch());
        self.health = Some(health);
    }
}

#[cfg(test)]
mod carry_tests;
#[cfg(test)]
mod tests;
