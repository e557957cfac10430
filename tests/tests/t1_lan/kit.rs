//! A cell with two LANs, and hosts to plug in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::{Child, Internet, Namespace, Scratch, wait};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const CELL_TOML: &str = r#"[cell]
name = "home"

[dns]
upstreams = ["198.51.100.53"]
dnssec = false

[[lan]]
name = "lan"
interface = "eth1"
ipv4 = "192.168.40.1/24"

[lan.dhcp]
pool = "192.168.40.100-192.168.40.199"

[lan.dhcp.options]
ntp = "192.168.40.1"
routes = "10.0.0.0/8 via 192.168.40.2"

[[lan]]
name = "guests"
interface = "eth2"
ipv4 = "192.168.41.1/24"
allow = ["internet"]
dhcp = { pool = "192.168.41.100-192.168.41.199", lease = "1h" }

[[reservation]]
lan = "lan"
mac = "02:00:00:00:00:10"
address = "192.168.40.10"
name = "printer"
"#;

/// What udhcpc runs: takes the address and tells what it was told.
const SCRIPT: &str = r#"#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip address replace "$ip/$mask" dev "$interface"
[ -z "$router" ] || ip route replace default via "$router"
env
"#;

/// A host on the LAN.
pub(crate) struct Host {
    pub(crate) namespace: Namespace,
    pub(crate) scratch: Scratch,
}

impl Host {
    pub(crate) fn plug(lan: &Lan, name: &str, mac: &str) -> Self {
        let namespace = Namespace::new(name).unwrap();
        lan.plug(&namespace, "eth0").unwrap();
        namespace.ip(&format!("link set eth0 address {mac}")).unwrap();
        let scratch = Scratch::new("client").unwrap();
        let script = scratch.join("script");
        pic_lab::files::write(&script, SCRIPT).unwrap();
        std::process::Command::new("chmod").arg("755").arg(&script).status().unwrap();
        Self { namespace, scratch }
    }

    /// Gets an address by udhcpc; what it was told.
    pub(crate) fn udhcpc(&self, interface: &str, name: &str) -> String {
        let script = self.scratch.join("script");
        let line = format!(
            "busybox udhcpc -i {interface} -n -q -f -t 8 -T 1 -x hostname:{name} -O ntpsrv -O staticroutes -s {}",
            script.display()
        );
        let out = self.namespace.run(&line).unwrap();
        assert_eq!(out.code(), 0, "{}{}", out.stdout, out.stderr);
        out.stdout
    }

    /// Runs udhcpc with these further options until it is ended; each event is told in the file `events`, what it is last.
    pub(crate) fn stay(&self, interface: &str, options: &str) -> Child {
        let script = self.scratch.join("staying");
        let events = self.scratch.join("events");
        let text =
            SCRIPT.replace("\nenv\n", &format!("\n{{ env; echo \"event=$1\"; }} >> {}\n", events.display()));
        pic_lab::files::write(&script, &text).unwrap();
        std::process::Command::new("chmod").arg("755").arg(&script).status().unwrap();
        let line =
            format!("busybox udhcpc -i {interface} -f -t 8 -T 1 -A 1 {options} -s {}", script.display());
        self.namespace.spawn(&line).unwrap()
    }

    /// What [`Host::stay`] has told so far.
    pub(crate) fn events(&self) -> String {
        std::fs::read_to_string(self.scratch.join("events")).unwrap_or_default()
    }

    pub(crate) fn address(&self, interface: &str) -> String {
        let shown = self.namespace.ip(&format!("-4 -br address show dev {interface}")).unwrap();
        shown.split_whitespace().nth(2).unwrap_or_default().to_owned()
    }
}

pub(crate) fn told(env: &str, name: &str) -> String {
    let line = env.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    line.unwrap_or_default().to_owned()
}

pub(crate) fn http(from: &Namespace, to: &str, port: u16) -> bool {
    let to: IpAddr = to.parse().unwrap();
    from.http_get(SocketAddr::new(to, port), "/", SECOND).is_ok()
}

pub(crate) fn pings(from: &Namespace, target: &str) -> bool {
    from.ping(target, 1, None).is_ok_and(|pings| pings.all_back())
}

pub(crate) fn dig(from: &Namespace, words: &str) -> String {
    from.run(&format!("dig +short +time=1 +tries=1 {words}")).unwrap().stdout.trim().to_owned()
}

pub(crate) fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 20, what, condition).unwrap();
}

pub(crate) fn start() -> (Internet, [Lan; 2], Cell) {
    let lab = Internet::start().unwrap();
    let lans = [Lan::new("lan").unwrap(), Lan::new("guests").unwrap()];
    lans[0].plug(&lab.cell, "eth1").unwrap();
    lans[1].plug(&lab.cell, "eth2").unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    soon("the LAN to be served", || {
        cell.picctl("dhcp leases --json").unwrap().stdout.matches("\"serving\":true").count() == 2
    });
    (lab, lans, cell)
}
