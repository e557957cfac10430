//! Containers of the lab: both releases boot in seconds, talk to each other, and leave nothing behind.
#![expect(clippy::unwrap_used, reason = "helpers of a test fail it by panicking")]

use std::path::Path;
use std::time::Duration;

use pic_lab::netns::Lan;
use pic_lab::{Namespace, Nspawn, Release, Stage, image, wait};

/// Not before the image is there: building it is not what is measured.
fn boot(release: Release, name: &str, network: &Namespace) -> (Nspawn, f64) {
    image::container(release).unwrap();
    let stage = Stage::start(format!("boot container {name} ({})", release.name()));
    let host = Nspawn::start(release, name, network).unwrap();
    (host, stage.seconds())
}

#[test]
fn two_releases_ping_each_other() {
    let lan = Lan::new("lan").unwrap();
    let networks = ["a", "b"].map(|name| Namespace::new(name).unwrap());
    for (number, network) in (1..).zip(&networks) {
        lan.plug(network, "eth0").unwrap();
        network.address("eth0", &format!("10.9.7.{number}/24")).unwrap();
        network.address("eth0", &format!("fd07::{number}/64")).unwrap();
    }
    let (new, seconds) = boot(Release::Trixie, "new", &networks[0]);
    assert!(seconds < 20.0, "booting took {seconds} s");
    let (old, seconds) = boot(Release::Bookworm, "old", &networks[1]);
    assert!(seconds < 20.0, "booting took {seconds} s");
    for (host, release) in [(&new, Release::Trixie), (&old, Release::Bookworm)] {
        let text = host.read("/etc/os-release").unwrap();
        assert!(text.contains(&format!("VERSION_ID=\"{}\"", release.version())), "{text}");
        let failed = host.run("systemctl --failed --no-legend --plain").unwrap().ok().unwrap();
        assert_eq!(failed.trim(), "");
    }
    new.run("ping -c 2 -W 1 10.9.7.2").unwrap().ok().unwrap();
    old.run("ping -c 2 -W 1 fd07::1").unwrap().ok().unwrap();
    assert_eq!(new.run("hostname").unwrap().ok().unwrap().trim(), "new");
}

#[test]
fn a_host_can_do_what_a_cell_does() {
    let network = Namespace::new("cell").unwrap();
    let (host, _) = boot(Release::Trixie, "cell", &network);
    for line in [
        "sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        "nft add table inet pic",
        "ip rule add pref 7700 fwmark 0x1/0xff lookup 7700",
        "ip tuntap add tun0 mode tun",
        "ip link add probe0 type veth peer name probe1",
        "systemd-run --wait -p DynamicUser=yes -p ProtectSystem=strict true",
        "useradd --system pic-probe",
    ] {
        host.run(line).unwrap().ok().unwrap();
    }
    // All of it happened in the namespace and on the host, not on this machine.
    assert!(network.run("nft list tables").unwrap().ok().unwrap().contains("inet pic"));
    host.write("/opt/deep/file", "text").unwrap();
    assert_eq!(host.read("/opt/deep/file").unwrap(), "text");
    host.put(Path::new("/bin/true"), "/usr/local/bin/nothing").unwrap();
    host.run("nothing").unwrap().ok().unwrap();
}

#[test]
fn files_survive_a_reboot_and_a_crash() {
    let network = Namespace::new("again").unwrap();
    let (mut host, _) = boot(Release::Bookworm, "again", &network);
    host.write("/var/lib/kept", "kept").unwrap();
    host.shut_down().unwrap();
    host.write("/etc/offline", "written while it was down").unwrap();
    host.boot().unwrap();
    assert_eq!(host.read("/var/lib/kept").unwrap(), "kept");
    host.crash();
    host.boot().unwrap();
    assert_eq!(host.read("/etc/offline").unwrap(), "written while it was down");
}

#[test]
fn a_dropped_host_leaves_no_process() {
    let network = Namespace::new("gone").unwrap();
    let (host, _) = boot(Release::Trixie, "gone", &network);
    host.run("systemd-run --unit=probe sleep 4242").unwrap().ok().unwrap();
    let alive = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
            .any(|line| line.ends_with(b"sleep\x004242\0"))
    };
    wait::until(Duration::from_secs(5), "the probe to run", alive).unwrap();
    drop(host);
    wait::until(Duration::from_secs(5), "the probe to end", || !alive()).unwrap();
}
