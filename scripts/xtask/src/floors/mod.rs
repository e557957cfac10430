//! `cargo xtask floors`: the rules that keep the crates apart and the files small. Every breach is reported at once.
//!
//! - A crate depends only on crates of lower floors ([`graph`]).
//! - The pure crates reach for no clock, file, socket, environment or random number ([`source`]).
//! - Every crate takes the workspace's lints; lints are relaxed by `#[expect]` with a reason, never by `#[allow]`.
//! - No file has more than 600 lines of code without saying why at its top.

mod graph;
mod source;

use std::path::Path;

use anyhow::{Result, bail};

/// Floors from the ground up. Crates on the same floor do not know each other. The tools stand above the programs,
/// because they read the programs' command lines and run them.
const FLOORS: &[&[&str]] = &[
    &["pic-model"],
    &["pic-plan", "pic-api"],
    &["pic-engine"],
    &["pic-drivers", "pic-service"],
    &["pic-dns", "pic-dhcp", "pic-time", "pic-exit", "pic-wg"],
    &["pic-agent", "picctl"],
    // The installer shows devices the way picctl does.
    &["pic-installer"],
    &["xtask", "pic-lab", "pic-fuzz"],
];

/// Crates that only think.
const PURE: &[&str] = &["pic-model", "pic-plan"];

/// Checks everything and lists every breach.
pub(crate) fn check(root: &Path) -> Result<()> {
    let crates = graph::crates(root)?;
    let mut breaches = graph::breaches(&crates);
    for one in &crates {
        breaches.extend(source::breaches(one, PURE.contains(&one.name.as_str()))?);
    }
    for breach in &breaches {
        crate::put::err(breach);
    }
    if !breaches.is_empty() {
        bail!(
            "{} of the rules of the floors",
            if breaches.len() == 1 { "1 breach".to_owned() } else { format!("{} breaches", breaches.len()) }
        );
    }
    crate::put::out(&format!("floors: {} crates keep the rules", crates.len()));
    Ok(())
}

/// A crate's floor.
fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}
