//! Running connections when what lets them run goes: TCP, UDP and pings, in both families, seen on the tunnel. And errors
//! about them, which find their way to the right side.

use std::io;
use std::net::SocketAddr;

use pic_lab::cell::Cell;
use pic_lab::netns::internet::address::CELL;
use pic_lab::{Capture, Child, Marker, Namespace, Scratch, files, wait};

use crate::scene::{PATIENCE, Place, SECOND, Scene};

/// Answers without end, each transport and family with bytes of its own: whoever asks once by UDP, and whoever connects.
const STREAM: &str = "import socket,sys,threading,time
what = [bytes.fromhex(word) for word in sys.argv[1:]]
def repeat(send, data):
    while True:
        try:
            send(data)
        except ConnectionError:
            return
        except OSError:
            pass
        time.sleep(0.02)
def opened(family, kind, at, port):
    s = socket.socket(family, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((at, port))
    return s
def udp(family, at, data):
    s = opened(family, socket.SOCK_DGRAM, at, 7001)
    who = s.recvfrom(100)[1]
    repeat(lambda data: s.sendto(data, who), data)
def tcp(family, at, data):
    s = opened(family, socket.SOCK_STREAM, at, 7002)
    s.listen()
    repeat(s.accept()[0].sendall, data)
for kind, words in ((udp, what[:2]), (tcp, what[2:])):
    for (family, at), data in zip(((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')), words):
        threading.Thread(target=kind, args=(family, at, data)).start()
";

/// Asks by UDP, and talks by TCP until that is over.
const TALK: &str = "import socket,sys,threading,time
def tcp(at):
    s = socket.create_connection((at, 7002), 10)
    try:
        while True:
            s.sendall(b'x')
            if not s.recv(100):
                break
            time.sleep(0.02)
    except OSError:
        pass
    print('over', at, flush=True)
for at in sys.argv[1:]:
    s = socket.socket(socket.AF_INET6 if ':' in at else socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b'x', (at, 7001))
    globals()['keep' + at] = s
    threading.Thread(target=tcp, args=(at,)).start()
";

const VISITOR: [&str; 2] = ["192.168.41.77", "fd00:41::77"];

fn python(host: &Namespace, scratch: &Scratch, script: &str, words: &str) -> Child {
    let path = scratch.join(if script == STREAM { "stream.py" } else { "talk.py" });
    files::write(&path, script).unwrap();
    host.spawn(&format!("python3 {} {words}", path.display())).unwrap()
}

#[test]
fn answers_end_with_the_grant_for_every_transport() {
    let place = Place::new();
    let scene = Scene::start(&place);
    let (phone, scratch) = (&place.lab.client, Scratch::new("flows").unwrap());
    // What comes back from the visitor, as the tunnel carries it to the phone.
    let from = format!("src host {} or src host {}", VISITOR[0], VISITOR[1]);
    let mut wire = Capture::start(&place.lab.cell, "pic0", &from).unwrap();
    for at in VISITOR {
        wire.prove(|marker| phone.ping(at, 1, Some(marker)).map(drop)).unwrap();
    }
    let names = ["UDP", "UDP over v6", "TCP", "TCP over v6", "ping", "ping over v6"];
    let secrets = names.map(|_| Marker::random().unwrap());
    let words: Vec<_> = secrets.iter().take(4).map(Marker::hex).collect();
    let _stream = python(&place.visitor, &scratch, STREAM, &words.join(" "));
    let listens = || {
        let seen = place.visitor.run("ss -Hlntu").unwrap().stdout;
        seen.matches(":7001 ").count() >= 2 && seen.matches(":7002 ").count() >= 2
    };
    wait::until(PATIENCE, "the visitor's servers", listens).unwrap();
    let mut talk = python(phone, &scratch, TALK, &VISITOR.join(" "));
    let _pings: Vec<_> = VISITOR
        .iter()
        .zip(&secrets[4..])
        .map(|(at, secret)| phone.spawn(&format!("ping -q -i 0.05 -p {} {at}", secret.hex())).unwrap())
        .collect();
    let counts = || secrets.iter().map(|secret| wire.count(secret).unwrap()).collect::<Vec<_>>();
    wait::until(PATIENCE, "answers of all kinds", || counts().iter().all(|count| *count >= 3))
        .unwrap_or_else(|error| panic!("{error:#}: {names:?} {:?}", counts()));

    scene.picctl("revoke phones guests");
    let told = || scene.cell.log().contains("ended connections whose right has gone");
    wait::until(PATIENCE, "the end of the connections", told).unwrap();
    // What was on its way has arrived when nothing has come for a while.
    let mut last = counts();
    wait::until(PATIENCE, "silence", || {
        wait::pause(SECOND / 2);
        let before = std::mem::replace(&mut last, counts());
        last == before
    })
    .unwrap_or_else(|error| panic!("{error:#}: {names:?} {last:?}\n{}", scene.cell.log()));
    wait::pause(SECOND);
    assert_eq!(counts(), last, "{names:?}");
    // Both ends of TCP know it, too.
    wait::until(PATIENCE, "the end of the phone's connections", || !talk.is_running()).unwrap();
    let left = || place.visitor.run("ss -Hnt state established sport = :7002").unwrap().stdout;
    wait::until(PATIENCE, "the end of the visitor's connections", || left().trim().is_empty()).unwrap();
    // What was not meant goes on.
    assert!(crate::scene::connects(phone, [192, 168, 42, 77].into(), 8080));
}

/// Answers whoever asks once without end, at a port.
const ENDLESS: &str = "import socket,sys,time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 7003))
who = s.recvfrom(100)[1]
while True:
    try:
        s.sendto(bytes.fromhex(sys.argv[1]), who)
    except OSError:
        pass
    time.sleep(0.02)
";

#[test]
fn an_agent_that_begins_ends_what_has_no_right() {
    let place = Place::new();
    let mut scene = Scene::start(&place);
    let (phone, scratch) = (&place.lab.client, Scratch::new("flows").unwrap());
    let mut wire = Capture::start(&place.lab.cell, "pic0", &format!("src host {}", VISITOR[0])).unwrap();
    wire.prove(|marker| phone.ping(VISITOR[0], 1, Some(marker)).map(drop)).unwrap();
    scene.picctl("revoke phones guests");
    let secret = Marker::random().unwrap();
    let path = scratch.join("endless.py");
    files::write(&path, ENDLESS).unwrap();
    let _endless = place.visitor.spawn(&format!("python3 {} {}", path.display(), secret.hex())).unwrap();
    let listens = || place.visitor.run("ss -Hlnu").unwrap().stdout.contains(":7003 ");
    wait::until(PATIENCE, "the visitor's server", listens).unwrap();
    // A right that nobody of ours gave, while nobody of ours looks.
    scene.cell.kill_agent().unwrap();
    let right = format!("10.77.0.2 . {} . udp . 7003", VISITOR[0]);
    place.lab.cell.nft(&format!("add element inet pic flows4_32_32 {{ {right} }}")).unwrap();
    let to = SocketAddr::new(VISITOR[0].parse().unwrap(), 7003);
    let begins = || {
        phone.send_udp(to, b"x").unwrap();
        wire.count(&secret).unwrap() > 0
    };
    wait::until(PATIENCE, "answers", begins).unwrap();

    let before = endings(&scene.cell);
    scene.cell.start_agent().unwrap();
    falls_silent(&wire, &secret, &scene.cell, before);
}

/// How often the agent has ended connections.
fn endings(cell: &Cell) -> usize {
    cell.log().matches("ended connections whose right has gone").count()
}

/// Answers end, and because the agent ended them, which it had done so often before.
fn falls_silent(wire: &Capture, secret: &Marker, cell: &Cell, before: usize) {
    wait::until(PATIENCE, "the end of the connection", || endings(cell) > before)
        .unwrap_or_else(|error| panic!("{error:#}\n{}", cell.log()));
    let mut last = wire.count(secret).unwrap();
    wait::until(PATIENCE, "silence", || {
        wait::pause(SECOND);
        let before = std::mem::replace(&mut last, wire.count(secret).unwrap());
        last == before
    })
    .unwrap_or_else(|error| panic!("{error:#}: {last}\n{}", cell.log()));
}

/// A server on the NAS that answers somebody outside, by a port of the cell that leads to it, without end.
fn answers_outside(place: &Place, wire: &Capture, secret: &Marker, scratch: &Scratch) -> Child {
    let path = scratch.join("endless.py");
    files::write(&path, ENDLESS).unwrap();
    let server = place.nas.spawn(&format!("python3 {} {}", path.display(), secret.hex())).unwrap();
    let listens = || place.nas.run("ss -Hlnu").unwrap().stdout.contains(":7003 ");
    wait::until(PATIENCE, "the server", listens).unwrap();
    let to = SocketAddr::new(CELL[0].parse().unwrap(), 7003);
    let begins = || {
        place.lab.outside.send_udp(to, b"x").unwrap();
        wire.count(secret).unwrap() > 0
    };
    wait::until(PATIENCE, "answers", begins).unwrap();
    server
}

#[test]
fn a_forward_that_goes_while_no_agent_runs_ends_what_it_let_in() {
    let place = Place::new();
    let mut scene = Scene::start(&place);
    let scratch = Scratch::new("flows").unwrap();
    let mut wire = Capture::start(&place.lab.cell, "eth0", "udp and port 7003").unwrap();
    let to = SocketAddr::new(CELL[0].parse().unwrap(), 7003);
    wire.prove(|marker| place.lab.outside.send_udp(to, marker.bytes())).unwrap();
    let file = scene.cell.path("etc/cell.toml");
    let without = files::read(&file).unwrap();

    // Its owner takes it out of the file, and applies that when the agent is back.
    scene.picctl("forward add udp/7003 nas:7003");
    let with = files::read(&file).unwrap();
    let first = Marker::random().unwrap();
    let server = answers_outside(&place, &wire, &first, &scratch);
    scene.cell.kill_agent().unwrap();
    files::write(&file, format!("{without}\n# Nobody needs it any more.\n")).unwrap();
    scene.cell.start_agent().unwrap();
    let before = endings(&scene.cell);
    scene.picctl("apply --yes");
    falls_silent(&wire, &first, &scene.cell, before);
    drop(server);

    // A change that nobody confirms, and whose time is over when the agent is back.
    let tried = scratch.join("tried.toml");
    files::write(&tried, &with).unwrap();
    let applied = scene.cell.picctl(&format!("apply -f {} --yes --confirm 10s", tried.display())).unwrap();
    assert_eq!(applied.code(), 4, "{}{}", applied.stdout, applied.stderr);
    let second = Marker::random().unwrap();
    let _server = answers_outside(&place, &wire, &second, &scratch);
    scene.cell.kill_agent().unwrap();
    wait::pause(SECOND * 10);
    let before = endings(&scene.cell);
    scene.cell.start_agent().unwrap();
    assert!(!scene.picctl("forward list").contains("7003"));
    falls_silent(&wire, &second, &scene.cell, before);
}

#[test]
fn errors_about_forwarded_connections_reach_the_right_side() {
    let place = Place::new();
    let scene = Scene::start(&place);
    let (outside, provider) = (&place.lab.outside, &place.lab.provider);
    // To whoever asks: nobody listens there.
    scene.picctl("forward add udp/9003 nas:9");
    for cell in CELL {
        let to = SocketAddr::new(cell.parse().unwrap(), 9003);
        let refused = || {
            let answer = outside.ask_udp(to, b"anybody?", SECOND);
            let error = answer.err().and_then(|error| error.downcast::<io::Error>().ok());
            error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        wait::until(PATIENCE, "the refusal", refused).unwrap_or_else(|error| panic!("{cell}: {error:#}"));
    }
    // To whoever answers: what he sends is too large for the way.
    provider.ip("link set out mtu 1300").unwrap();
    for cell in CELL {
        let to = SocketAddr::new(cell.parse().unwrap(), 9000);
        let whole = || outside.http_get(to, "/src/cell.rs", SECOND * 5).is_ok_and(|page| page.len() > 5000);
        wait::until(PATIENCE, "a large page by a narrow way", whole)
            .unwrap_or_else(|error| panic!("{cell}: {error:#}"));
    }
}
