//! Inputs on disk, one file each, under `tests/corpus/<target>/`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// The folder of all corpora.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// A target's inputs with their names, in the order of these.
pub fn load(target: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = folder().join(target);
    let mut inputs = Vec::new();
    for entry in
        std::fs::read_dir(&folder).with_context(|| format!("there is no corpus {}", folder.display()))?
    {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        inputs.push((name, std::fs::read(&path).with_context(|| format!("read {}", path.display()))?));
    }
    inputs.sort();
    Ok(inputs)
}

/// Keeps an input that fails; where.
pub fn keep(target: &str, input: &[u8]) -> Result<PathBuf> {
    let hash: String = Sha256::digest(input).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let path = folder().join(target).join(format!("crash-{hash}"));
    pic_drivers::files::write_atomic(&path, input, 0o644)?;
    Ok(path)
}
