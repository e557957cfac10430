//! The host's own resolver on real hosts: pointed at the cell after an install, back within two seconds when the name
//! server goes and nobody is there, over reboots, and after an uninstall as it was.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of a test fail it by panicking; figures are shown"
)]

mod t2;

use std::time::{Duration, Instant};

use pic_lab::netns::internet::address::{OUTSIDE, OUTSIDE_NAME};
use pic_lab::{Release, image, wait};
use t2::World;

/// As promised.
const BACK: Duration = Duration::from_secs(2);
/// Until the cell is asked again, and a start under load.
const PATIENCE: Duration = Duration::from_secs(90);
const CELL: &str = "10.77.0.1";

/// How a host is set up before the cell comes, and how its resolver is read back to the byte.
struct Way {
    release: Release,
    prepare: &'static str,
    state: &'static str,
}

const FILE: &str = "stat -c '%a %u %g %F' /etc/resolv.conf; cat /etc/resolv.conf";

fn looks_up(world: &World, name: &str) -> String {
    let found = world.cell.sh(&format!("getent ahostsv4 {name}")).unwrap().stdout;
    found.split_whitespace().next().unwrap_or_default().to_owned()
}

fn asks_the_cell(world: &World) {
    let asked = wait::until(PATIENCE, "the host to ask its cell", || looks_up(world, "den.cell") == CELL);
    asked.unwrap_or_else(|error| panic!("{error:#}\n{}", said(world)));
    assert_eq!(looks_up(world, OUTSIDE_NAME), OUTSIDE[0]);
}

fn said(world: &World) -> String {
    let script = "picctl status --json; picctl doctor; cat /etc/resolv.conf; systemctl status pic-resolver --no-pager; journalctl -u pic-resolver -u pic-agent --no-pager | tail -n 40; \
                  resolvectl --no-pager 2>&1 | tail -n 30";
    world.cell.sh(script).unwrap().stdout
}

/// Names outside are found within [`BACK`] of this moment.
fn resolves_soon(world: &World, what: &str) {
    let begin = Instant::now();
    let found = wait::until(BACK, what, || looks_up(world, OUTSIDE_NAME) == OUTSIDE[0]);
    found.unwrap_or_else(|error| panic!("{what}: {error:#}\n{}", said(world)));
    println!("figure: {what}: names again after {} ms", begin.elapsed().as_millis());
}

/// The doctor's word on it.
fn doctor(world: &World) -> String {
    let checks = world.cell.sh("picctl doctor --json").unwrap().stdout;
    let (_, rest) = checks.split_once("\"name\":\"resolver\"").unwrap_or_else(|| panic!("{checks}"));
    rest.split('}').next().unwrap_or_default().to_owned()
}

fn life(way: &Way) {
    let mut world = World::start(way.release);
    if way.prepare == RESOLVED {
        let package = image::package(way.release, "systemd-resolved").unwrap();
        world.cell.put(&package, "/root/resolved.deb").unwrap();
        world.cell.write("/etc/systemd/system/lease.service", LEASE).unwrap();
    }
    world.cell(way.prepare);
    let before = world.cell(way.state);
    assert_eq!(looks_up(&world, OUTSIDE_NAME), OUTSIDE[0], "before the cell");
    world.install("--name den --yes").ok().unwrap();
    asks_the_cell(&world);
    assert!(doctor(&world).contains("asks 10.77.0.1 first"), "{}", doctor(&world));
    assert!(world.cell("picctl status --json").contains("\"state\":\"ok\""), "{}", said(&world));

    // Nobody to hand back but systemd.
    world.cell("systemctl stop pic-agent");
    world.cell("systemctl stop pic-dns");
    resolves_soon(&world, "pic-dns stopped, no agent");
    world.cell("systemctl start pic-dns pic-agent");
    asks_the_cell(&world);
    // By number: systemd of Debian 12 cannot kill by group here.
    world.cell("kill -KILL $(systemctl show --property=MainPID --value pic-agent pic-dns)");
    resolves_soon(&world, "both killed");
    asks_the_cell(&world);

    // Waits until it is ready.
    world.cell("systemctl start pic-agent");
    world.cell("picctl config set dns.host false --yes");
    assert_eq!(world.cell(way.state), before, "off");
    assert_eq!(looks_up(&world, OUTSIDE_NAME), OUTSIDE[0]);
    world.cell("picctl config set dns.host true --yes");
    asks_the_cell(&world);

    world.cell.shut_down().unwrap();
    world.cell.boot().unwrap();
    resolves_soon(&world, "after a reboot");
    asks_the_cell(&world);
    // As a power cut: whatever stood on disk stands there now.
    world.cell.crash();
    world.cell.boot().unwrap();
    let begin = Instant::now();
    wait::until(PATIENCE, "names after a crash", || looks_up(&world, OUTSIDE_NAME) == OUTSIDE[0]).unwrap();
    println!("figure: after a crash: names {} ms after the boot", begin.elapsed().as_millis());
    asks_the_cell(&world);

    world.install("--uninstall --purge --yes").ok().unwrap();
    assert_eq!(world.cell(way.state), before, "the uninstall");
    assert_ne!(world.lab.cell.run("ip link show pic0").unwrap().code(), 0, "the interface is gone");
    assert_eq!(looks_up(&world, OUTSIDE_NAME), OUTSIDE[0]);
}

#[test]
fn a_plain_file_on_debian_13() {
    life(&Way { release: Release::Trixie, prepare: "chmod 640 /etc/resolv.conf", state: FILE });
}

#[test]
fn a_plain_file_on_debian_12() {
    life(&Way { release: Release::Bookworm, prepare: "true", state: FILE });
}

/// The server of a link, as networkd or a lease would set it at each boot.
const LEASE: &str = "[Unit]\nAfter=systemd-resolved.service\nRequires=systemd-resolved.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
    ExecStart=resolvectl dns eth0 198.51.100.53\n[Install]\nWantedBy=multi-user.target\n";
/// The package makes the link. Its first start comes before the bus knows of its name, so another one follows.
const RESOLVED: &str = "dpkg -i /root/resolved.deb && systemctl restart systemd-resolved && \
    systemctl enable --now lease.service && readlink /etc/resolv.conf";
const RESOLVED_STATE: &str = "stat -c '%F %N' /etc/resolv.conf; cat /run/systemd/resolve/resolv.conf; \
    find /etc/systemd /run/systemd/resolved.conf.d 2>/dev/null | grep -v /pic- | sort; resolvectl dns --no-pager | grep -v pic0";

#[test]
fn systemd_resolved_on_debian_13() {
    life(&Way { release: Release::Trixie, prepare: RESOLVED, state: RESOLVED_STATE });
}

#[test]
fn systemd_resolved_on_debian_12() {
    life(&Way { release: Release::Bookworm, prepare: RESOLVED, state: RESOLVED_STATE });
}
