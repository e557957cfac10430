//! Leases on disk: a log of records, each batch of them with a checksum and one `fdatasync`.
//!
//! Many acknowledgements share one flush, so that durability costs little under load (measured against SQLite with WAL
//! and `synchronous=FULL` on the same disk: a fifth to a tenth of the processor time per lease). A batch is there whole
//! or not at all: what a power cut tears off is cut off at the next start, and a batch that a bad disk has damaged is left
//! out alone. The log is written anew when most of it has been overtaken. Tested by cutting and damaging it at every byte.

mod contents;
mod record;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::lease::Lease;
pub use contents::{Contents, contents};
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
}

impl Store {
    /// Opens or makes the log in a folder; gives what is in it. What was torn off its end is cut off; damage before that
    /// stays until the log is written anew.
    pub fn open(folder: &Path) -> Result<(Self, Contents), StoreError> {
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
        let found = match contents(&bytes) {
            Some(found) => found,
            // Made, and the power went before the first byte was there.
            None if MAGIC.starts_with(&bytes) => Contents::default(),
            None => return Err(StoreError::Foreign { path }),
        };
        if found.end < bytes.len() {
            let lost = bytes.len() - found.end;
            tracing::warn!(path = %path.display(), lost, "the end of the log was torn off and is left out");
        }
        if found.damaged > 0 {
            let path = path.display();
            tracing::error!(%path, bytes = found.damaged, "part of the log is damaged and is left out: look after the disk");
        }
        let mut length = u64::try_from(found.end).unwrap_or(MAX);
        file.set_len(length).map_err(fail("cut"))?;
        file.seek(SeekFrom::End(0)).map_err(fail("read"))?;
        if length == 0 {
            file.write_all(MAGIC).map_err(fail("write"))?;
            length = MAGIC.len() as u64;
        }
        file.sync_all().map_err(fail("flush"))?;
        sync(folder).map_err(fail("flush the folder of"))?;
        Ok((Self { folder: folder.to_owned(), path, file, length }, found))
    }

    /// Puts a batch of records on the disk. When this fails nothing of it is there.
    pub fn append(&mut self, batch: &[u8]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        match append(&mut self.file, batch) {
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

    /// Bytes of the log.
    pub fn length(&self) -> u64 {
        self.length
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

/// Whether most of a log of this many bytes has been overtaken by later records, given how many leases there are.
pub fn is_stale(length: u64, leases: usize) -> bool {
    let live = u64::try_from(leases).unwrap_or(u64::MAX).saturating_mul(100);
    length > SMALL.max(live.saturating_mul(4))
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
    if !batch.is_empty() {
        length += frame(&mut file, &batch)?;
    }
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

#[cfg(test)]
mod tests;
