//! A Debian package as a file, for a guest that has no way to the mirror.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::apt::{self, Mirror};
use super::{Release, cached, nice, step};
use crate::files;

/// The newest version that a release has of a package; fetched on first use. Its dependencies are not looked at.
pub fn package(release: Release, name: &str) -> Result<PathBuf> {
    let place = cached(&format!("package-{}-{name}", release.name()), |draft| {
        let sources = draft.join("lab.sources");
        files::write(&sources, Mirror::of_this_machine()?.sources(release))?;
        for dir in ["lists/partial", "cache/archives/partial", "parts"] {
            let dir = draft.join(dir);
            std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        }
        let settings = [
            ("Dir::Etc::SourceList", "lab.sources"),
            ("Dir::Etc::SourceParts", "parts"),
            ("Dir::State::Lists", "lists"),
            ("Dir::Cache", "cache"),
        ];
        let mut options: Vec<String> =
            settings.iter().map(|(key, path)| format!("{key}={}", draft.join(path).display())).collect();
        options.extend(["APT::Sandbox::User=root".to_owned(), "Acquire::Languages=none".to_owned()]);
        options.extend(
            apt::options()?
                .iter()
                .map(|line| line.trim_end_matches(';').replacen(' ', "=", 1).replace('"', "")),
        );
        for words in [&["update"][..], &["download", name]] {
            let mut command = nice("apt-get");
            command.current_dir(draft).arg("-q");
            for option in &options {
                command.args(["-o", option]);
            }
            step(command.args(words))?;
        }
        for dir in ["lists", "cache", "parts"] {
            std::fs::remove_dir_all(draft.join(dir)).with_context(|| format!("tidy {}", draft.display()))?;
        }
        Ok(())
    })?;
    let mut entries =
        std::fs::read_dir(&place).with_context(|| format!("list {}", place.display()))?.flatten();
    entries
        .find_map(|entry| Some(entry.path()).filter(|path| path.extension().is_some_and(|end| end == "deb")))
        .with_context(|| format!("no package in {}", place.display()))
}
