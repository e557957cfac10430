//! A place of its own in the machine's control groups for each container: two in one place would share the groups of their
//! units, and end each other's services (cgroups(7); Linux `Documentation/admin-guide/cgroup-v2.rst`).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::{unique, wait};

/// How long the processes of a killed container may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// Groups for one run of a container; removed on drop, when its processes are dead.
#[derive(Debug)]
pub(super) struct Groups(Vec<PathBuf>);

impl Groups {
    /// Below those of this process.
    pub(super) fn new(label: &str) -> Result<Self> {
        let name = unique::name(label);
        let mut groups = Self(Vec::new());
        for parent in parents() {
            let group = parent.join(&name);
            fs::create_dir(&group)
                .with_context(|| format!("create the control group {}", group.display()))?;
            groups.0.push(group);
        }
        Ok(groups)
    }

    /// Files that take the process which writes 0 into them in.
    pub(super) fn doors(&self) -> impl Iterator<Item = PathBuf> {
        self.0.iter().map(|group| group.join("cgroup.procs"))
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in &self.0 {
            let _ = wait::until(GONE, "a container's control groups to be empty", || remove(group));
        }
    }
}

/// Removes the groups whose maker `is_orphan`.
pub(crate) fn sweep(is_orphan: impl Fn(&str) -> bool) {
    for parent in parents() {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(&is_orphan)) {
            remove(&entry.path());
        }
    }
}

/// Where this process is: in the tree of version 2, and in systemd's own of version 1 where there is one.
fn parents() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let top = Path::new("/sys/fs/cgroup");
    let unified = if top.join("unified").is_dir() { top.join("unified") } else { top.to_owned() };
    let one = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let tree = match fields.next()? {
            "" => unified.clone(),
            "name=systemd" => top.join("systemd"),
            _ => return None,
        };
        Some(tree.join(fields.next()?.trim_start_matches('/')))
    };
    text.lines().filter_map(one).filter(|parent| parent.join("cgroup.procs").exists()).collect()
}

/// Whether a group and all below it are gone: a group is removed like an empty directory, its files go with it.
fn remove(group: &Path) -> bool {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove(&entry.path());
    }
    fs::remove_dir(group).is_ok() || !group.exists()
}
