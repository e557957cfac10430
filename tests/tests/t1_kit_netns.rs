//! The lab's namespaces: they connect as drawn, captures see what passes, nothing outlives its test.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pic_lab::netns::internet::address;
use pic_lab::netns::{Lan, veth};
use pic_lab::{Capture, Internet, Marker, Namespace, files, sweep, wait};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_internet_connects_as_drawn() {
    let lab = Internet::start().unwrap();
    for family in 0..2 {
        assert!(lab.client.ping(address::CELL[family], 2, None).unwrap().all_back());
        assert!(lab.cell.ping(address::OUTSIDE[family], 2, None).unwrap().all_back());
        // Nobody outside reaches the client by itself.
        assert_eq!(
            lab.outside.ping(address::CLIENT[family], 1, None).ok().map(|pings| pings.received).unwrap_or(0),
            0
        );
        let answer = lab.client.http_get(Internet::web().unwrap()[family], "/", SECOND * 5).unwrap();
        let seen_as = [address::ROUTER[0], address::CLIENT[1]][family];
        assert!(answer.ends_with(&format!("\r\n\r\n{seen_as}\n")), "{answer}");
        let echo = lab.client.ask_udp(Internet::udp_echo().unwrap()[family], b"hello", SECOND * 5).unwrap();
        assert_eq!(echo, b"hello");
    }
    let from: Vec<IpAddr> = lab.echo.seen().iter().map(|seen| seen.from.ip()).collect();
    assert_eq!(from.len(), 4);
    assert!(!from.contains(&address::CLIENT[0].parse().unwrap()), "NAT leaks: {from:?}");
}

#[test]
fn the_outside_has_names() {
    let lab = Internet::start().unwrap();
    let dns = lab.dns.as_ref().expect("dnsmasq-base is installed");
    let address =
        lab.client.run(&format!("getent ahostsv4 {}", address::OUTSIDE_NAME)).unwrap().ok().unwrap();
    assert!(address.starts_with(address::OUTSIDE[0]), "{address}");
    assert!(dns.queries().unwrap().iter().any(|query| query.contains(address::OUTSIDE_NAME)));
}

#[test]
fn a_capture_sees_marked_packets_and_only_where_they_pass() {
    let lab = Internet::start().unwrap();
    let (here, elsewhere) = (Marker::random().unwrap(), Marker::random().unwrap());
    let mut capture = Capture::start(&lab.router, "wan", "").unwrap();
    assert!(capture.count(&here).is_err(), "an unproven capture must not be believed");
    capture.prove(|marker| lab.client.send_udp(Internet::udp_echo()?[0], marker.bytes())).unwrap();
    assert!(lab.client.ping(address::OUTSIDE[1], 3, Some(&here)).unwrap().all_back());
    assert!(lab.client.ping(address::HOME[0], 3, Some(&elsewhere)).unwrap().all_back());
    capture.wait_for("the last ping", SECOND, |packet| packet.carries(&here)).unwrap();
    wait::until(SECOND, "all pings in the capture", || capture.count(&here).unwrap() == 6).unwrap();
    capture.ensure_none(&elsewhere).unwrap();
    assert!(capture.ensure_none(&here).is_err());
    let packets = capture.stop().unwrap();
    let ping = packets.iter().find(|packet| packet.carries(&here)).unwrap();
    let (from, to) = ping.addresses().unwrap();
    assert_eq!(
        (from.to_string().as_str(), to.to_string().as_str()),
        (address::CLIENT[1], address::OUTSIDE[1])
    );
}

#[test]
fn a_blind_capture_fails_its_control() {
    let lab = Internet::start().unwrap();
    let mut capture = Capture::start(&lab.router, "wan", "tcp port 1").unwrap();
    let error =
        capture.prove(|marker| lab.client.send_udp(Internet::udp_echo()?[0], marker.bytes())).unwrap_err();
    assert!(format!("{error:#}").contains("blind"), "{error:#}");
}

#[test]
fn a_capture_on_a_missing_interface_says_so() {
    let namespace = Namespace::new("empty").unwrap();
    let error = Capture::start(&namespace, "eth9", "").unwrap_err();
    assert!(format!("{error:#}").contains("eth9"), "{error:#}");
}

#[test]
fn a_lan_joins_namespaces() {
    let lan = Lan::new("lan").unwrap();
    let hosts = ["a", "b", "c"].map(|name| Namespace::new(name).unwrap());
    for (number, host) in (1..).zip(&hosts) {
        lan.plug(host, "eth0").unwrap();
        host.address("eth0", &format!("10.9.8.{number}/24")).unwrap();
        host.address("eth0", &format!("fd09::{number}/64")).unwrap();
        host.ensure_up("eth0").unwrap();
    }
    let mut capture = Capture::start(lan.namespace(), lan.bridge(), "icmp or icmp6").unwrap();
    capture.prove(|marker| hosts[0].ping("10.9.8.2", 1, Some(marker)).map(drop)).unwrap();
    assert!(hosts[2].ping("fd09::1", 2, None).unwrap().all_back());
}

#[test]
fn namespaces_keep_their_own_settings() {
    let [a, b] = ["a", "b"].map(|name| Namespace::new(name).unwrap());
    veth(&a, "x", &b, "y").unwrap();
    a.forward().unwrap();
    let read = |namespace: &Namespace| namespace.run("cat /proc/sys/net/ipv4/ip_forward").unwrap().stdout;
    assert_eq!((read(&a).trim(), read(&b).trim()), ("1", "0"));
    assert!(a.sysctl("kernel.hostname", "x").is_err());
    a.nft("table inet t {}").unwrap();
    assert!(a.nft("table inet").is_err());
    assert_eq!(b.run("nft list ruleset").unwrap().stdout, "");
}

#[test]
fn dropped_namespaces_are_gone() {
    let namespace = Namespace::new("short").unwrap();
    namespace.set_resolv_conf("nameserver 192.0.2.1\n").unwrap();
    let (path, etc) = (namespace.path(), Path::new("/etc/netns").join(namespace.name()));
    assert!(path.exists() && etc.exists());
    drop(namespace);
    assert!(!path.exists() && !etc.exists());
}

/// Not a test of its own: [`nothing_survives_a_killed_test`] runs it in a process that it kills.
#[test]
#[ignore = "runs until it is killed"]
fn helper_that_never_ends() {
    let namespace = Namespace::new("doomed").unwrap();
    let child = namespace.spawn("sleep 1000").unwrap();
    std::io::stdout()
        .write_all(format!("\nREADY {} {}\n", namespace.name(), child.pid()).as_bytes())
        .unwrap();
    wait::pause(Duration::from_secs(60));
}

#[test]
fn nothing_survives_a_killed_test() {
    let scratch = pic_lab::Scratch::new("victim").unwrap();
    let log = scratch.join("out");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_that_never_ends", "--ignored", "--nocapture"])
        .stdout(std::fs::File::create(&log).unwrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let ready = wait::value(SECOND * 20, "the helper", || {
        Ok(files::read(&log)?.lines().find_map(|line| line.strip_prefix("READY ").map(str::to_owned)))
    });
    victim.kill().unwrap();
    victim.wait().unwrap();
    let ready = ready.unwrap();
    let (namespace, child) = ready.split_once(' ').unwrap();
    wait::until(SECOND * 5, "the death of the helper's child", || !Path::new("/proc").join(child).exists())
        .unwrap();
    let path = Path::new("/run/netns").join(namespace);
    assert!(path.exists(), "a killed process cannot delete its namespace");
    sweep::now();
    assert!(!path.exists(), "the sweep left {namespace}");
}
