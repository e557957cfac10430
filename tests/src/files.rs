//! Writing test files: errors name the path.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Writes `content` to `path`, making the directories above it.
#[expect(clippy::disallowed_methods, reason = "scratch files of a test need no crash safety")]
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    fs::write(path, content).with_context(|| format!("write {}", path.display()))
}

/// Like [`write`], and sets the permission bits.
pub fn write_mode(path: &Path, content: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    write(path, content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("set the mode of {}", path.display()))
}

/// The whole file as text; bytes that are not UTF-8 are replaced.
pub fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last `lines` lines of a log, or why it cannot be read: used in error messages only.
pub fn tail(path: &Path, lines: usize) -> String {
    match read(path) {
        Ok(text) => {
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("({error:#})"),
    }
}
