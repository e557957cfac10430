//! Debian root file systems and disk images, built once and cached under the build folder.
//!
//! An image lives in `images/<kind>-<release>-<hash of its recipe>/`: change the recipe and a new one is built.
//! Building happens beside the final place under a lock; a rename makes it visible, so an image is whole or
//! absent. Old ones are left for a person to delete.

mod apt;
mod container;
mod disk;
mod package;
mod recipe;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::scratch::build_dir;
use crate::{cmd, netns, stage, tools};

pub use container::container;
pub use disk::{DiskImage, disk};
pub use package::{package, packages};

const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// A release of Debian that PIC supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Debian 13
    Trixie,
    /// Debian 12
    Bookworm,
}

impl Release {
    /// All, newest first.
    pub const ALL: [Self; 2] = [Self::Trixie, Self::Bookworm];

    /// The codename.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trixie => "trixie",
            Self::Bookworm => "bookworm",
        }
    }

    /// `VERSION_ID` of its `/etc/os-release`.
    pub fn version(self) -> &'static str {
        match self {
            Self::Trixie => "13",
            Self::Bookworm => "12",
        }
    }
}

/// The directory of the image called `key`; `build` fills it if it is not there yet.
fn cached(key: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    netns::require_root()?;
    let images = build_dir().join("images");
    let place = images.join(key);
    if place.is_dir() {
        return Ok(place);
    }
    tools::require(tools::IMAGES)?;
    fs::create_dir_all(&images).with_context(|| format!("create {}", images.display()))?;
    let lock_path = images.join(format!("{key}.lock"));
    let lock = File::create(&lock_path).with_context(|| format!("create {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("lock {}", lock_path.display()))?;
    if place.is_dir() {
        return Ok(place);
    }
    let _stage = stage::Stage::start(format!("build image {key}"));
    let draft = images.join(format!("{key}.draft"));
    if draft.exists() {
        fs::remove_dir_all(&draft).with_context(|| format!("remove {}", draft.display()))?;
    }
    fs::create_dir(&draft).with_context(|| format!("create {}", draft.display()))?;
    build(&draft).with_context(|| format!("build image {key} in {}", draft.display()))?;
    fs::rename(&draft, &place).with_context(|| format!("move the image to {}", place.display()))?;
    Ok(place)
}

/// A command of low priority: images must not starve the tests that run beside.
fn nice(program: &str) -> Command {
    let mut command = cmd::command("nice");
    command.args(["-n", "10", program]);
    command
}

/// Runs a step of a build.
fn step(command: &mut Command) -> Result<String> {
    cmd::run_for(command, DEADLINE, b"")?.ok()
}
