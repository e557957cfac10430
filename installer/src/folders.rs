//! `--data-dir` and `--backups-dir`: a folder elsewhere is mounted where the cell keeps its state.
//!
//! The mount is a systemd unit that lies in `/etc/pic` and is linked from there: removing the package takes the link
//! (`debian/pic.postrm`) and a new install puts it back (`debian/pic.postinst`), so that a cell never starts on an empty
//! folder and makes itself a new identity. For the same reason the unit insists on a mark inside the folder: where its
//! disk is missing the mount fails, and with it the agent.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::statfs::{self, FsType, statfs};
use pic_drivers::files::{create_dir_durable, remove_durable, write_atomic};

use crate::existing::{STATE, has_ledger};

/// Says that a folder is the cell's.
const MARK: &str = ".pic-folder";
/// What a folder for the state may hold before: a former cell's state, and what every file system has.
const KNOWN: [&str; 7] = ["ledger", "secrets", "dns", "originals.json", "backups", MARK, "lost+found"];
/// File systems over the network (linux/magic.h), where a rename is not what it must be or root is nobody.
const REMOTE: [FsType; 5] = [
    statfs::NFS_SUPER_MAGIC,
    FsType(0xff53_4d42),
    FsType(0xfe53_4d42),
    FsType(0x0102_1997),
    FsType(0x00c3_6400),
];
/// File systems without owners, or without a tomorrow.
const UNFIT: [FsType; 2] = [statfs::MSDOS_SUPER_MAGIC, statfs::TMPFS_MAGIC];

/// Which folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Backups,
}

impl Kind {
    fn option(self) -> &'static str {
        match self {
            Self::Data => "--data-dir",
            Self::Backups => "--backups-dir",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::Data => STATE,
            Self::Backups => "/var/lib/pic/backups",
        }
    }

    /// systemd wants a mount unit named after its place.
    fn unit(self) -> &'static str {
        match self {
            Self::Data => "var-lib-pic.mount",
            Self::Backups => "var-lib-pic-backups.mount",
        }
    }

    fn unit_file(self) -> PathBuf {
        Path::new("/etc/pic").join(self.unit())
    }

    fn mode(self) -> u32 {
        match self {
            Self::Data => 0o755,
            Self::Backups => 0o700,
        }
    }
}

/// A folder that was asked for and may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    kind: Kind,
    path: PathBuf,
    /// It was the cell's before, as it is after the package was removed.
    reused: bool,
}

impl Folder {
    /// What will be done, for a person.
    pub(crate) fn words(&self) -> String {
        format!("mount {} at {} ({})", self.path.display(), self.kind.target(), self.kind.unit())
    }
}

/// Whether a folder may be used; with nothing touched. `None`: it is in use already.
pub(crate) fn judge(kind: Kind, path: &Path, cell_exists: bool) -> Result<Option<Folder>> {
    let option = kind.option();
    let shown = path.display();
    let clean = path
        .to_str()
        .is_some_and(|text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b)));
    ensure!(
        path.is_absolute() && clean,
        "{option}: write \"{shown}\" as a full path of letters, digits, '.', '_' and '-'"
    );
    ensure!(
        !path.components().any(|part| part == Component::ParentDir),
        "{option}: {shown} must not go up by \"..\""
    );
    let real = real(kind, path)?;
    if let Some(present) = present(kind)? {
        ensure!(
            present == real,
            "{option}: the cell has {} since its install, and that is fixed",
            present.display()
        );
        return Ok(None);
    }
    ensure!(
        !cell_exists || kind == Kind::Backups,
        "{option}: this cell keeps its state in {STATE}, and that is fixed since its install"
    );
    let state = Path::new(STATE);
    ensure!(
        !real.starts_with(state) && !state.starts_with(&real),
        "{option}: {} and {STATE} lie within each other",
        real.display()
    );
    if real.exists() {
        fit(kind, &real)?;
    }
    let reused = real.join(MARK).exists();
    Ok(Some(Folder { kind, path: real, reused }))
}

/// The folder without symbolic links. One for backups may be made in a folder that exists.
fn real(kind: Kind, path: &Path) -> Result<PathBuf> {
    match path.canonicalize() {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound && kind == Kind::Backups => {
            let parent = path.parent().context("--backups-dir: / is no folder for backups")?;
            let parent =
                parent.canonicalize().with_context(|| format!("--backups-dir: {}", parent.display()))?;
            Ok(parent.join(path.file_name().context("--backups-dir: the path ends in no name")?))
        }
        Err(error) => Err(error).with_context(|| format!("{}: {}", kind.option(), path.display())),
    }
}

