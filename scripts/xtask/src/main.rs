//! Chores of the repository, run as `cargo xtask CHORE`.
//!
//! Each chore is a module: [`man`] and [`completions`] render what the package ships, from the program's own command
//! line and the model's own list of fields; [`floors`] keeps the rules of `ARCHITECTURE.md`. None of it ships.
#![forbid(unsafe_code)]

mod completions;
mod floors;
mod man;
mod put;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// Chores of the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Render the man pages.
    Man {
        /// Folder, made when it is not there.
        out: PathBuf,
    },
    /// Render the completions of bash, zsh and fish.
    Completions {
        /// Folder, made when it is not there.
        out: PathBuf,
    },
    /// Check floors, purity, file sizes, lints.
    Floors,
}

fn main() -> ExitCode {
    match run(Chore::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            put::err(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<()> {
    match chore {
        Chore::Man { out } => man::write(&out),
        Chore::Completions { out } => completions::write(&out),
        Chore::Floors => floors::check(&root()),
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
