//! The time of a cell on a real host: Debian's chrony beside Debian's own time service, which is as it was throughout;
//! authenticated servers by default; over a reboot, without the agent, and after chrony is taken away.
#![expect(clippy::unwrap_used, reason = "helpers of a test fail it by panicking")]

mod t2;

use std::time::Duration;

use pic_lab::chrony::{self, TimeServer};
use pic_lab::netns::internet::address::OUTSIDE_NAME;
use pic_lab::{Release, image, wait};
use t2::World;

/// A start under load, and chronyd's first measurements.
const PATIENCE: Duration = Duration::from_secs(90);
const CELL: &str = "10.77.0.1";

/// What the host has of time services of its own. In a container none of them may set the clock, so they do not run.
const HOSTS_OWN: &str = "for unit in systemd-timesyncd chrony; do systemctl is-enabled $unit; systemctl is-active $unit; done 2>&1
    find /etc/chrony /etc/systemd/timesyncd.conf* /var/lib/chrony /usr/lib/systemd/system/*chrony* /usr/lib/systemd/system/*timesyncd* \
        -type f -exec sha256sum {} + 2>/dev/null | sort
    dpkg -l | grep -E 'chrony|timesyncd' | awk '{print $1, $2, $3}'; getent passwd _chrony systemd-timesync; true";

fn soon(world: &World, what: &str, condition: impl FnMut() -> bool) {
    wait::until(PATIENCE, what, condition).unwrap_or_else(|error| {
        let said = world
            .cell
            .sh("picctl time; picctl doctor; journalctl -u pic-time -u pic-agent --no-pager | tail -n 40");
        panic!("{error:#}\n{}", said.unwrap().stdout)
    });
}

fn time(world: &World) -> serde_json::Value {
    serde_json::from_str(&world.cell.sh("picctl time --json").unwrap().stdout).unwrap_or_default()
}

/// Whether a peer is told the time.
fn is_served(world: &World) -> bool {
    chrony::stratum(&world.lab.cell, CELL.parse().unwrap(), Duration::from_secs(2)).is_ok_and(|at| at == 2)
}

fn life(release: Release) {
    let mut world = World::start(release);
    let put = |world: &World, name: &str| {
        let package = image::package(release, name).unwrap();
        world.cell.put(&package, &format!("/root/{name}.deb")).unwrap();
    };
    // As nearly every Debian is.
    put(&world, "systemd-timesyncd");
    world.cell("dpkg -i /root/systemd-timesyncd.deb && rm /root/systemd-timesyncd.deb");
    let before = world.cell(HOSTS_OWN);
    assert!(before.contains("ii systemd-timesyncd"), "{before}");
    world.install("--name den --yes").ok().unwrap();
    assert_eq!(world.cell(HOSTS_OWN), before, "after the install");
    let words = time(&world)["words"].as_str().unwrap_or_default().to_owned();
    assert!(words.contains("apt-get install chrony"), "{words}");

    // What that command does, as Debian has one time service at a time: first the other one goes.
    put(&world, "chrony");
    world.cell("dpkg -r systemd-timesyncd && DEBIAN_FRONTEND=noninteractive dpkg -i /root/chrony.deb && rm /root/chrony.deb");
    let chronys = world.cell(HOSTS_OWN);
    assert!(chronys.contains("ii chrony") && !chronys.contains("ii systemd-timesyncd"), "{chronys}");
    soon(&world, "pic-time", || {
        world.cell.sh("systemctl is-active pic-time").unwrap().stdout.trim() == "active"
    });
    soon(&world, "chronyd's configuration", || {
        world.cell.sh("grep -c 'iburst nts$' /run/pic-time/chrony/chrony.conf").unwrap().stdout.trim() == "4"
    });
    let process = "ps -o user= -o args= -C chronyd";
    soon(&world, "chronyd without power over the clock", || {
        let shown = world.cell.sh(process).unwrap().stdout;
        shown.lines().any(|line| line.starts_with("pic-time") && line.contains(" -x "))
    });
    assert_eq!(world.cell(HOSTS_OWN), chronys, "Debian's chrony is as the package made it");

    // From a server that this lab has, by NTS.
    let server = TimeServer::start(&world.lab.outside, OUTSIDE_NAME).unwrap();
    world.cell.put(&server.authority(), "/etc/ssl/lab.pem").unwrap();
    world.cell(
        "chmod 644 /etc/ssl/lab.pem; mkdir -p /etc/pic/templates
         { cat /usr/share/pic/templates/chrony.conf; echo 'ntstrustedcerts /etc/ssl/lab.pem'; } > /etc/pic/templates/chrony.conf",
    );
    world.cell(&format!(
        "printf '\\n[time]\\nupstreams = [\"nts://{OUTSIDE_NAME}\"]\\n' >> /etc/pic/cell.toml && picctl apply --yes"
    ));
    soon(&world, "the time", || time(&world)["synchronised"] == true);
    assert_eq!(time(&world)["sources"][0]["nts"], true);
    soon(&world, "a peer to be told", || is_served(&world));

    // Nobody is needed but systemd.
    world.cell("systemctl stop pic-agent; kill -KILL $(systemctl show --property=MainPID --value pic-time)");
    soon(&world, "the time without the agent", || is_served(&world));
    world.cell("systemctl restart pic-time");
    soon(&world, "the time after a restart", || is_served(&world));
    world.cell.shut_down().unwrap();
    world.cell.boot().unwrap();
    soon(&world, "the time after a reboot", || is_served(&world));
    assert_eq!(world.cell(HOSTS_OWN), chronys, "still so");

    world.install("--uninstall --purge --yes").ok().unwrap();
    assert!(!is_served(&world));
    assert_eq!(world.cell(HOSTS_OWN), chronys, "after the uninstall");
    assert!(world.cell.sh("pgrep -x pic-time; pgrep -x chronyd").unwrap().stdout.is_empty());
}

#[test]
fn beside_the_hosts_own_service_on_debian_13() {
    life(Release::Trixie);
}

#[test]
fn beside_the_hosts_own_service_on_debian_12() {
    life(Release::Bookworm);
}