/// What the unit that exists mounts.
fn present(kind: Kind) -> Result<Option<PathBuf>> {
    match fs::read_to_string(kind.unit_file()) {
        Ok(text) => Ok(text.lines().find_map(|line| line.strip_prefix("What=")).map(PathBuf::from)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", kind.unit_file().display())),
    }
}

fn fit(kind: Kind, real: &Path) -> Result<()> {
    let option = kind.option();
    let shown = real.display();
    let meta = fs::metadata(real).with_context(|| format!("{option}: {shown}"))?;
    ensure!(meta.is_dir(), "{option}: {shown} is not a folder");
    ensure!(
        meta.uid() == 0 && meta.mode() & 0o022 == 0,
        "{option}: {shown} must be root's and writable by nobody else: chown root: {shown}; chmod go-w {shown}"
    );
    let system = statfs(real).with_context(|| format!("{option}: {shown}"))?.filesystem_type();
    ensure!(
        !REMOTE.contains(&system),
        "{option}: {shown} is on another machine's disk; it must be on a local file system"
    );
    ensure!(
        !UNFIT.contains(&system),
        "{option}: {shown} is on a file system that keeps no owners, or nothing at all after a reboot"
    );
    if kind == Kind::Data {
        let foreign = fs::read_dir(real)
            .with_context(|| format!("{option}: {shown}"))?
            .flatten()
            .find(|entry| !entry.file_name().to_str().is_some_and(|name| KNOWN.contains(&name)));
        if let Some(foreign) = foreign {
            bail!("{option}: {shown} holds {} already; give an empty folder", foreign.file_name().display());
        }
        ensure!(
            !(has_ledger(real) && has_ledger(Path::new(STATE))),
            "{option}: {shown} and {STATE} both hold a cell's state; move one of them away"
        );
    }
    Ok(())
}

/// Puts a folder in its place.
pub(crate) fn place(folder: &Folder) -> Result<()> {
    let Folder { kind, path, reused } = folder;
    create_dir_durable(path, kind.mode())?;
    create_dir_durable(Path::new(kind.target()), kind.mode())?;
    if *kind == Kind::Data && !reused {
        copy(Path::new(STATE), path)?;
    }
    write_atomic(&path.join(MARK), b"The state of this host's cell, or its backups. See /etc/pic.\n", 0o644)?;
    if *kind == Kind::Data {
        clear(Path::new(STATE))?;
    }
    create_dir_durable(Path::new("/etc/pic"), 0o755)?;
    write_atomic(&kind.unit_file(), unit_text(folder).as_bytes(), 0o644)?;
    let unit = kind.unit_file();
    run("systemctl", &["enable", "--now", &unit.to_string_lossy()])?;
    if *kind == Kind::Data {
        run("systemd-tmpfiles", &["--create", "pic.conf"])?;
    }
    Ok(())
}

/// Takes a folder out of its place again. State that was moved into it moves back.
pub(crate) fn remove(folder: &Folder) -> Result<()> {
    run("systemctl", &["disable", "--now", folder.kind.unit()])?;
    remove_durable(&folder.kind.unit_file())?;
    if !folder.reused {
        remove_durable(&folder.path.join(MARK))?;
        if folder.kind == Kind::Data {
            copy(&folder.path, Path::new(STATE))?;
            clear(&folder.path)?;
        }
    }
    run("systemctl", &["daemon-reload"])
}

fn unit_text(folder: &Folder) -> String {
    let (path, target) = (folder.path.display(), folder.kind.target());
    format!(
        "# Written by pic-installer for {}. Removing the package pic takes it out again.\n\
         [Unit]\nDescription=PIC: {path} at {target}\nDocumentation=file:///usr/share/doc/pic/README.Debian\n\
         RequiresMountsFor={path}\n# Fails where the disk of that folder is not there.\nAssertPathExists={path}/{MARK}\n\n\
         [Mount]\nWhat={path}\nWhere={target}\nType=none\nOptions=bind\n\n\
         [Install]\nWantedBy=local-fs.target\n",
        folder.kind.option()
    )
}

/// Copies what is there already, down to the disk; only then may it be deleted where it was.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let to = to.to_string_lossy();
    run("cp", &["-a", "--", &format!("{}/.", from.display()), &to])?;
    run("sync", &["-f", &to])
}

fn clear(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?.flatten() {
        let path = entry.path();
        if entry.file_name() == "lost+found" {
            continue;
        }
        let removed = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}

fn run(program: &str, words: &[&str]) -> Result<()> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("start {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "`{program} {}` failed: {}", words.join(" "), said.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: Kind, path: &str) -> String {
        judge(kind, Path::new(path), false)
            .map_or_else(|error| format!("{error:#}"), |folder| format!("{folder:?}"))
    }

    #[test]
    fn places_that_cannot_be() {
        assert!(refused(Kind::Data, "srv").contains("full path"));
        assert!(refused(Kind::Data, "/srv/a b").contains("full path"));
        assert!(refused(Kind::Data, "/srv/%i").contains("full path"));
        assert!(refused(Kind::Data, "/srv/../srv").contains(".."));
        assert!(refused(Kind::Data, "/no/such/folder").contains("No such file"));
        assert!(refused(Kind::Data, "/var").contains("within each other"));
        assert!(refused(Kind::Data, "/").contains("within each other"));
        assert!(refused(Kind::Backups, "/var/lib/pic/deep").contains("--backups-dir"));
        assert!(judge(Kind::Data, Path::new("/srv"), true).is_err());
    }

    #[test]
    fn the_unit_is_bound_to_its_folder() {
        let text = unit_text(&Folder { kind: Kind::Data, path: "/srv/cell".into(), reused: false });
        for line in
            ["What=/srv/cell", "Where=/var/lib/pic", "AssertPathExists=/srv/cell/.pic-folder", "Options=bind"]
        {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
}
