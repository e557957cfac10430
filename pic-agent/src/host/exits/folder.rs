//! The folder of providers' files, and of users and passwords at proxies. They hold secrets: 0600, and never told of but by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use pic_drivers::files;
use pic_model::chain;
use pic_model::exit;
use pic_model::exit::openvpn::{self, Profile};
use pic_model::exit::provider::{self, Provider};
use pic_model::exit::proxy::{self, Credentials};
use pic_model::key::PresharedSeed;
use pic_model::name::ExitName;
use pic_plan::facts::ExitFacts;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Exits;
use crate::paths::Paths;

/// Files that are looked at: a generation may go back to an older one of an exit.
const MOST: usize = 1_000;

type Stamp = (SystemTime, u64);
/// Files of one kind by name: when each was read, and what it says or what is wrong with it.
type Files<T> = BTreeMap<String, (Stamp, Result<T, String>)>;

/// How the names of files of each kind end.
const WIREGUARD: &str = ".conf";
const OPENVPN: &str = ".ovpn";
const CREDENTIALS: &str = ".auth";

/// The files as they were read last, and what else is known of exits.
#[derive(Debug)]
pub(crate) struct ExitFolder {
    paths: Paths,
    providers: Files<Provider>,
    profiles: Files<Profile>,
    credentials: Files<Credentials>,
    exits: Exits,
}

impl ExitFolder {
    /// Reads no file yet.
    pub(crate) fn new(paths: Paths, exits: Exits) -> Self {
        super::openvpn::remember(&paths, &mut exits.lock());
        let (providers, profiles, credentials) = (Files::new(), Files::new(), Files::new());
        Self { paths, providers, profiles, credentials, exits }
    }

    /// What is known now.
    pub(crate) fn facts(&mut self) -> ExitFacts {
        let entries = std::fs::read_dir(self.paths.exits()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let names: Vec<_> = names.filter(|name| exit::is_file_name(name)).take(MOST).collect();
        let folder = self.paths.exits();
        look(&folder, &names, WIREGUARD, &mut self.providers, |path| {
            read(path, provider::MAX_BYTES, provider::read)
        });
        look(&folder, &names, OPENVPN, &mut self.profiles, |path| {
            read(path, openvpn::MAX_BYTES, openvpn::read)
        });
        look(&folder, &names, CREDENTIALS, &mut self.credentials, |path| {
            read(path, proxy::MAX_BYTES, proxy::read)
        });
        let state = self.exits.lock();
        let dead = state.exits.iter().filter(|(_, exit)| exit.works == Some(false));
        ExitFacts {
            files: content(&self.providers),
            profiles: content(&self.profiles),
            given: super::openvpn::given(&self.paths),
            credentials: content(&self.credentials),
            endpoints: state.endpoints.clone(),
            down: dead.map(|(name, _)| name.clone()).collect(),
            tor: self.paths.tor_program().exists(),
            openvpn: self.paths.openvpn_program().exists(),
        }
    }
}

/// Reads the files of a kind that are others than they were.
fn look<T>(
    folder: &Path,
    names: &[String],
    ending: &str,
    known: &mut Files<T>,
    read: impl Fn(&Path) -> Result<T, String>,
) {
    let mut files = BTreeMap::new();
    for name in names.iter().filter(|name| name.ends_with(ending)) {
        let path = folder.join(name);
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        let stamp = (meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len());
        let same = known.remove(name).filter(|(known, _)| *known == stamp);
        files.insert(name.clone(), same.unwrap_or_else(|| (stamp, read(&path))));
    }
    *known = files;
}

fn content<T: Clone>(files: &Files<T>) -> BTreeMap<String, Result<T, String>> {
    files.iter().map(|(name, (_, content))| (name.clone(), content.clone())).collect()
}

fn read<T, E: ToString>(path: &Path, most: usize, parse: impl Fn(&str) -> Result<T, E>) -> Result<T, String> {
    let bytes = files::read_bounded(path, most as u64).map_err(|error| chain(&error))?;
    let bytes = Zeroizing::new(bytes.ok_or_else(|| "it is not there".to_owned())?);
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not text".to_owned())?;
    parse(text).map_err(|error| error.to_string())
}

/// Name of the file that keeps this text for an exit. Another text has another name, so that a change of the file is one
/// of `cell.toml`, which can be planned, confirmed and taken back.
pub(crate) fn name_for(exit: &ExitName, text: &str) -> String {
    named(exit, &Sha256::digest(text), WIREGUARD)
}

/// The same for an OpenVPN file. It may have a password that somebody could guess and compare with the name: so the name
/// depends on a secret of the cell, too.
pub(crate) fn name_for_openvpn(exit: &ExitName, text: &str, seed: &PresharedSeed) -> String {
    let keyed =
        Sha256::new().chain_update(b"pic file of an exit v1\0").chain_update(seed.expose_base64().as_bytes());
    named(exit, &keyed.chain_update(text).finalize(), OPENVPN)
}

/// The same for user and password. A digest of these would tell whoever sees the name whether a guess is right.
pub(crate) fn credentials_for(exit: &ExitName) -> Result<String, getrandom::Error> {
    let mut tag = [0; 4];
    getrandom::fill(&mut tag)?;
    Ok(named(exit, &tag, CREDENTIALS))
}

fn named(exit: &ExitName, tag: &[u8], ending: &str) -> String {
    let tag: String = tag.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let name: String = exit.as_str().chars().take(63).collect();
    format!("{name}-{tag}{ending}")
}

/// Keeps a file there, durably.
pub(crate) fn keep(folder: &Path, name: &str, text: &str) -> Result<(), files::Error> {
    files::create_dir_durable(folder, 0o700)?;
    files::write_atomic(&folder.join(name), text.as_bytes(), 0o600)
}
