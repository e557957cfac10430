//! Virtual machines of the lab: both releases boot with their own kernel, do kernel WireGuard with each other,
//! reach the mirror, come back after a reboot and after a power cut.
#![expect(clippy::unwrap_used, reason = "helpers of a test fail it by panicking")]

use std::path::Path;
use std::time::Duration;

use pic_lab::netns::Lan;
use pic_lab::vm::Cache;
use pic_lab::{Capture, Release, Vm, stage};

const MINUTE: Duration = Duration::from_secs(60);

/// Makes a WireGuard interface and returns its public key.
fn wireguard(vm: &Vm<'_>, number: u8) -> String {
    let script = format!(
        "set -e; modprobe wireguard; umask 077; wg genkey > /root/key; ip link add wg0 type wireguard
         wg set wg0 listen-port 51820 private-key /root/key; ip address add 10.66.0.{number}/24 dev wg0
         ip link set wg0 up; wg pubkey < /root/key"
    );
    vm.ssh_for("sh -s", MINUTE, script.as_bytes()).unwrap().ok().unwrap().trim().to_owned()
}

#[test]
fn two_releases_by_kernel_wireguard_then_reboot_and_power_cut() {
    let lan = Lan::new("lan").unwrap();
    let start = |release: Release| {
        Vm::builder(release, release.name()).lan(&lan).cache(Cache::WriteThrough).start().unwrap()
    };
    let (mut new, mut old) = (start(Release::Trixie), start(Release::Bookworm));
    for (number, vm) in (1..).zip([&new, &old]) {
        vm.wait_booted().unwrap();
        let kernel = vm.ssh("uname -r").unwrap().ok().unwrap();
        assert!(kernel.contains("cloud-amd64"), "{kernel}");
        vm.configure("ens4", &[&format!("10.9.6.{number}/24"), &format!("fd06::{number}/64")], &[]).unwrap();
        let text = vm.ssh("cat /etc/os-release").unwrap().ok().unwrap();
        assert!(text.contains(&format!("VERSION_ID=\"{}\"", vm.release().version())), "{text}");
    }
    kernel_wireguard(&lan, &new, &old);
    reaches_the_mirror(&old);
    assert_eq!(old.ssh_as_admin("sudo id -u").unwrap().ok().unwrap().trim(), "0");

    new.put(Path::new("/etc/os-release"), "/root/copy").unwrap();
    new.reboot().unwrap();
    new.ssh("test -s /root/copy && ip address show dev ens4 | grep 10.9.6.1").unwrap().ok().unwrap();

    old.ssh("echo synced > /root/synced; sync; echo not > /root/late").unwrap().ok().unwrap();
    let before = old.boot_id().unwrap();
    old.power_cut();
    assert!(old.ssh("true").is_err() || !old.ssh("true").unwrap().status.success());
    old.boot_again().unwrap();
    assert_ne!(old.boot_id().unwrap(), before);
    assert_eq!(old.ssh("cat /root/synced").unwrap().ok().unwrap(), "synced\n");
    old.ssh("ping -c 3 -W 5 10.9.6.1").unwrap().ok().unwrap();
}

fn kernel_wireguard(lan: &Lan, new: &Vm<'_>, old: &Vm<'_>) {
    let (new_key, old_key) = (wireguard(new, 1), wireguard(old, 2));
    let mut capture = Capture::start(lan.namespace(), lan.bridge(), "").unwrap();
    capture
        .prove(|marker| new.ssh(&format!("ping -c 1 -W 5 -p {} 10.9.6.2", marker.hex()))?.ok().map(drop))
        .unwrap();
    for (vm, key, peer) in [(new, old_key, 2), (old, new_key, 1)] {
        let line =
            format!("wg set wg0 peer {key} allowed-ips 10.66.0.{peer}/32 endpoint 10.9.6.{peer}:51820");
        vm.ssh(&line).unwrap().ok().unwrap();
    }
    let marker = pic_lab::Marker::random().unwrap();
    let line = format!("ping -c 5 -W 5 -p {} 10.66.0.2", marker.hex());
    new.ssh(&line).unwrap().ok().unwrap();
    capture.ensure_none(&marker).unwrap();
    let encrypted = capture
        .stop()
        .unwrap()
        .iter()
        .filter_map(|packet| packet.sockets())
        .filter(|(_, to)| to.port() == 51820)
        .count();
    assert!(encrypted >= 10, "only {encrypted} encrypted packets");
    old.ssh("iperf3 --server --one-off --daemon").unwrap().ok().unwrap();
    let speed = new.ssh_for("iperf3 -c 10.66.0.2 -t 5 | grep receiver", MINUTE, b"").unwrap().ok().unwrap();
    stage::note(&format!("kernel WireGuard between two VMs: {}", speed.trim()));
}

fn reaches_the_mirror(vm: &Vm<'_>) {
    let _stage = stage::Stage::start("apt-get update in a VM");
    vm.ssh_for("apt-get -q update && apt-get -q -y install --no-install-recommends hello", MINUTE * 5, b"")
        .unwrap()
        .ok()
        .unwrap();
}
