//! Whoever begins too often is stopped, and nobody else is.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::internet::address::{CELL, OUTSIDE, PROVIDER};
use pic_lab::{Child, Internet, Namespace, wait};

use crate::PATIENCE;

const SECOND: Duration = Duration::from_secs(1);

/// So few that no test is fast enough to be let through again.
const CELL_TOML: &str = r#"[cell]
name = "home"
[firewall]
limit = "6/hour"
limit_ssh = "3/hour"
open = ["tcp/7000"]
"#;

/// Answers each line with itself, in both families.
const ECHO: &str = "import socket,socketserver,sys
class H(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class S(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    address_family = socket.AF_INET6
    request_queue_size = 100
S(('::', int(sys.argv[1])), H).serve_forever()
";

fn echo(host: &Namespace, script: &std::path::Path, port: u16) -> Child {
    let child = host.spawn(&format!("python3 {} {port}", script.display())).unwrap();
    let up = || begins(host, "127.0.0.1", port).is_some();
    wait::until(PATIENCE, "the server", up).unwrap();
    child
}

/// A connection that is open, if one comes about.
fn begins(from: &Namespace, to: &str, port: u16) -> Option<TcpStream> {
    let to = SocketAddr::new(to.parse().unwrap(), port);
    from.enter(|| TcpStream::connect_timeout(&to, SECOND).ok()).unwrap()
}

fn is_alive(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = [0; 6];
    stream.write_all(b"hello\n").is_ok() && stream.read_exact(&mut answer).is_ok() && &answer == b"hello\n"
}

/// Begins until nothing comes of it; the connections that came about.
fn exhaust(from: &Namespace, to: &str, port: u16) -> Vec<TcpStream> {
    std::iter::from_fn(|| begins(from, to, port)).take(100).collect()
}

fn turned_away(cell: &Cell, what: &str) -> u64 {
    let status: serde_json::Value =
        serde_json::from_str(&cell.picctl("status --json").unwrap().ok().unwrap()).unwrap();
    status["turned_away"][what].as_u64().unwrap()
}

#[test]
fn a_stranger_who_begins_too_often_is_stopped_and_nobody_else() {
    let lab = Internet::start().unwrap();
    let other = Namespace::new("other").unwrap();
    lab.public.plug(&other, "eth0").unwrap();
    other.address("eth0", "203.0.113.30/24").unwrap();
    other.ip("address add 2001:db8:1::30/64 dev eth0 nodad").unwrap();
    other.default_route(PROVIDER[0]).unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let script = cell.path("echo.py");
    pic_lab::files::write(&script, ECHO).unwrap();
    let _servers = [echo(&lab.cell, &script, 7000), echo(&lab.cell, &script, 22)];
    assert_eq!((turned_away(&cell, "other"), turned_away(&cell, "ssh")), (0, 0));

    // In each family by itself, and by the /64 in v6.
    for (to, own) in CELL.into_iter().zip(OUTSIDE) {
        let before = turned_away(&cell, "other");
        let mut open = exhaust(&lab.outside, to, 7000);
        assert_eq!(open.len(), 6, "{own}");
        assert!(open.iter_mut().all(is_alive), "what was begun goes on");
        assert!(turned_away(&cell, "other") > before);
        assert!(begins(&other, to, 7000).is_some(), "another source gets through");
    }
    lab.outside.ip("address add 2001:db8:f::abcd/64 dev eth0 nodad").unwrap();
    lab.outside.ip("-6 route replace default via 2001:db8:f::1 dev eth0 src 2001:db8:f::abcd").unwrap();
    assert!(
        begins(&lab.outside, CELL[1], 7000).is_none(),
        "another address of the same network is the same source"
    );

    // Ssh is counted apart, and an admin is not counted.
    assert_eq!(exhaust(&lab.outside, CELL[0], 22).len(), 3);
    assert!(turned_away(&cell, "ssh") > 0 && begins(&other, CELL[0], 22).is_some());
    let doctor = cell.picctl("doctor").unwrap().stdout;
    assert!(doctor.contains("turned away"), "{doctor}");
    let admin = format!("config set firewall.admin [\"{}\"] --yes", OUTSIDE[0]);
    cell.picctl(&admin).unwrap().ok().unwrap();
    wait::until(PATIENCE, "the admin to be let in", || begins(&lab.outside, CELL[0], 7000).is_some())
        .unwrap();
    let all: Vec<_> = (0..20).filter_map(|_| begins(&lab.outside, CELL[0], 7000)).collect();
    assert_eq!(all.len(), 20, "an admin is not limited");
}

#[test]
fn forwards_and_the_tunnels_port_are_limited_too() {
    let lab = Internet::start().unwrap();
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let config = cell.add("tablet", "").unwrap();
    let _device = Device::connect(&lab.client, "tablet", &config).unwrap();
    let script = cell.path("echo.py");
    pic_lab::files::write(&script, ECHO).unwrap();
    let _server = echo(&lab.client, &script, 7000);
    cell.picctl("forward add tcp/9001 tablet:7000").unwrap().ok().unwrap();
    let up = || lab.client.ping("10.77.0.1", 1, None).is_ok_and(|pings| pings.all_back());
    wait::until(PATIENCE, "the tunnel", up).unwrap();
    let mut open = exhaust(&lab.outside, CELL[0], 9001);
    assert_eq!(open.len(), 6);
    assert!(open.iter_mut().all(is_alive), "what was begun goes on");
    // Datagrams of a stranger at the tunnel's port, each from another port of his: they count as connections.
    let (port, before) =
        (SocketAddr::new(CELL[0].parse::<IpAddr>().unwrap(), 51820), turned_away(&cell, "other"));
    for _ in 0..20 {
        lab.outside.send_udp(port, b"knock").unwrap();
    }
    let counted = || turned_away(&cell, "other") >= before + 20;
    wait::until(PATIENCE, "the datagrams to be counted", counted).unwrap();
    // The device's own way in is not affected.
    assert!(up());
}
