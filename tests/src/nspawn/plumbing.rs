//! What makes a container leave nothing behind: mounts of its own, and its process 1 found by looking.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::files;

/// Runs on the thread that starts the container: mounts made here exist for the container alone.
pub(super) fn private_mounts(base: &Path, layer: &Path, work: &Path, root: &Path) -> Result<()> {
    const NONE: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS).context("get a mount namespace")?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE).context("make mounts private")?;
    if !Path::new("/run/systemd/system").exists() {
        // Where this machine does not run systemd, nspawn wants a place for its sockets all the same.
        fs::create_dir_all("/run/systemd").context("create /run/systemd")?;
        mount(Some("tmpfs"), "/run/systemd", Some("tmpfs"), MsFlags::empty(), NONE)
            .context("mount /run/systemd")?;
    }
    let options =
        format!("lowerdir={},upperdir={},workdir={}", base.display(), layer.display(), work.display());
    mount(Some("overlay"), root, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .with_context(|| format!("mount the layer at {}", root.display()))
}

/// The container's process 1: the descendant of `pid` that is number 1 in the innermost of more than two
/// PID namespaces.
pub(super) fn leader_below(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().filter_map(|child| child.parse().ok()).find_map(|child: u32| {
        let is_systemd = files::read(Path::new(&format!("/proc/{child}/comm"))).ok()?.trim() == "systemd";
        let ids = files::read(Path::new(&format!("/proc/{child}/status"))).ok()?;
        let ids = ids.lines().find_map(|line| line.strip_prefix("NSpid:").map(str::to_owned))?;
        let is_first = ids.split_whitespace().count() > 2 && ids.split_whitespace().next_back() == Some("1");
        if is_systemd && is_first { Some(child) } else { leader_below(child) }
    })
}
