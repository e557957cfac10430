//! The cell's time: real chronyds outside, with and without NTS, real clients inside, strangers at the uplink.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pic_lab::cell::{Cell, Device, programs};
use pic_lab::chrony::{self, TimeServer};
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address;
use pic_lab::{Capture, Child, Internet, Namespace, Scratch, files, wait};

const SECOND: Duration = Duration::from_secs(1);
const LAN_CELL: &str = "192.168.40.1";
const CELL_TOML: &str = r#"[cell]
name = "home"

[dns]
upstreams = ["198.51.100.53"]
dnssec = false

[time]
upstreams = ["nts://www.outside.example"]

[[lan]]
name = "lan"
interface = "eth1"
ipv4 = "192.168.40.1/24"
allow = []
dhcp = { pool = "192.168.40.100-192.168.40.199" }
"#;

/// chronyd asks once in 64 seconds by default, and only then sees that a clock was set.
fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 150, what, condition).unwrap();
}

fn stratum(from: &Namespace, server: &str) -> Option<u8> {
    chrony::stratum(from, server.parse().unwrap(), SECOND * 2).ok()
}

fn time(cell: &Cell) -> serde_json::Value {
    serde_json::from_str(&cell.picctl("time --json").unwrap().stdout).unwrap_or_default()
}

/// The owner's template: the packaged one, and an authority that no system knows.
fn trust(cell: &Cell, authority: &Path) {
    let packaged = include_str!("../../templates/chrony.conf");
    let folder = cell.path("etc/templates");
    let _ = std::fs::create_dir(&folder);
    let text = format!("{packaged}ntstrustedcerts {}\n", authority.display());
    files::write(&folder.join("chrony.conf"), &text).unwrap();
}

struct Scene {
    cell: Cell,
    server: TimeServer,
    lan: Lan,
    lab: Internet,
}

fn start() -> Scene {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("lan").unwrap();
    lan.plug(&lab.cell, "eth1").unwrap();
    let server = TimeServer::start(&lab.outside, address::OUTSIDE_NAME).unwrap();
    let cell = Cell::with_chrony(&lab.cell, CELL_TOML).unwrap();
    trust(&cell, &server.authority());
    soon("the time", || time(&cell)["synchronised"] == true);
    Scene { cell, server, lan, lab }
}

fn host(lan: &Lan, name: &str, address: &str) -> Namespace {
    let namespace = Namespace::new(name).unwrap();
    lan.plug(&namespace, "eth0").unwrap();
    namespace.address("eth0", address).unwrap();
    namespace
}

#[test]
fn lans_and_peers_get_the_time_and_strangers_do_not() {
    let mut scene = start();
    let told = time(&scene.cell);
    assert_eq!(told["sources"][0]["nts"], true, "{told}");
    assert_eq!(told["sources"][0]["name"], address::OUTSIDE_NAME, "{told}");

    // A LAN that is granted nothing else.
    let laptop = host(&scene.lan, "laptop", "192.168.40.7/24");
    assert!(chrony::offset(&laptop, LAN_CELL).unwrap().abs() < 0.1);
    let own6 = scene.lab.cell.ip("-6 -br address show dev eth1 scope global").unwrap();
    let own6 = own6.split_whitespace().find(|word| word.starts_with("fd")).unwrap().to_owned();
    let own6 = own6.split('/').next().unwrap();
    laptop.address("eth0", &format!("{own6}77/64")).unwrap();
    soon("the time by IPv6", || chrony::offset(&laptop, own6).is_ok_and(|offset| offset.abs() < 0.1));

    // A peer, and one that is granted nothing.
    let (lab, cell) = (&scene.lab, &scene.cell);
    let phone = Device::connect(&lab.client, "phone", &cell.add("phone", "--allow cell").unwrap()).unwrap();
    soon("the time by the tunnel", || stratum(&lab.client, "10.77.0.1") == Some(2));
    cell.picctl("peer set phone --allow none --yes").unwrap().ok().unwrap();
    soon("the peer to be cut off", || stratum(&lab.client, "10.77.0.1").is_none());
    drop(phone);

    let knows = |key: &str, who: &str| {
        let listed = time(cell);
        listed["clients"].as_array().is_some_and(|clients| clients.iter().any(|one| one[key] == who))
    };
    soon("the laptop to be told of", || knows("address", "192.168.40.7"));
    soon("the phone to be told of", || knows("name", "phone"));

    strangers(lab);
    survives(&mut scene, &laptop);
}

