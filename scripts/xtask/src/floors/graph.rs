//! Who depends on whom, as cargo itself sees it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{PURE, floor};

/// Libraries that reach the world; a pure crate has no use for them.
const IMPURE: &[&str] = &["tokio", "rustix", "nix", "libc", "getrandom", "rand", "tempfile", "socket2"];

/// Tests of every floor may stand on it; it knows none of the crates.
const TEST_KIT: &str = "pic-lab";

/// A crate of the workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
}

/// All crates of the workspace.
pub(super) fn crates(root: &Path) -> Result<Vec<Crate>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(args).current_dir(root).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cargo metadata is not understood")?;
    Ok(metadata.packages)
}

/// Dependencies that lead up or sideways, and impure ones of pure crates.
pub(super) fn breaches(crates: &[Crate]) -> Vec<String> {
    crates.iter().flat_map(of_crate).collect()
}

fn of_crate(one: &Crate) -> Vec<String> {
    let Some(own) = floor(&one.name) else {
        return vec![format!(
            "{}: stands on no floor; give it one in scripts/xtask/src/floors/mod.rs",
            one.name
        )];
    };
    let mut out = Vec::new();
    // A crate may name itself, to switch on its own features in its tests.
    for dependency in one.dependencies.iter().filter(|dependency| dependency.name != one.name) {
        let used = dependency.kind.as_deref() != Some("dev");
        let is_kit = !used && dependency.name == TEST_KIT;
        if !is_kit && floor(&dependency.name).is_some_and(|other| other >= own) {
            out.push(format!("{}: depends on {}, which is not below it", one.name, dependency.name));
        }
        if used && PURE.contains(&one.name.as_str()) && IMPURE.contains(&dependency.name.as_str()) {
            out.push(format!("{}: depends on {}, but it is pure", one.name, dependency.name));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, dependencies: &[(&str, Option<&str>)]) -> Crate {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) })
            .collect();
        Crate { name: name.to_owned(), manifest_path: PathBuf::new(), dependencies }
    }

    #[test]
    fn up_and_sideways_are_refused() {
        assert_eq!(
            of_crate(&of("pic-engine", &[("pic-plan", None), ("pic-model", None), ("tokio", None)])).len(),
            0
        );
        assert_eq!(of_crate(&of("pic-engine", &[("pic-drivers", Some("dev"))])).len(), 1);
        assert_eq!(of_crate(&of("pic-api", &[("pic-plan", None)])).len(), 1);
        assert_eq!(of_crate(&of("pic-plan", &[("pic-plan", Some("dev")), ("tokio", None)])).len(), 1);
        assert_eq!(of_crate(&of("pic-new", &[])).len(), 1);
        assert_eq!(of_crate(&of("pic-installer", &[("pic-lab", Some("dev"))])).len(), 0);
        assert_eq!(of_crate(&of("pic-installer", &[("pic-lab", None), ("picctl", None)])).len(), 1);
        assert_eq!(of_crate(&of("picctl", &[("pic-installer", None)])).len(), 1);
    }
}
