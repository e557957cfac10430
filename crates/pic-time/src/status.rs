//! What the service says about itself, for `picctl time`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pic_model::snapshot::time::TimeStatus;

/// Writes the status. Readers see the old or the new text. Not flushed to disk: after a power cut it would be
/// meaningless anyway, and failing to is not worth more than a line in the log.
pub(crate) fn write(path: &Path, status: &TimeStatus) {
    if let Err(error) = replace(path, status) {
        tracing::debug!(path = %path.display(), %error, "cannot write the status");
    }
}

fn replace(path: &Path, status: &TimeStatus) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    // Whatever our umask: the agent is root without power over the files of others.
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    serde_json::to_writer(&mut file, status)?;
    file.write_all(b"\n")?;
    fs::rename(new, path)
}