/// Nothing of the time server's leaves by the uplink: by the firewall, and without it by chronyd's own list.
fn strangers(lab: &Internet) {
    let mut wire = Capture::start(&lab.cell, "eth0", "udp").unwrap();
    let echo = Internet::udp_echo().unwrap()[0];
    wire.prove(|marker| lab.cell.send_udp(echo, marker.bytes())).unwrap();
    let ask = |what: &str| {
        for target in address::CELL {
            assert_eq!(stratum(&lab.provider, target), None, "{what}: {target}");
        }
    };
    ask("with the firewall");
    lab.cell.run("nft delete table inet pic").unwrap().ok().unwrap();
    let cell: SocketAddr = format!("{}:123", address::CELL[0]).parse().unwrap();
    // A burst into the moment before the agent has the firewall back.
    for _ in 0..20 {
        lab.provider.send_udp(cell, &[0x23; 48]).unwrap();
    }
    ask("while the firewall comes back");
    let port = 123_u16.to_be_bytes();
    let answers = wire.stop().unwrap();
    // Ethernet 14, IPv4 20: the source port.
    assert!(answers.iter().all(|packet| packet.data.get(34..36) != Some(&port)), "an answer left");
}

/// Neither the agent nor chronyd has to be there all the time.
fn survives(scene: &mut Scene, laptop: &Namespace) {
    let pid = scene.cell.path("pic-time/chrony/chronyd.pid");
    let number = || std::fs::read_to_string(&pid).ok()?.trim().parse::<i32>().ok();
    scene.cell.kill_agent().unwrap();
    assert_eq!(stratum(laptop, LAN_CELL), Some(2), "without the agent");
    let before = number().unwrap();
    kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
    soon("another chronyd", || number().is_some_and(|now| now != before));
    soon("the time again", || stratum(laptop, LAN_CELL) == Some(2));
    scene.cell.start_agent().unwrap();

    // Without its sources it goes on, and says who is missing.
    scene.server.process.kill();
    // The laptop has just asked so often that it is not answered every time.
    soon("the time without its source", || stratum(laptop, LAN_CELL) == Some(2));
    scene.cell.teardown().unwrap();
    assert_eq!(stratum(laptop, LAN_CELL), None, "nothing is left of it");
    assert!(!pid.exists() || number().is_none_or(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
}

/// What udhcpc runs.
const SCRIPT: &str = "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nenv\n";

#[test]
fn dhcp_hands_the_cell_out_and_what_the_owner_says_counts() {
    let scene = start();
    let told = |name: &str, mac: &str| {
        let device = Namespace::new(name).unwrap();
        scene.lan.plug(&device, "eth0").unwrap();
        device.ip(&format!("link set eth0 address {mac}")).unwrap();
        let scratch = Scratch::new("client").unwrap();
        let script = scratch.join("script");
        files::write(&script, SCRIPT).unwrap();
        std::process::Command::new("chmod").arg("755").arg(&script).status().unwrap();
        let line = format!("busybox udhcpc -i eth0 -n -q -f -t 20 -T 1 -O ntpsrv -s {}", script.display());
        let out = device.run(&line).unwrap().stdout;
        out.lines().find_map(|line| line.strip_prefix("ntpsrv=")).map(str::to_owned)
    };
    assert_eq!(told("phone", "02:00:00:00:00:01").as_deref(), Some(LAN_CELL));
    scene.cell.picctl("config set time.serve false --yes").unwrap().ok().unwrap();
    soon("the service to end", || time(&scene.cell)["serving"] == false);
    assert_eq!(time(&scene.cell)["words"], "time.serve is false");
    let laptop = host(&scene.lan, "laptop", "192.168.40.7/24");
    assert_eq!(stratum(&laptop, LAN_CELL), None);
    soon("DHCP to say nothing of it", || told("tv", "02:00:00:00:00:02").is_none());
    drop(scene.server);
}

#[test]
fn without_chrony_the_doctor_says_what_to_do() {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("lan").unwrap();
    lan.plug(&lab.cell, "eth1").unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    if Path::new("/usr/sbin/chronyd").exists() {
        return;
    }
    assert!(cell.picctl("doctor").unwrap().stdout.contains("apt-get install chrony"));
    assert!(time(&cell)["words"].as_str().unwrap().contains("apt-get install chrony"));
}

/// `pic-time` alone, with a clock that libfaketime shows it.
struct Skewed {
    _process: Child,
    scratch: Scratch,
}

impl Skewed {
    fn start(namespace: &Namespace, source: &str, authority: Option<&Path>) -> Self {
        let scratch = Scratch::new("skewed").unwrap();
        let at = |name: &str| scratch.join(name);
        let snapshot = format!(r#"{{"version":1,"sources":["{source}"],"clients":["198.51.100.0/24"]}}"#);
        files::write(&at("time.json"), &snapshot).unwrap();
        let packaged = include_str!("../../templates/chrony.conf");
        let trusted =
            authority.map(|path| format!("ntstrustedcerts {}\n", path.display())).unwrap_or_default();
        files::write(&at("template"), format!("{packaged}{trusted}")).unwrap();
        let library = ["x86_64", "aarch64"]
            .map(|machine| format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1"))
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap();
        let skewed = Self::process(namespace, &scratch, &library);
        Self { _process: skewed, scratch }
    }

    fn process(namespace: &Namespace, scratch: &Scratch, library: &str) -> Child {
        let mut command = namespace.command(programs().join("pic-time"));
        for (option, name) in [
            ("--snapshot", "time.json"),
            ("--template", "template"),
            ("--status", "status.json"),
            ("--run", "run"),
            ("--state", "state"),
        ] {
            command.arg(option).arg(scratch.join(name));
        }
        command.arg("--chrony").arg(chrony::root().unwrap());
        // The shift is read anew each second.
        files::write(&scratch.join("shift"), "-17000d\n").unwrap();
        command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", scratch.join("shift"));
        command.env("FAKETIME_CACHE_DURATION", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Child::spawn(command).unwrap()
    }

    fn set(&self, shift: &str) {
        files::write(&self.scratch.join("shift"), shift).unwrap();
    }

    fn host_offset(&self) -> Option<f64> {
        let text = std::fs::read_to_string(self.scratch.join("status.json")).ok()?;
        let status: serde_json::Value = serde_json::from_str(&text).ok()?;
        (status["tracking"]["synchronised"] == true).then(|| status["tracking"]["offset"].as_f64())?
    }
}

/// A cold start in 1980, with NTS: no certificate is valid yet, and the time served is right all the same. Then the
/// host's clock is set by somebody, far ahead and back.
#[test]
fn clocks_that_are_years_off_are_served_rightly() {
    let lab = Internet::start().unwrap();
    let server = TimeServer::start(&lab.outside, address::OUTSIDE_NAME).unwrap();
    let skewed =
        Skewed::start(&lab.cell, &format!("nts://{}", address::OUTSIDE_NAME), Some(&server.authority()));
    let years = |offset: Option<f64>| offset.map(|seconds| (seconds / 31_557_600.0).round());
    let served = || {
        let server = IpAddr::V4(Ipv4Addr::from_octets([203, 0, 113, 10]));
        chrony::offset(&lab.outside, &server.to_string()).is_ok_and(|offset| offset.abs() < 0.5)
    };
    soon("the time in 1980", || years(skewed.host_offset()) == Some(-47.0));
    soon("to be served", served);
    skewed.set("+3652d\n");
    soon("the jump to be noticed", || years(skewed.host_offset()) == Some(10.0));
    soon("to be served ten years ahead", served);
    skewed.set("+0d\n");
    soon("the clock that was put right", || years(skewed.host_offset()) == Some(0.0));
    soon("to be served at last", served);
}
