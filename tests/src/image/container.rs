//! The root directory that containers run on (read-only: each gets its own layer on top), and the bootstrap
//! that disk images share.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::apt::{self, Mirror};
use super::recipe::{Recipe, apt_conf};
use super::{Release, cached, nice, step};
use crate::files;

const PACKAGES: &[&str] = &[
    "adduser",
    "bind9-dnsutils",
    "ca-certificates",
    "curl",
    "dbus",
    "iperf3",
    "iproute2",
    "iptables",
    "iputils-ping",
    "kmod",
    "netbase",
    "nftables",
    "procps",
    "socat",
    "strace",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tcpdump",
    "ufw",
    "wireguard-tools",
];

/// The root directory for containers of a release; built on first use.
pub fn container(release: Release) -> Result<PathBuf> {
    let recipe = Recipe {
        kind: "container",
        release,
        packages: PACKAGES,
        files: vec![
            ("etc/apt/apt.conf.d/99lab", apt_conf()?),
            ("etc/machine-id", String::new()),
            ("etc/resolv.conf", String::new()),
        ],
        // Nothing looks at the consoles, and a getty costs a login prompt in every log.
        commands: &[&["systemctl", "mask", "console-getty.service", "getty@.service"]],
    };
    let place = cached(&recipe.key(), |draft| bootstrap(&recipe, &draft.join("root"), &draft.join("work")))?;
    Ok(place.join("root"))
}

/// Fills `root` according to the recipe; `work` is for files needed meanwhile.
pub(super) fn bootstrap(recipe: &Recipe, root: &Path, work: &Path) -> Result<()> {
    let sources = work.join("lab.sources");
    files::write(&sources, Mirror::of_this_machine()?.sources(recipe.release))?;
    // What it mounts in the root goes with it, also when it is killed; a mount that stays would be in the next build's way.
    let mut command = nice("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "mmdebstrap"]);
    command.args(["--quiet", "--variant=minbase"]).arg(format!("--include={}", recipe.packages.join(",")));
    for option in apt::options()? {
        command.arg(format!("--aptopt={option}"));
    }
    let skeleton = work.join("skeleton");
    if skeleton.exists() {
        command.arg(format!("--essential-hook=copy-in {}/etc /", skeleton.display()));
    }
    step(command.arg(recipe.release.name()).arg(root).arg(&sources))?;

    // What served the build only would change how the guest judges repositories.
    let _ = fs::remove_file(root.join("etc/apt/apt.conf.d/99mmdebstrap"));
    for (path, content) in &recipe.files {
        let target = root.join(path);
        // The one that is there may be a link that leads out of the root.
        let _ = fs::remove_file(&target);
        files::write(&target, content)?;
    }
    for words in recipe.commands {
        step(nice("chroot").arg(root).args(*words))?;
    }
    fs::remove_dir_all(work).with_context(|| format!("remove {}", work.display()))
}
