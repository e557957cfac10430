//! The command line of the emulator.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Cache, Vm};
use crate::netns::Lan;
use crate::process::Child;
use crate::{cmd, unique};

/// `panic=-1`: a kernel that dies reboots at once. Mitigations only cost time on an emulated processor.
const KERNEL: &str = "root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off quiet";

/// A NIC on a LAN of the lab.
#[derive(Debug)]
pub(super) struct Nic<'lab> {
    lan: &'lab Lan,
    tap: String,
    mac: String,
}

impl<'lab> Nic<'lab> {
    pub(super) fn on(lan: &'lab Lan) -> Self {
        Self { lan, tap: unique::interface(), mac: unique::mac() }
    }

    /// Once the emulator runs: brings its end of the cable into the lab.
    pub(super) fn plug_in(&self) -> Result<()> {
        self.lan.adopt_tap(&self.tap, Duration::from_secs(10))
    }
}

/// Starts the emulator for a VM.
pub(super) fn spawn(vm: &Vm<'_>) -> Result<Child> {
    let cache = match vm.options.cache {
        Cache::Unsafe => "unsafe",
        Cache::WriteThrough => "writethrough",
    };
    let mut command = cmd::command("nice");
    command
        .args(["-n", "10", "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"])
        // Without `-cx16` the Debian kernel dies in a double fault under this emulator.
        // One processor: with two, now and then the guest's processors wait for each other for ever (a static key is
        // switched while the other one idles), and this machine has two of its own for two guests.
        .args(["-accel", "tcg", "-smp", "1", "-cpu", "qemu64,-cx16"])
        .args(["-m", &vm.options.memory.to_string(), "-append", KERNEL, "-kernel"])
        .arg(vm.image.kernel())
        .arg("-initrd")
        .arg(vm.image.initrd())
        .args(["-object", "rng-random,filename=/dev/urandom,id=rng"])
        .args(["-device", "virtio-rng-pci,rng=rng,addr=0x1e"])
        .args(["-drive", &format!("file={},format=qcow2,if=none,id=disk,cache={cache}", vm.disk.display())])
        .args(["-device", "virtio-blk-pci,drive=disk,addr=0x1f"])
        .args(["-netdev", &format!("user,id=way-in,ipv6=off,hostfwd=tcp:127.0.0.1:{}-:22", vm.ssh.port())])
        .args(["-device", "virtio-net-pci,netdev=way-in,addr=3,romfile="])
        .args(["-serial", &format!("file:{}", vm.scratch.join("console.log").display())]);
    for (slot, nic) in (4..).zip(&vm.nics) {
        let Nic { tap, mac, .. } = nic;
        command.args(["-netdev", &format!("tap,id=lan{slot},ifname={tap},script=no,downscript=no")]);
        // The slot gives the guest's interface its name: 4 is `ens4`.
        command.args(["-device", &format!("virtio-net-pci,netdev=lan{slot},mac={mac},addr={slot},romfile=")]);
    }
    let log = vm.scratch.join("qemu.log");
    let file = File::create(&log).with_context(|| format!("create {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone().context("share the log")?).stderr(file);
    Child::spawn(command)
}
