//! Units as plain processes, for hosts without systemd and for tests in network namespaces.
//!
//! Each runs in its own process group and is left alone when the agent ends; a record in the run folder lets the next
//! agent find it again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use pic_plan::target::unit::UnitState;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::Error;
use super::process::Process;

/// How long a process may take until it is ready.
const START: Duration = Duration::from_secs(15);
/// How long a process may take to end when asked to.
const STOP: Duration = Duration::from_secs(10);
/// One without a socket counts as ready when it has lived this long.
const SETTLED: Duration = Duration::from_millis(200);
/// Between two looks at a process, which cannot tell us.
const LOOK: Duration = Duration::from_millis(20);

/// How to run a unit.
#[derive(Debug, Clone)]
pub struct Child {
    /// Program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables added to our own environment.
    pub environment: BTreeMap<String, OsString>,
    /// It is ready when this socket accepts a connection.
    pub ready_socket: Option<PathBuf>,
    /// It is ready when this is there, as an interface in `/sys/class/net`.
    pub ready_path: Option<PathBuf>,
}

/// Programs by unit name, and the folder for records and logs.
#[derive(Debug)]
pub struct Children {
    programs: BTreeMap<String, Child>,
    folder: PathBuf,
}

impl Children {
    /// Runs `programs`; `folder` must exist.
    pub fn new(programs: BTreeMap<String, Child>, folder: PathBuf) -> Self {
        Self { programs, folder }
    }

    pub(super) fn observe(&self, names: &[&str]) -> Result<BTreeMap<String, UnitState>, Error> {
        Ok(names.iter().map(|name| ((*name).to_owned(), self.state(name))).collect())
    }

    /// How to run a unit: as it is said, or as of the template `NAME@.service` with the instance in the place of `%i`.
    fn child(&self, name: &str) -> Option<Child> {
        if let Some(child) = self.programs.get(name) {
            return Some(child.clone());
        }
        let (template, instance) = name.strip_suffix(".service")?.split_once('@')?;
        let child = self.programs.get(&format!("{template}@.service"))?;
        let filled = |text: &OsString| text.to_string_lossy().replace("%i", instance);
        Some(Child {
            arguments: child.arguments.iter().map(|text| filled(text).into()).collect(),
            ready_socket: child.ready_socket.as_ref().map(|path| filled(&path.into()).into()),
            ready_path: child.ready_path.as_ref().map(|path| filled(&path.into()).into()),
            ..child.clone()
        })
    }

    fn state(&self, name: &str) -> UnitState {
        let (active, words) = match Process::load(&self.record(name)) {
            Some(process) if process.is_alive() => (true, "active"),
            // Stopping removes the record, so this one ended by itself.
            Some(_) => (false, "failed"),
            None => (false, "inactive"),
        };
        UnitState { active, words: words.to_owned() }
    }

    pub(super) async fn start(&self, name: &str) -> Result<(), Error> {
        if self.state(name).active {
            return Ok(());
        }
        let child = self.child(name).ok_or_else(|| Error::Unknown { unit: name.to_owned() })?;
        let child = &child;
        if let Some(socket) = &child.ready_socket
            && tokio::net::UnixStream::connect(socket).await.is_err()
        {
            // Left behind by a killed process; one that answers belongs to somebody and is not ours to remove.
            let _ = std::fs::remove_file(socket);
        }
        let process = self.spawn(name, child)?;
        self.wait_ready(name, child, process).await
    }

    fn spawn(&self, name: &str, child: &Child) -> Result<Process, Error> {
        let fail = |path: &Path, source| Error::Process {
            verb: "start",
            unit: name.to_owned(),
            path: path.to_owned(),
            source,
        };
        let path = self.log(name);
        let log = File::options().create(true).append(true).open(&path).map_err(|e| fail(&path, e))?;
        let errors = log.try_clone().map_err(|e| fail(&path, e))?;
        let mut running = Command::new(&child.program)
            .args(&child.arguments)
            .envs(&child.environment)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // An interrupt at our terminal is not for it.
            .process_group(0)
            .kill_on_drop(false)
            .spawn()
            .map_err(|e| fail(&child.program, e))?;
        let process = running.id().and_then(Process::of);
        // While we live we are its parent, and bury it.
        tokio::spawn(async move { running.wait().await });
        let process = process.ok_or_else(|| Error::Ended { unit: name.to_owned(), log: path })?;
        let record = self.record(name);
        if let Err(error) = process.save(&record) {
            // Without its record nobody would find it again.
            process.signal(Signal::SIGKILL);
            return Err(fail(&record, error));
        }
        Ok(process)
    }

    async fn wait_ready(&self, name: &str, child: &Child, process: Process) -> Result<(), Error> {
        let begin = Instant::now();
        loop {
            if !process.is_alive() {
                return Err(Error::Ended { unit: name.to_owned(), log: self.log(name) });
            }
            let ready = match (&child.ready_socket, &child.ready_path) {
                (Some(socket), _) => tokio::net::UnixStream::connect(socket).await.is_ok(),
                (None, Some(path)) => path.exists(),
                (None, None) => begin.elapsed() >= SETTLED,
            };
            if ready {
                return Ok(());
            }
            if begin.elapsed() >= START {
                return Err(Error::Late { verb: "start", unit: name.to_owned(), seconds: START.as_secs() });
            }
            sleep(LOOK).await;
        }
    }

    pub(super) async fn stop(&self, name: &str) -> Result<(), Error> {
        let record = self.record(name);
        if let Some(process) = Process::load(&record) {
            process.signal(Signal::SIGTERM);
            if !ended_within(process, STOP).await {
                process.signal(Signal::SIGKILL);
                if !ended_within(process, STOP).await {
                    return Err(Error::Late {
                        verb: "stop",
                        unit: name.to_owned(),
                        seconds: 2 * STOP.as_secs(),
                    });
                }
            }
        }
        match std::fs::remove_file(&record) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::Process { verb: "stop", unit: name.to_owned(), path: record, source })
            }
            _ => Ok(()),
        }
    }

    fn record(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pid"))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}

async fn ended_within(process: Process, patience: Duration) -> bool {
    let begin = Instant::now();
    while process.is_alive() {
        if begin.elapsed() >= patience {
            return false;
        }
        sleep(LOOK).await;
    }
    true
}
