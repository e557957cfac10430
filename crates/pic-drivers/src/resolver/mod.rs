//! Whom the host itself asks for names: `/etc/resolv.conf`, systemd-resolved, resolvconf(8).
//!
//! What is to be done is decided in [`pic_plan::resolver`]. What a host had is on disk before anything of it is changed,
//! and each change is one rename or one call: whenever this is killed, the host resolves names, and [`release`] finds
//! the way back. Somebody else's later change is never undone. Tested in `tests/tests/t1_resolver` by killing at every
//! system call, and on real hosts in `tests/tests/t2_resolver.rs`.
#![forbid(unsafe_code)]

mod file;
mod observe;
mod probe;
mod record;
mod resolvconf;
mod resolved;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use pic_model::snapshot::resolver::{ResolverBy, ResolverRecord, ResolverSnapshot, VERSION};
use pic_plan::resolver::{Found, content, hold, servers_in, way};
use pic_plan::target::resolver::{Hold, Way};

use crate::files;
pub use observe::observe;
pub use probe::answers;

/// Where programs look for resolvers.
const FILE: &str = "/etc/resolv.conf";

/// Files of this driver.
#[derive(Debug, Clone)]
pub struct Places {
    /// The resolv.conf(5) of the host.
    pub file: PathBuf,
    /// Folder of our own, on disk: the snapshot, the record, words about the last failure.
    pub state: PathBuf,
}

impl Places {
    /// Of this host, with the cell's state in `state`.
    pub fn new(state: &Path) -> Self {
        Self { file: FILE.into(), state: state.join("resolver") }
    }
}

/// Why the host's resolver could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of ours, or resolv.conf.
    #[error(transparent)]
    File(#[from] files::Error),
    /// Not what we write.
    #[error("{} is not understood; remove it to begin anew", path.display())]
    Damaged {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// resolv.conf could not be replaced.
    #[error("{} cannot be replaced: {hint}", path.display())]
    Replace {
        /// File.
        path: PathBuf,
        /// What is the matter, and what to do.
        hint: &'static str,
        /// Reason.
        #[source]
        source: files::Error,
    },
    /// systemd-resolved.
    #[error("systemd-resolved cannot {verb}")]
    Resolved {
        /// What was tried.
        verb: &'static str,
        /// Reason.
        #[source]
        source: zbus::Error,
    },
    /// The interface is not there.
    #[error("there is no interface {name}")]
    NoInterface {
        /// Name.
        name: String,
    },
    /// resolvconf(8).
    #[error("{program} failed: {words}", program = program.display())]
    Resolvconf {
        /// Which.
        program: PathBuf,
        /// What it said.
        words: String,
    },
    /// The same, without a word of complaint.
    #[error("resolvconf was told the cell's address and did not write it")]
    Unheard,
    /// This host's way is not ours to change.
    #[error("{0}")]
    Refused(String),
}

/// Has the host ask the cell. Whether the cell answers is for the caller to know. Doing it again is no error.
pub async fn take(places: &Places, wanted: &ResolverSnapshot) -> Result<(), Error> {
    tidy(places);
    let mut found = observe(places, &wanted.interface).await?;
    let way = way(&found);
    if found.record.as_ref().is_some_and(|record| !is_by(record, &way)) {
        // The host has another way now; what is left of the old one goes.
        undo(places, &found, true).await?;
        found = observe(places, &wanted.interface).await?;
    }
    match hold(&found, &way, Some(wanted.server)) {
        Hold::Ours(server) if server == wanted.server => return Ok(()),
        Hold::Owner => return Ok(()),
        Hold::Theirs => return Err(Error::Refused(format!("{FILE} was changed by somebody else"))),
        Hold::Ours(_) | Hold::None => {}
    }
    let keep = |by| {
        let record = ResolverRecord { version: VERSION, by, server: wanted.server };
        record::keep(places, &record)
    };
    match way {
        Way::File => file::take(places, &found, wanted.server, keep),
        Way::Resolved => {
            keep(ResolverBy::Resolved { interface: wanted.interface.clone() })?;
            resolved::take(&wanted.interface, wanted.server).await
        }
        Way::Resolvconf => {
            keep(ResolverBy::Resolvconf)?;
            let told = resolvconf::take(wanted.server);
            // One of the many scripts that it calls may fail; what counts is the file.
            if asks(places, wanted.server)? { Ok(()) } else { told.and(Err(Error::Unheard)) }
        }
        Way::Refused(words) => Err(Error::Refused(words)),
    }
}

/// Has the host ask whom it asked before. `for_good` says that the cell is not coming back: then what somebody else
/// made of our file loses our lines; else it is left as it is. Doing it again is no error.
pub async fn release(places: &Places, for_good: bool) -> Result<(), Error> {
    tidy(places);
    let found = observe(places, pic_plan::marks::WIREGUARD_INTERFACE).await?;
    undo(places, &found, for_good).await
}

/// Takes away what a killed run has left beside the files. That it could not is no reason to stop.
fn tidy(places: &Places) {
    for folder in [places.file.parent(), Some(places.state.as_path())].into_iter().flatten() {
        if let Err(error) = files::sweep(folder) {
            tracing::debug!(%error, "cannot tidy");
        }
    }
}

async fn undo(places: &Places, found: &Found, for_good: bool) -> Result<(), Error> {
    let Some(record) = &found.record else { return Ok(()) };
    let is_done = match &record.by {
        ResolverBy::File { written, original } => {
            file::release(places, found, (written, original.as_ref()), (record.server, for_good))?
        }
        ResolverBy::Resolved { interface } => {
            resolved::release(interface).await?;
            true
        }
        ResolverBy::Resolvconf => {
            let told = resolvconf::release();
            if asks(places, record.server)? {
                told?;
            }
            true
        }
    };
    if is_done { record::forget(places) } else { Ok(()) }
}

/// Whether the file as programs read it names this server.
fn asks(places: &Places, server: IpAddr) -> Result<bool, Error> {
    let entry = observe::entry(&places.file)?;
    Ok(content(&entry).is_some_and(|text| servers_in(text).contains(&server)))
}

fn is_by(record: &ResolverRecord, way: &Way) -> bool {
    matches!(
        (&record.by, way),
        (_, Way::Refused(_))
            | (ResolverBy::File { .. }, Way::File)
            | (ResolverBy::Resolved { .. }, Way::Resolved)
            | (ResolverBy::Resolvconf, Way::Resolvconf)
    )
}

/// What the agent wrote for us; `None`: the host is not to ask the cell.
pub fn snapshot(places: &Places) -> Result<Option<ResolverSnapshot>, Error> {
    record::read(&places.state.join("cell.json"))
}

/// Keeps why the last try failed, for the agent to tell; `None`: it did not.
pub fn keep_words(places: &Places, words: Option<&str>) -> Result<(), Error> {
    let path = places.state.join("failure");
    match words {
        Some(words) => Ok(files::write_atomic(&path, words.as_bytes(), 0o644)?),
        None => Ok(files::remove_durable(&path)?),
    }
}

/// What was kept by [`keep_words`].
pub fn words(places: &Places) -> Option<String> {
    const MAX: u64 = 4096;
    let bytes = files::read_bounded(&places.state.join("failure"), MAX).ok()??;
    String::from_utf8(bytes).ok()
}
