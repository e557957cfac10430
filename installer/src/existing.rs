//! Whether a cell is there already.

use std::path::Path;

use anyhow::{Context as _, Result};
use pic_drivers::files::read_bounded;
use pic_model::{Desired, Problems};

/// The desired state on disk.
pub(crate) const CELL_TOML: &str = "/etc/pic/cell.toml";
/// The agent's state.
pub(crate) const STATE: &str = "/var/lib/pic";

/// What is there.
#[derive(Debug)]
pub(crate) enum Existing {
    /// Nothing: this is the first install.
    Nothing,
    /// The ledger of a cell whose file is lost. The agent writes the file again.
    Ledger,
    /// A cell.
    Cell(Box<Desired>),
    /// A file that cannot be read as one.
    Broken(Problems),
}

impl Existing {
    /// Looks.
    pub(crate) fn read() -> Result<Self> {
        let limit = pic_model::config::MAX_BYTES as u64;
        let bytes = read_bounded(Path::new(CELL_TOML), limit).context("look for a cell")?.unwrap_or_default();
        // What a power cut leaves of a file counts as none.
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(if has_ledger(Path::new(STATE)) { Self::Ledger } else { Self::Nothing });
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(match pic_model::config::parse(&text) {
            Ok(desired) => Self::Cell(Box::new(desired)),
            Err(problems) => Self::Broken(problems),
        })
    }
}

/// Whether a folder holds accepted states of a cell.
pub(crate) fn has_ledger(state: &Path) -> bool {
    std::fs::read_dir(state.join("ledger"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.path().extension().is_some_and(|extension| extension == "toml"))
}
