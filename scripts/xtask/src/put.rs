//! Where the chores print and write.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::Context;

/// A line to stdout.
pub(crate) fn out(line: &str) {
    // Nobody reads it: nothing is lost.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line to stderr.
pub(crate) fn err(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes one generated file. Build products need no atomicity: a broken run is run again.
pub(crate) fn file(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder)
        .and_then(|()| File::create(&path))
        .and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}
