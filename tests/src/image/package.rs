//! Debian packages as files, for a guest that has no way to the mirror.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::apt::{self, Mirror};
use super::{Release, cached, container, nice, step};
use crate::files;

/// The newest version that a release has of a package; fetched on first use. Its dependencies are not looked at.
pub fn package(release: Release, name: &str) -> Result<PathBuf> {
    let place = cached(&format!("package-{}-{name}", release.name()), |draft| {
        fetch(release, draft, &["download", name])?;
        tidy(draft)
    })?;
    debs(&place)?.into_iter().next().with_context(|| format!("no package in {}", place.display()))
}

/// One or more, by names with blanks between, with all that they depend on and a container of that release does not have yet.
pub fn packages(release: Release, names: &str) -> Result<Vec<PathBuf>> {
    let known = container(release)?.join("var/lib/dpkg/status");
    let place = cached(&format!("packages-{}-{}", release.name(), names.replace(' ', "-")), |draft| {
        // A copy: apt puts its lock beside it.
        std::fs::copy(&known, draft.join("status")).with_context(|| format!("copy {}", known.display()))?;
        let status = format!("Dir::State::status={}", draft.join("status").display());
        let mut words =
            vec!["install", "--yes", "--download-only", "--no-install-recommends", "-o", status.as_str()];
        words.extend(names.split(' '));
        fetch(release, draft, &words)?;
        for path in debs(&draft.join("cache/archives"))? {
            let name = path.file_name().unwrap_or_default();
            std::fs::rename(&path, draft.join(name)).with_context(|| format!("move {}", path.display()))?;
        }
        tidy(draft)
    })?;
    debs(&place)
}

/// Runs apt-get with lists and a cache of its own in `draft`.
fn fetch(release: Release, draft: &Path, words: &[&str]) -> Result<()> {
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
        apt::options()?.iter().map(|line| line.trim_end_matches(';').replacen(' ', "=", 1).replace('"', "")),
    );
    for words in [&["update"][..], words] {
        let mut command = nice("apt-get");
        command.current_dir(draft).arg("-q");
        for option in &options {
            command.args(["-o", option]);
        }
        step(command.args(words))?;
    }
    Ok(())
}

fn tidy(draft: &Path) -> Result<()> {
    for dir in ["lists", "cache", "parts"] {
        std::fs::remove_dir_all(draft.join(dir)).with_context(|| format!("tidy {}", draft.display()))?;
    }
    Ok(())
}

fn debs(place: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(place).with_context(|| format!("list {}", place.display()))?.flatten();
    let is_deb = |path: &PathBuf| path.extension().is_some_and(|end| end == "deb");
    Ok(entries.map(|entry| entry.path()).filter(is_deb).collect())
}
