//! A folder of records that outlive a restart of the agent: each is there whole or not at all, and there are never more,
//! larger or older ones than is said.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pic_drivers::files;
use pic_model::chain;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// How much a shelf holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long a record counts. By the wall clock, as it outlives the machine's run: one that is set back makes nothing
    /// older, one that is set forward may end a record early.
    pub(crate) life: Duration,
    pub(crate) count: usize,
    /// Of all records together.
    pub(crate) bytes: u64,
}

/// The folder; there is none before the first record.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    limits: Limits,
}

impl Shelf {
    pub(crate) fn new(folder: PathBuf, limits: Limits) -> Self {
        Self { folder, limits }
    }

    /// Puts a record there, on disk when this returns, in place of one of the same name. The oldest make room.
    pub(crate) fn put(&self, name: &str, record: &impl Serialize) -> Result<(), files::Error> {
        // Plain data with string keys always serialises.
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        files::create_dir_durable(&self.folder, 0o700)?;
        files::write_atomic(&self.path(name), &bytes, 0o600)?;
        self.tidy();
        Ok(())
    }

    /// The record, if there is one that still counts. One that cannot be read does not.
    pub(crate) fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.path(name);
        if age(&path)? >= self.limits.life {
            self.remove(name);
            return None;
        }
        let bytes = files::read_bounded(&path, self.limits.bytes);
        let bytes = bytes.map_err(|error| tracing::warn!("{}", chain(&error))).ok().flatten()?;
        let read = serde_json::from_slice(&bytes);
        read.map_err(|error| tracing::warn!("{} does not count: {error}", path.display())).ok()
    }

    /// Takes a record away.
    pub(crate) fn remove(&self, name: &str) {
        if let Err(error) = files::remove_durable(&self.path(name)) {
            tracing::warn!("{}", chain(&error));
        }
    }

    /// A name comes from a caller: only its digest becomes that of a file.
    fn path(&self, name: &str) -> PathBuf {
        let digest = Sha256::digest(name);
        self.folder.join(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// Removes what is too old, and the oldest of what is too much. The newest stays whatever its size.
    fn tidy(&self) {
        let mut records = list(&self.folder)
            .map_err(|error| tracing::warn!("{}: {error}", self.folder.display()))
            .unwrap_or_default();
        // Of what a clock that was set back makes come from the future nobody knows the age: it goes before what is known.
        let now = SystemTime::now();
        records.sort_by_key(|(written, ..)| (*written > now, std::cmp::Reverse(*written)));
        let mut bytes = 0_u64;
        for (at, (written, size, path)) in records.iter().enumerate() {
            bytes = bytes.saturating_add(*size);
            let is_much = at >= self.limits.count || (at > 0 && bytes > self.limits.bytes);
            if (is_much || since(*written) >= self.limits.life)
                && let Err(error) = fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!("{}: {error}", path.display());
            }
        }
    }
}

/// All records: when each was written, its size, its path. What a write under way, or a killed one, has there is none.
fn list(folder: &Path) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
    let mut records = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match entry.metadata() {
            Ok(meta) => records.push((meta.modified()?, meta.len(), entry.path())),
            // Another call has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).and_then(|meta| meta.modified()).map(since).ok()
}

/// Nothing is written in the future: a clock was set back.
fn since(written: SystemTime) -> Duration {
    written.elapsed().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn shelf(folder: &Path, count: usize, bytes: u64) -> Shelf {
        Shelf::new(folder.join("shelf"), Limits { life: Duration::from_secs(60), count, bytes })
    }

    fn backdate(shelf: &Shelf, name: &str, seconds: u64) {
        let file = File::options().write(true).open(shelf.path(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    fn count(shelf: &Shelf) -> usize {
        fs::read_dir(&shelf.folder).unwrap().count()
    }

    #[test]
    fn records_outlive_their_shelf_and_not_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = shelf(folder.path(), 10, 1000);
        assert_eq!(first.get::<u32>("a"), None, "nor is there a folder");
        first.put("a", &1).unwrap();
        first.put("../../a", &2).unwrap();
        let second = shelf(folder.path(), 10, 1000);
        assert_eq!((second.get("a"), second.get("../../a")), (Some(1), Some(2)));
        assert_eq!(count(&second), 2, "a name leads nowhere else");
        backdate(&second, "a", 61);
        assert_eq!(second.get::<u32>("a"), None);
        assert_eq!(count(&second), 1, "it is gone");
        let file = File::options().write(true).open(second.path("../../a")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(1 << 30)).unwrap();
        assert_eq!(second.get("../../a"), Some(2), "a clock that was set back ends nothing");
        second.remove("../../a");
        second.remove("never there");
        assert_eq!(count(&second), 0);
    }

    #[test]
    fn the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path(), 3, 1000);
        for (seconds, name) in [(30, "a"), (20, "b"), (10, "c")] {
            shelf.put(name, &name).unwrap();
            backdate(&shelf, name, seconds);
        }
        shelf.put("d", &"d").unwrap();
        assert_eq!((shelf.get::<String>("a"), count(&shelf)), (None, 3));
        shelf.put("large", &"x".repeat(2000)).unwrap();
        assert_eq!(count(&shelf), 1, "it takes all room there is");
        assert_eq!(shelf.get::<String>("large"), None, "and more than anybody reads");
    }

    #[test]
    fn what_is_damaged_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path(), 3, 1000);
        shelf.put("a", &[1, 2]).unwrap();
        files::write_atomic(&shelf.path("a"), b"[1,", 0o600).unwrap();
        assert_eq!(shelf.get::<Vec<u32>>("a"), None);
        shelf.put("a", &[3]).unwrap();
        assert_eq!(shelf.get("a"), Some(vec![3]));
    }
}
