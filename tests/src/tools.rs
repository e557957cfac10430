//! The programs of this machine that the lab uses, and the Debian packages they come in.

use std::path::Path;

use anyhow::{Result, ensure};

/// A program and its package.
pub type Tool = (&'static str, &'static str);

/// Namespaces and captures (T1).
pub const NETWORK: &[Tool] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("ping", "iputils-ping"),
    ("tcpdump", "tcpdump"),
    ("setpriv", "util-linux"),
];
/// Outside names (T1); without it [`crate::Internet`] has none.
pub const NAMES: Tool = ("dnsmasq", "dnsmasq-base");
/// Root file systems (T2, T3).
pub const IMAGES: &[Tool] =
    &[("mmdebstrap", "mmdebstrap"), ("unshare", "util-linux"), ("chroot", "coreutils")];
/// Containers (T2).
pub const CONTAINERS: &[Tool] = &[("systemd-nspawn", "systemd-container"), ("nsenter", "util-linux")];
/// Virtual machines (T3).
pub const MACHINES: &[Tool] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("qemu-img", "qemu-utils"),
    ("mkfs.ext4", "e2fsprogs"),
    ("ssh", "openssh-client"),
];

/// Fails with the command that installs what is missing.
pub fn require(tools: &[Tool]) -> Result<()> {
    let missing: Vec<_> = tools.iter().filter(|tool| !is_here(tool)).map(|(_, package)| *package).collect();
    ensure!(missing.is_empty(), "programs are missing: run `apt-get install {}`", missing.join(" "));
    Ok(())
}

/// Whether this machine has the program.
pub fn is_here((program, _): &Tool) -> bool {
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|dir| Path::new(dir).join(program).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_by_its_package() {
        let error = require(&[("sh", "dash"), ("no-such-program", "such-package")]).unwrap_err();
        assert!(error.to_string().ends_with("`apt-get install such-package`"), "{error}");
    }
}
