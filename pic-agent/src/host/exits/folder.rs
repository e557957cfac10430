//! The folder of providers' files. They hold keys: 0600, and never told of but by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pic_drivers::files;
use pic_model::chain;
use pic_model::exit::{self, provider};
use pic_model::name::ExitName;
use pic_plan::facts::ExitFacts;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Exits;

/// Files that are looked at: a generation may go back to an older one of an exit.
const MOST: usize = 1_000;

type Stamp = (SystemTime, u64);
type Content = Result<provider::Provider, String>;

/// The files as they were read last, and what else is known of exits.
#[derive(Debug)]
pub(crate) struct ExitFolder {
    folder: PathBuf,
    tor: PathBuf,
    known: BTreeMap<String, (Stamp, Content)>,
    exits: Exits,
}

impl ExitFolder {
    /// Reads nothing yet.
    pub(crate) fn new(folder: PathBuf, tor: PathBuf, exits: Exits) -> Self {
        Self { folder, tor, known: BTreeMap::new(), exits }
    }

    /// What is known now.
    pub(crate) fn facts(&mut self) -> ExitFacts {
        let mut files = BTreeMap::new();
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        for name in names.filter(|name| exit::is_file_name(name) && name.ends_with(".conf")).take(MOST) {
            let path = self.folder.join(&name);
            let Ok(meta) = std::fs::metadata(&path) else { continue };
            let stamp = (meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len());
            let same = self.known.remove(&name).filter(|(known, _)| *known == stamp);
            let (_, content) = same.unwrap_or_else(|| (stamp, read(&path)));
            files.insert(name, (stamp, content));
        }
        self.known = files;
        let state = self.exits.lock();
        let dead = state.exits.iter().filter(|(_, exit)| exit.works == Some(false));
        ExitFacts {
            files: self.known.iter().map(|(name, (_, content))| (name.clone(), content.clone())).collect(),
            endpoints: state.endpoints.clone(),
            down: dead.map(|(name, _)| name.clone()).collect(),
            tor: self.tor.exists(),
        }
    }
}

fn read(path: &Path) -> Content {
    let bytes = files::read_bounded(path, provider::MAX_BYTES as u64).map_err(|error| chain(&error))?;
    let bytes = Zeroizing::new(bytes.ok_or_else(|| "it is not there".to_owned())?);
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not text".to_owned())?;
    provider::read(text).map_err(|error| error.to_string())
}

/// Name of the file that keeps this text for an exit. Another text has another name, so that a change of the file is one
/// of `cell.toml`, which can be planned, confirmed and taken back.
pub(crate) fn name_for(exit: &ExitName, text: &str) -> String {
    let digest = Sha256::digest(text);
    let tag: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let name: String = exit.as_str().chars().take(63).collect();
    format!("{name}-{tag}.conf")
}

/// Keeps a provider's file, durably.
pub(crate) fn keep(folder: &Path, name: &str, text: &str) -> Result<(), files::Error> {
    files::create_dir_durable(folder, 0o700)?;
    files::write_atomic(&folder.join(name), text.as_bytes(), 0o600)
}
