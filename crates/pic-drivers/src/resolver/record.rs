//! What we changed and how it was, on disk.

use std::path::Path;

use pic_model::snapshot::resolver::ResolverRecord;
use serde::de::DeserializeOwned;

use super::{Error, Places};
use crate::files;

const NAME: &str = "original.json";
/// A resolv.conf twice, and some.
const MAX: u64 = 1 << 20;

pub(super) fn load(places: &Places) -> Result<Option<ResolverRecord>, Error> {
    read(&places.state.join(NAME))
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let Some(bytes) = files::read_bounded(path, MAX)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| Error::Damaged { path: path.to_owned(), source })
}

pub(super) fn keep(places: &Places, record: &ResolverRecord) -> Result<(), Error> {
    files::create_dir_durable(&places.state, 0o755)?;
    // Plain data always serialises; an empty file would be refused when it is read.
    let content = serde_json::to_vec_pretty(record).unwrap_or_default();
    Ok(files::write_atomic(&places.state.join(NAME), &content, 0o600)?)
}

pub(super) fn forget(places: &Places) -> Result<(), Error> {
    Ok(files::remove_durable(&places.state.join(NAME))?)
}
