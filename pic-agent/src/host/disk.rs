//! The ledger's disk over the files driver.

use std::io;
use std::path::Path;

use pic_drivers::files;
use pic_engine::Disk;
use pic_model::chain;

/// A generation is a `cell.toml` and one line.
const MAX: u64 = pic_model::config::MAX_BYTES as u64 + (1 << 16);

/// Durable files; a missing folder is made when something is written into it.
#[derive(Debug, Clone, Copy)]
pub struct DurableDisk {
    /// Permission bits of folders that it makes.
    pub folder_mode: u32,
}

impl Disk for DurableDisk {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        files::read_bounded(path, MAX).map_err(plain)
    }

    fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            files::create_dir_durable(folder, self.folder_mode).map_err(plain)?;
        }
        files::write_atomic(path, content, mode).map_err(plain)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        files::remove_durable(path).map_err(plain)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        list(folder)
    }
}

/// For the guard: reads, and refuses to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadOnlyDisk;

impl Disk for ReadOnlyDisk {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        files::read_bounded(path, MAX).map_err(plain)
    }

    fn write(&self, _: &Path, _: &[u8], _: u32) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        list(folder)
    }
}

fn list(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    // A name that is no text is none of ours.
    entries.filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose()).collect()
}

/// The ledger names the file itself, so only the reason is kept.
fn plain(error: files::Error) -> io::Error {
    match error {
        files::Error::Step { verb, source, .. } => {
            io::Error::new(source.kind(), format!("cannot {verb}: {source}"))
        }
        other => io::Error::other(chain(&other)),
    }
}
