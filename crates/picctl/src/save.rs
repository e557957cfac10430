//! Files that hold secrets: made with mode 0600 under another name, given their name when they are whole.
//!
//! The place is taken *before* the change that makes the secret: a private key is shown once, and finding out
//! afterwards that its file cannot be written would lose it.

use std::fs::Metadata;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::Failure;

/// A file that will be there, whole, or not at all.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    file: NamedTempFile,
    replace: bool,
    owner: Option<(u32, u32)>,
}

impl Place {
    /// Takes the place. Refuses one that is taken already, unless told to replace.
    pub(crate) fn take(path: &Path, replace: bool) -> Result<Self, Failure> {
        if !replace && path.symlink_metadata().is_ok() {
            return Err(Failure::Usage(format!(
                "{} exists; choose another name or add --force",
                path.display()
            )));
        }
        // Replacing a device or a folder by a file is nobody's wish; /dev/null would be gone for the whole host.
        if path.symlink_metadata().is_ok_and(|found| !found.is_file() && !found.is_symlink()) {
            return Err(Failure::Usage(format!(
                "{} is not a plain file; choose another name",
                path.display()
            )));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let found = folder.metadata().map_err(Failure::file("write to", folder))?;
        let of = |name| std::env::var(name).ok();
        let owner = caller(&found, of("SUDO_UID").as_deref(), of("SUDO_GID").as_deref());
        let file = NamedTempFile::new_in(folder).map_err(Failure::file("write to", folder))?;
        Ok(Self { path: path.to_owned(), file, replace, owner })
    }

    /// Fills it and gives it its name; durable when this returns.
    pub(crate) fn fill(mut self, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let failed = |source| Failure::File { verb: "write", path: self.path.clone(), source };
        self.file.write_all(bytes).map_err(failed)?;
        if let Some((user, group)) = self.owner {
            // Not allowed when sudo made us another than root; the file is then ours, as without this.
            let _ = fchown(self.file.as_file(), Some(user), Some(group));
        }
        self.file.as_file().sync_all().map_err(failed)?;
        let kept = if self.replace {
            self.file.persist(&self.path)
        } else {
            self.file.persist_noclobber(&self.path)
        };
        kept.map(|_| ()).map_err(|error| Failure::File {
            verb: "write",
            path: self.path.clone(),
            source: error.error,
        })?;
        Ok(self.path)
    }
}

/// Who called sudo, by its `SUDO_UID` and `SUDO_GID`, if the folder is theirs: a file of root's in a folder of theirs
/// would be one that they cannot read. User and group.
fn caller(folder: &Metadata, user: Option<&str>, group: Option<&str>) -> Option<(u32, u32)> {
    let user = user?.parse().ok().filter(|user| *user == folder.uid())?;
    Some((user, group?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_in_the_folder_of_who_called_sudo_is_theirs() {
        let folder = tempfile::tempdir().unwrap().path().metadata().unwrap();
        let (mine, other) = (folder.uid().to_string(), (folder.uid() + 1).to_string());
        assert_eq!(caller(&folder, Some(&mine), Some("7")), Some((folder.uid(), 7)));
        for (user, group) in [(Some(&other), Some("7")), (Some(&mine), None), (None, Some("7"))] {
            assert_eq!(caller(&folder, user.map(String::as_str), group), None);
        }
        assert_eq!(caller(&folder, Some("x"), Some("7")), None);
    }

    #[test]
    fn private_whole_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phone.conf");
        let place = Place::take(&path, false).unwrap();
        assert!(!path.exists());
        place.fill(b"secret").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"secret");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Place::take(&path, false).is_err());
        Place::take(&path, true).unwrap().fill(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        // Somebody else takes the name in between: theirs stays.
        let late = folder.path().join("tv.conf");
        let place = Place::take(&late, false).unwrap();
        std::fs::File::create(&late).unwrap();
        assert!(place.fill(b"secret").is_err());
        assert_eq!(std::fs::read(&late).unwrap(), b"");
        assert_eq!(folder.path().read_dir().unwrap().count(), 2);
        assert!(Place::take(&folder.path().join("no/such/x"), false).is_err());
    }
}
