//! Disk images of virtual machines: a stock Debian with its own kernel, reached by ssh with a key made here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::container::bootstrap;
use super::recipe::{Recipe, apt_conf};
use super::{Release, cached, nice, step};
use crate::{files, tools};

const PACKAGES: &[&str] = &[
    "bind9-dnsutils",
    "ca-certificates",
    "curl",
    "dbus",
    "initramfs-tools",
    "iperf3",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    // As on any server: it gives each login a session, which ends before the network does.
    "libpam-systemd",
    "linux-image-cloud-amd64",
    "netbase",
    "nftables",
    "openssh-server",
    "procps",
    "socat",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tcpdump",
    "udev",
    "wireguard-tools",
];

/// Only what finds and mounts the disk: a full initrd takes an emulated processor seconds to unpack.
const INITRAMFS: &[(&str, &str)] = &[
    ("etc/initramfs-tools/conf.d/lab", "MODULES=list\nCOMPRESS=lz4\n"),
    ("etc/initramfs-tools/modules", "virtio_pci\nvirtio_blk\next4\n"),
];

/// The first NIC is the tests' way in. Its default route is the last resort, so that a test may add others.
const MANAGEMENT: &str = "\
[Match]
Name=ens3

[Network]
DHCP=ipv4
LinkLocalAddressing=no

[DHCPv4]
RouteMetric=4096
UseDNS=no
";

/// A user who is not root but may become it, as on a rented server.
const COMMANDS: &[&[&str]] = &[
    &["useradd", "--create-home", "--shell", "/bin/bash", "--groups", "sudo", "admin"],
    &["systemctl", "enable", "systemd-networkd.service"],
    // They compete with the test for an emulated processor.
    &["systemctl", "mask", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_reap.service"],
    &["systemctl", "mask", "systemd-networkd-wait-online.service", "fstrim.timer", "man-db.timer"],
];

/// A bootable disk with what is needed to start it and get in.
#[derive(Debug, Clone)]
pub struct DiskImage {
    /// The release on it.
    pub release: Release,
    dir: PathBuf,
}

impl DiskImage {
    /// The disk; never started itself, only overlays of it.
    pub fn disk(&self) -> PathBuf {
        self.dir.join("disk.qcow2")
    }

    /// The kernel.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// The initial RAM disk.
    pub fn initrd(&self) -> PathBuf {
        self.dir.join("initrd")
    }

    /// The private key that root and `admin` of the guest accept.
    pub fn key(&self) -> PathBuf {
        self.dir.join("id")
    }
}

/// The disk image of a release; built on first use.
pub fn disk(release: Release) -> Result<DiskImage> {
    let recipe = Recipe {
        kind: "disk",
        release,
        packages: PACKAGES,
        files: vec![
            ("etc/apt/apt.conf.d/99lab", apt_conf()?),
            ("etc/fstab", "/dev/vda / ext4 errors=remount-ro 0 1\n".into()),
            ("etc/hostname", "debian\n".into()),
            ("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost ip6-localhost\n".into()),
            // Empty, not "uninitialized": that would count as a first boot and enable every service.
            ("etc/machine-id", String::new()),
            ("etc/resolv.conf", "nameserver 10.0.2.3\n".into()),
            ("etc/ssh/sshd_config.d/lab.conf", "UseDNS no\nPermitRootLogin prohibit-password\n".into()),
            ("etc/sudoers.d/lab", "admin ALL=(ALL) NOPASSWD: ALL\n".into()),
            ("etc/systemd/network/10-management.network", MANAGEMENT.into()),
        ],
        commands: COMMANDS,
    };
    tools::require(tools::MACHINES)?;
    let dir = cached(&recipe.key(), |draft| build(&recipe, draft))?;
    Ok(DiskImage { release, dir })
}

fn build(recipe: &Recipe, draft: &Path) -> Result<()> {
    let (root, work) = (draft.join("root"), draft.join("work"));
    for (path, content) in INITRAMFS {
        files::write(&work.join("skeleton").join(path), content)?;
    }
    bootstrap(recipe, &root, &work)?;
    allow_key(draft, &root)?;
    for (prefix, name) in [("vmlinuz-", "vmlinuz"), ("initrd.img-", "initrd")] {
        let from = the_one(&root.join("boot"), prefix)?;
        fs::copy(&from, draft.join(name)).with_context(|| format!("copy {}", from.display()))?;
    }
    let (raw, disk) = (draft.join("disk.raw"), draft.join("disk.qcow2"));
    let mut mkfs = nice("mkfs.ext4");
    // Features that both the oldest supported release and its fsck know.
    mkfs.args(["-q", "-F", "-L", "root", "-O", "^orphan_file,^metadata_csum_seed"]);
    step(mkfs.args(["-E", "lazy_itable_init=1,lazy_journal_init=1", "-d"]).arg(&root).arg(&raw).arg("8G"))?;
    step(nice("qemu-img").args(["convert", "-O", "qcow2"]).arg(&raw).arg(&disk))?;
    fs::remove_file(&raw).with_context(|| format!("remove {}", raw.display()))?;
    fs::remove_dir_all(&root).with_context(|| format!("remove {}", root.display()))
}

/// Makes the image's key and lets it in as root and as `admin`.
fn allow_key(draft: &Path, root: &Path) -> Result<()> {
    let key = draft.join("id");
    step(nice("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"]).arg(&key))?;
    let public = files::read(&draft.join("id.pub"))?;
    for home in ["root", "home/admin"] {
        let dir = root.join(home).join(".ssh");
        files::write_mode(&dir.join("authorized_keys"), &public, 0o600)?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("set the mode of {}", dir.display()))?;
    }
    step(nice("chroot").arg(root).args(["chown", "-R", "admin:admin", "/home/admin/.ssh"]))?;
    Ok(())
}

fn the_one(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))?;
    let found: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
        .collect();
    ensure!(found.len() == 1, "expected one {prefix}* in {}, found {found:?}", dir.display());
    Ok(found[0].clone())
}
