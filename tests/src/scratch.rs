//! Scratch directories under the build folder, and where that folder is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{sweep, unique};

/// The build folder: `$PIC_BUILD`, or `build` in the workspace. Images are cached there.
pub fn build_dir() -> PathBuf {
    match std::env::var_os("PIC_BUILD") {
        Some(path) => PathBuf::from(path),
        None => workspace().join("build"),
    }
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where the scratch directories of running tests are.
pub(crate) fn run_dir() -> PathBuf {
    build_dir().join("run")
}

/// A directory that is removed with everything in it on drop, unless `PIC_KEEP` is set.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes an empty directory.
    pub fn new(label: &str) -> Result<Self> {
        sweep::once();
        let path = run_dir().join(unique::name(label));
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Self { path })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::env::var_os("PIC_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
