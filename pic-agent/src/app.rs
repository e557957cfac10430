//! `pic-app`: holds the network namespace of an app, for programs that join it (`JoinsNamespaceOf=` of systemd.unit(5)).
//!
//! It lays the cable to the cell, does so again whenever somebody takes it, and follows what the agent wrote for it. It needs no
//! agent, reads nothing but that file, and opens no port.
//! Tested in network namespaces, with programs that joined it (`tests/tests/t1_app.rs`), and under systemd (`t2_app.rs`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pic_drivers::namespace::{self, Host};
use pic_drivers::watch;
use pic_model::snapshot::app::{AppSnapshot, VERSION};
use pic_service::snapshot::{Kind, SnapshotError};
use pic_service::{chain, life};

const SNAPSHOT: Kind<AppSnapshot> =
    Kind { program: "pic-app@", version: VERSION, version_of: |snapshot| snapshot.version, max: 64 * 1024 };

/// Between two looks at the file.
const TICK: Duration = Duration::from_secs(1);

/// Network namespace of an app.
#[derive(Debug, Parser)]
#[command(name = "pic-app", version)]
pub struct Cli {
    /// What the namespace is made from; written by the agent, followed while running.
    #[arg(long, value_name = "PATH")]
    snapshot: PathBuf,
    /// Make a namespace; without it, this is the app's already, and that of process 1 the host's.
    #[arg(long)]
    own_namespace: bool,
}

/// Why it ended.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot work from {path}", path = path.display())]
    Snapshot { path: PathBuf, source: SnapshotError },
    #[error("the app has no network")]
    Namespace(#[source] namespace::Error),
    #[error("cannot see when the cable is taken")]
    Watch(#[source] watch::Error),
    #[error("cannot run")]
    Runtime(#[source] std::io::Error),
}

/// `pic-app`.
pub fn main(cli: &Cli) -> ExitCode {
    pic_service::log::init("info");
    life::exit(run(cli))
}

fn run(cli: &Cli) -> Result<(), Error> {
    // Before there is a second thread, which would stay behind.
    let host = if cli.own_namespace { Host::leave().map_err(Error::Namespace)? } else { Host::Init };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::Runtime)?.block_on(hold(&cli.snapshot, &host))
}

async fn hold(path: &Path, host: &Host) -> Result<(), Error> {
    let mut stop = life::Stop::listen().map_err(Error::Runtime)?;
    // Listening first: what happens meanwhile is looked at afterwards.
    let (mut events, _ear) = watch::start().map_err(Error::Watch)?;
    let mut held = Held::begin(path, host)?;
    life::ready();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = stop.asked() => break,
            _ = tick.tick() => held.follow(path, host),
            // The file first: the cable may have been taken because there is to be another.
            Some(_) = events.recv() => held.follow(path, host),
        }
    }
    life::stopping();
    // What is left in the namespace keeps its cable for whoever holds it next.
    Ok(())
}

/// The namespace as it was last made.
struct Held {
    snapshot: AppSnapshot,
    /// What is wrong, once it was said.
    said: Option<String>,
}

impl Held {
    /// At the start nothing may be wrong: who waits for this unit is told.
    fn begin(path: &Path, host: &Host) -> Result<Self, Error> {
        let snapshot =
            SNAPSHOT.load(path).map_err(|source| Error::Snapshot { path: path.to_owned(), source })?;
        // Programs that joined may have outlived the holder before, and its cable with them: it carries on, unless it is another.
        let stays = namespace::holds(&snapshot).map_err(Error::Namespace)?;
        let made = if stays { Ok(()) } else { namespace::cut() };
        let made = made.and_then(|()| namespace::ensure(&snapshot, host));
        made.map_err(Error::Namespace)?;
        Ok(Self { snapshot, said: None })
    }

    /// Takes over what the file says by now, and repairs what somebody changed. A file that is gone or makes no sense changes
    /// nothing.
    fn follow(&mut self, path: &Path, host: &Host) {
        match SNAPSHOT.load(path) {
            Ok(new) if new != self.snapshot => {
                self.snapshot = new;
                let done = namespace::cut().and_then(|()| namespace::ensure(&self.snapshot, host));
                tracing::info!(interface = self.snapshot.outer, "the app has another address");
                self.say(done.err().map(|error| chain(&error)));
            }
            Ok(_) => self.say(namespace::ensure(&self.snapshot, host).err().map(|error| chain(&error))),
            Err(error) => self.say(Some(chain(&error))),
        }
    }

    /// Once for each thing that is wrong.
    fn say(&mut self, wrong: Option<String>) {
        if let Some(words) = wrong.as_ref().filter(|words| self.said.as_ref() != Some(*words)) {
            tracing::warn!("{words}");
        }
        self.said = wrong;
    }
}
