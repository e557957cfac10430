//! Removes what dead tests left behind: namespaces, scratch directories and control groups named after a process that is gone.
//! Things of living processes, and things with other names, are never touched.

use std::fs;
use std::path::Path;
use std::sync::Once;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::nspawn::cgroup;
use crate::{cmd, scratch, stage, unique};

/// Sweeps once per process; everything that makes namespaces or directories calls this first.
pub fn once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(now);
}

/// Sweeps now.
pub fn now() {
    for name in orphans(Path::new("/run/netns")) {
        stage::note(&format!("sweep namespace {name}"));
        let _ = cmd::run(cmd::command("ip").args(["netns", "del", &name]));
        let _ = fs::remove_dir_all(Path::new("/etc/netns").join(&name));
    }
    for name in orphans(&scratch::run_dir()) {
        stage::note(&format!("sweep directory {name}"));
        let _ = fs::remove_dir_all(scratch::run_dir().join(name));
    }
    cgroup::sweep(|name| unique::owner(name).is_some_and(is_dead));
}

/// Names in `dir` whose maker is dead.
fn orphans(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| unique::owner(name).is_some_and(is_dead))
        .collect()
}

fn is_dead(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}
