//! What an exit's program is configured from: the agent's snapshot and the owner's template, as they were last read.

use std::io;
use std::path::Path;

use pic_service::file;
use pic_service::program::Paths;

/// Bytes of a template.
const MAX_TEMPLATE: u64 = 64 << 10;

/// Both as they were last taken in.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    snapshot: Option<Vec<u8>>,
    template: Option<Vec<u8>>,
    /// The template at the last look.
    glimpse: Option<Option<Vec<u8>>>,
}

/// What a look at the files has found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// What was there before, or nothing certain yet.
    Same,
    /// Something else.
    Other,
    /// A template that nobody here can read: in words for the owner. The packaged one must not stand in for it, as it might do
    /// what the owner's does not.
    Unreadable(String),
}

impl Inputs {
    /// Looks at the files as the user `user`. A snapshot of more than `max` bytes, or one that cannot be read now, is as it was.
    pub(crate) fn look(&mut self, paths: &Paths, max: u64, user: &str) -> Found {
        let snapshot = file::read(&paths.snapshot, max).unwrap_or_else(|error| {
            tracing::debug!(path = %paths.snapshot.display(), %error, "cannot read");
            self.snapshot.clone()
        });
        let template = match file::read(&paths.template, MAX_TEMPLATE) {
            Ok(template) => template,
            Err(error) => return Found::Unreadable(unreadable(&paths.template, user, &error)),
        };
        // Twice the same, or an editor that takes the file away for a moment would give the packaged one.
        let last = self.glimpse.replace(template.clone());
        if last.is_some_and(|last| last != template) {
            return Found::Same;
        }
        if (&snapshot, &template) == (&self.snapshot, &self.template) {
            return Found::Same;
        }
        (self.snapshot, self.template) = (snapshot, template);
        Found::Other
    }

    /// The snapshot, if an exit is wanted.
    pub(crate) fn snapshot(&self) -> Option<&[u8]> {
        self.snapshot.as_deref()
    }

    /// The template: the owner's, or where there is none the `packaged` one.
    ///
    /// # Errors
    /// The owner's is no text.
    pub(crate) fn template<'a>(&'a self, packaged: &'a str) -> Result<&'a str, String> {
        match &self.template {
            Some(bytes) => std::str::from_utf8(bytes).map_err(|_| "this is not a text in UTF-8".to_owned()),
            None => Ok(packaged),
        }
    }

    /// What is wrong with the template, with its path where it is the owner's.
    pub(crate) fn of_owner(&self, paths: &Paths, words: &str) -> String {
        match self.template {
            Some(_) => format!("{}: {words}", paths.template.display()),
            None => words.to_owned(),
        }
    }

    /// Whether the template is the owner's.
    pub(crate) fn is_of_owner(&self) -> bool {
        self.template.is_some()
    }
}

fn unreadable(template: &Path, user: &str, error: &io::Error) -> String {
    let path = template.display();
    format!(
        "{path}: {error}; the exit stands still until {user} can read it: chgrp {user} {path}; chmod 640 {path}"
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pic_service::file::Lasts;

    use super::*;

    fn put(path: &Path, text: &str) {
        file::replace(path, text.as_bytes(), Lasts::UntilReboot).unwrap();
    }

    fn paths(folder: &Path) -> Paths {
        let at = |name: &str| folder.join(name);
        Paths {
            snapshot: at("snapshot"),
            template: at("template"),
            status: at("status"),
            run: at("run"),
            state: at("state"),
            root: at("root"),
        }
    }

    #[test]
    fn another_template_counts_when_it_was_seen_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (paths, mut inputs) = (paths(folder.path()), Inputs::default());
        assert_eq!(inputs.look(&paths, 100, "u"), Found::Same);
        put(&paths.snapshot, "one");
        assert_eq!(inputs.look(&paths, 100, "u"), Found::Other);
        assert_eq!(inputs.look(&paths, 100, "u"), Found::Same);
        put(&paths.template, "owner's");
        assert_eq!(inputs.look(&paths, 100, "u"), Found::Same);
        assert_eq!(inputs.look(&paths, 100, "u"), Found::Other);
        assert_eq!((inputs.snapshot(), inputs.template("ours")), (Some(&b"one"[..]), Ok("owner's")));
        assert!(inputs.of_owner(&paths, "wrong").ends_with("template: wrong"));
        fs::remove_file(&paths.template).unwrap();
        assert_eq!(inputs.look(&paths, 100, "u"), Found::Same, "an editor may be about to put it back");
    }

    #[test]
    fn what_cannot_be_read_is_told_and_takes_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let (paths, mut inputs) = (paths(folder.path()), Inputs::default());
        put(&paths.snapshot, "one");
        assert_eq!(inputs.look(&paths, 100, "u"), Found::Other);
        put(&paths.snapshot, "far too long");
        assert_eq!(inputs.look(&paths, 5, "u"), Found::Same);
        assert_eq!(inputs.snapshot(), Some(&b"one"[..]));
        fs::create_dir(&paths.template).unwrap();
        let Found::Unreadable(words) = inputs.look(&paths, 100, "pic-tor") else { panic!("it was read") };
        assert!(words.contains("until pic-tor can read it"), "{words}");
    }
}
