//! Durable files as the ledger needs them. The real one is `pic_drivers::files`; tests have one in memory.

use std::io;
use std::path::Path;

/// Files that outlive a power cut.
pub trait Disk: Send {
    /// The whole content, or `None` if there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// Replaces the file: afterwards, and after a power cut at any moment, it is the old or the new one; when this
    /// returns it is the new one.
    fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()>;
    /// Removes the file durably; a missing one is fine.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names in a folder; a missing folder is empty.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
}
