//! The services of the cell: started, stopped and observed, through systemd or, on a host without it, as processes.
//!
//! Never enables, installs or edits a unit. What carries traffic must outlive the agent, so nothing started here is
//! tied to our own life. Tested with real processes (`tests/units.rs`) and in a container that boots systemd
//! (`tests/kernel/units_systemd.rs`).
#![forbid(unsafe_code)]

mod children;
mod process;
mod systemd;

use std::collections::BTreeMap;
use std::path::Path;

use pic_plan::plan::Action;
use pic_plan::target::unit::UnitState;

pub use children::{Child, Children};
pub use systemd::Systemd;

/// Why a unit could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection to systemd.
    #[error("cannot reach systemd over the system bus; is dbus.service running?")]
    Bus(#[source] zbus::Error),
    /// systemd refused.
    #[error("systemd cannot {verb} {unit}")]
    Systemd {
        /// What was tried.
        verb: &'static str,
        /// Unit.
        unit: String,
        /// Reason.
        #[source]
        source: zbus::Error,
    },
    /// A job ended otherwise than done.
    #[error("cannot {verb} {unit}: systemd says `{result}`; see `journalctl -u {unit}`")]
    Job {
        /// What was tried.
        verb: &'static str,
        /// Unit.
        unit: String,
        /// systemd's word.
        result: String,
    },
    /// It takes too long.
    #[error("cannot {verb} {unit}: not done after {seconds} seconds; see `journalctl -u {unit}`")]
    Late {
        /// What was tried.
        verb: &'static str,
        /// Unit.
        unit: String,
        /// How long we waited.
        seconds: u64,
    },
    /// Not in the table of programs.
    #[error("there is no program for unit {unit}")]
    Unknown {
        /// Unit.
        unit: String,
    },
    /// A process could not be started or its record not written.
    #[error("cannot {verb} {unit} ({})", path.display())]
    Process {
        /// What was tried.
        verb: &'static str,
        /// Unit.
        unit: String,
        /// File concerned.
        path: std::path::PathBuf,
        /// Reason.
        #[source]
        source: std::io::Error,
    },
    /// The process ended before it was ready.
    #[error("{unit} ended while starting; see {}", log.display())]
    Ended {
        /// Unit.
        unit: String,
        /// What it wrote.
        log: std::path::PathBuf,
    },
    /// The action belongs to another module.
    #[error("not a unit action")]
    Misrouted,
}

/// Who runs the units.
#[derive(Debug)]
pub enum Manager {
    /// systemd.
    Systemd(Systemd),
    /// Ourselves.
    Children(Children),
}

impl Manager {
    /// Whether this host was booted by systemd (the test of sd_booted(3)).
    pub fn host_has_systemd() -> bool {
        Path::new("/run/systemd/system").is_dir()
    }

    /// States of units; one that the manager does not know is inactive.
    pub async fn observe(&self, names: &[&str]) -> Result<BTreeMap<String, UnitState>, Error> {
        match self {
            Self::Systemd(systemd) => systemd.observe(names).await,
            Self::Children(children) => children.observe(names),
        }
    }

    /// Does one action on a unit.
    pub async fn apply(&self, action: &Action) -> Result<(), Error> {
        match action {
            Action::UnitStart { name } => self.start(name).await,
            Action::UnitStop { name } => self.stop(name).await,
            _ => Err(Error::Misrouted),
        }
    }

    /// Starts a unit and waits until it is active; nothing happens if it is.
    pub async fn start(&self, name: &str) -> Result<(), Error> {
        match self {
            Self::Systemd(systemd) => systemd.start(name).await,
            Self::Children(children) => children.start(name).await,
        }
    }

    /// Starts a unit, or reloads it if it is active, and waits until that is done.
    pub async fn reload_or_start(&self, name: &str) -> Result<(), Error> {
        match self {
            Self::Systemd(systemd) => systemd.reload_or_start(name).await,
            Self::Children(children) => children.start(name).await,
        }
    }

    /// Stops a unit and waits until it is gone; nothing happens if it is.
    pub async fn stop(&self, name: &str) -> Result<(), Error> {
        match self {
            Self::Systemd(systemd) => systemd.stop(name).await,
            Self::Children(children) => children.stop(name).await,
        }
    }
}
