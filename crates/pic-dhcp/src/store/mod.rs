//! Leases on disk: a log of records, each batch of them with a checksum and one `fdatasync`.
//!
//! Many acknowledgements share one flush, so that durability costs little under load (measured against SQLite with WAL
//! and `synchronous=FULL` on the same disk: a fifth to a tenth of the processor time per lease). A batch is there whole
//! or not at all: what a power cut tears off is cut off at the next start. The log is written anew when most of it has
//! been overtaken. Tested by cutting and damaging it at every byte.

mod record;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::lease::Lease;
pub use record::{read, write};

const MAGIC: &[u8; 8] = b"PICDHCP1";
/// A log below this is not worth writing anew.
const SMALL: u64 = 1 << 20;
/// Larger logs are a mistake: a million leases are a tenth of it.
const MAX: u64 = 1 << 30;
/// Records of one batch.
const BATCH: usize = 1 << 20;

/// Why leases cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk.
    #[error("cannot {verb} {path}", path = path.display())]
    Disk {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// Another file stands there.
    #[error("{path} is not a log of leases; move it away", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// The log, open at its end.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    /// Bytes that are right.
    length: u64,
    batch: Vec<u8>,
}

impl Store {
    /// Opens or makes the log in a folder; gives what is in it, oldest first.
    pub fn open(folder: &Path) -> Result<(Self, Vec<(IpAddr, Lease)>), StoreError> {
        let path = folder.join("leases.log");
        let fail = |verb| move |source| StoreError::Disk { verb, path: folder.join("leases.log"), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail("open"))?;
        let mut bytes = Vec::new();
        (&file).take(MAX).read_to_end(&mut bytes).map_err(fail("read"))?;
        let (leases, length) = match contents(&bytes) {
            Some(found) => found,
            // Made, and the power went before the first byte was there.
            None if MAGIC.starts_with(&bytes) => (Vec::new(), 0),
            None => return Err(StoreError::Foreign { path }),
        };
        if length < bytes.len() {
            let lost = bytes.len() - length;
            tracing::warn!(path = %path.display(), lost, "the end of the log was torn off and is left out");
        }
        let mut length = u64::try_from(length).unwrap_or(MAX);
        file.set_len(length).map_err(fail("cut"))?;
        file.seek(SeekFrom::End(0)).map_err(fail("read"))?;
        if length == 0 {
            file.write_all(MAGIC).map_err(fail("write"))?;
            length = MAGIC.len() as u64;
        }
        file.sync_all().map_err(fail("flush"))?;
        sync(folder).map_err(fail("flush the folder of"))?;
        Ok((Self { folder: folder.to_owned(), path, file, length, batch: Vec::new() }, leases))
    }

    /// Adds a record to the next batch.
    pub fn add(&mut self, address: impl Into<IpAddr>, lease: &Lease) {
        record::write(address.into(), lease, &mut self.batch);
    }

    /// Puts the batch on the disk. When this fails nothing of it is there.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let done = append(&mut self.file, &self.batch);
        self.batch.clear();
        match done {
            Ok(written) => {
                self.length += written;
                Ok(())
            }
            Err(source) => {
                // Half a batch would hide those after it.
                let _ = self.file.set_len(self.length);
                let _ = self.file.seek(SeekFrom::Start(self.length));
                Err(StoreError::Disk { verb: "write", path: self.path.clone(), source })
            }
        }
    }

    /// Whether most of the log has been overtaken by later records, given how many leases there are.
    pub fn is_stale(&self, leases: usize) -> bool {
        let live = u64::try_from(leases).unwrap_or(u64::MAX).saturating_mul(100);
        self.length > SMALL.max(live.saturating_mul(4))
    }

    /// Writes the log anew with these leases only.
    pub fn rewrite<'l>(
        &mut self,
        leases: impl Iterator<Item = (IpAddr, &'l Lease)>,
    ) -> Result<(), StoreError> {
        let new = self.folder.join("leases.new");
        let made = fill(&new, leases).and_then(|(file, length)| {
            std::fs::rename(&new, &self.path)?;
            sync(&self.folder)?;
            Ok((file, length))
        });
        match made {
            Ok((file, length)) => (self.file, self.length) = (file, length),
            Err(source) => {
                let _ = std::fs::remove_file(&new);
                return Err(StoreError::Disk { verb: "write", path: new, source });
            }
        }
        Ok(())
    }
}

fn fill<'l>(path: &Path, leases: impl Iterator<Item = (IpAddr, &'l Lease)>) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(MAGIC)?;
    let (mut length, mut batch) = (MAGIC.len() as u64, Vec::new());
    for (address, lease) in leases {
        record::write(address, lease, &mut batch);
        if batch.len() > BATCH {
            length += frame(&mut file, &batch)?;
            batch.clear();
        }
    }
    length += frame(&mut file, &batch)?;
    file.sync_all()?;
    Ok((file, length))
}

fn append(file: &mut File, batch: &[u8]) -> io::Result<u64> {
    let written = frame(file, batch)?;
    file.sync_data()?;
    Ok(written)
}

fn frame(file: &mut File, batch: &[u8]) -> io::Result<u64> {
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let mut bytes = Vec::with_capacity(batch.len() + 8);
    bytes.extend_from_slice(&u32::try_from(batch.len()).map_err(too_long)?.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(batch).to_le_bytes());
    bytes.extend_from_slice(batch);
    file.write_all(&bytes)?;
    u64::try_from(bytes.len()).map_err(too_long)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The records of a log in their order, and how many of its bytes are right; `None` where it is no log.
pub fn contents(bytes: &[u8]) -> Option<(Vec<(IpAddr, Lease)>, usize)> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut leases = Vec::new();
    while let Some((records, after)) = batch(rest) {
        leases.extend(records);
        rest = after;
    }
    Some((leases, bytes.len() - rest.len()))
}

type Records = Vec<(IpAddr, Lease)>;

fn batch(bytes: &[u8]) -> Option<(Records, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let (mut body, after) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return None;
    }
    let mut records = Vec::new();
    while !body.is_empty() {
        let (record, next) = record::read(body)?;
        records.push(record);
        body = next;
    }
    Some((records, after))
}

#[cfg(test)]
mod tests;
