//! `cargo xtask completions`: as `picctl completions SHELL` prints them, under the names the shells look for.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Generator, Shell};

/// Writes all of them.
pub(crate) fn write(out: &Path) -> anyhow::Result<()> {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut picctl::cli::Cli::command(), "picctl", &mut script);
        crate::put::file(out, &shell.file_name("picctl"), &script)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_the_shells_own() {
        let folder = tempfile::tempdir().unwrap();
        super::write(folder.path()).unwrap();
        for name in ["picctl.bash", "_picctl", "picctl.fish"] {
            assert!(
                std::fs::read_to_string(folder.path().join(name)).unwrap().contains("rollback"),
                "{name}"
            );
        }
    }
}
