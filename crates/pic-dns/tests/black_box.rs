//! The program as clients see it, asked by dig and by raw sockets.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use kit::{Service, dig, dnsperf, fresh_address, snapshot, wait_for};
use pic_model::snapshot::dns::Upstream;

/// A question for the address of the phone, id 7.
const QUESTION: &[u8] =
    b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05phone\x04home\x04cell\x00\x00\x01\x00\x01";

#[test]
fn serves_its_zones() {
    let service = Service::start(&snapshot(fresh_address(), vec![]), &[]);
    assert_eq!(service.dig(&["+short", "phone.home.cell"]), "10.77.0.2\n");
    assert_eq!(service.dig(&["+short", "+tcp", "phone.home.cell", "AAAA"]), "fd77::2\n");
    assert_eq!(service.dig(&["+short", "+noedns", "PHONE.home.CELL"]), "10.77.0.2\n");
    assert_eq!(service.dig(&["+short", "-x", "10.77.0.2"]), "phone.home.cell.\n");
    let no = service.dig(&["nobody.home.cell"]);
    assert!(
        no.contains("status: NXDOMAIN") && no.contains("flags: qr aa rd ra;") && no.contains("SOA"),
        "{no}"
    );
    let none = service.dig(&["home.cell", "MX"]);
    assert!(none.contains("status: NOERROR") && none.contains("ANSWER: 0, AUTHORITY: 1"), "{none}");
    assert!(service.dig(&["+ignore", "+bufsize=512", "many.home.cell"]).contains("flags: qr aa tc rd ra;"));
    assert_eq!(service.dig(&["+short", "many.home.cell"]).lines().count(), 150, "by TCP after truncation");
    assert!(service.dig(&["home.cell", "AXFR"]).contains("Transfer failed"));
    assert!(service.dig(&["+edns=1", "+noednsnegotiation", "home.cell"]).contains("BADVERS"));
    assert!(service.dig(&["+opcode=notify", "home.cell"]).contains("NOTIMP"));
    assert!(service.dig(&["other.cell"]).contains("NXDOMAIN"), "stays here");
    let lost = service.dig(&["example.com"]);
    assert!(lost.contains("SERVFAIL") && lost.contains("no upstream resolver"), "{lost}");
    assert!(service.terminate());
}

#[test]
fn refuses_strangers() {
    let mut picky = snapshot(fresh_address(), vec![]);
    picky.clients = vec!["10.77.0.0/16".parse().unwrap()];
    let service = Service::start(&picky, &[]);
    assert!(service.dig(&["phone.home.cell"]).contains("REFUSED"));
    assert!(service.dig(&["+tcp", "phone.home.cell"]).contains("REFUSED"));
}

#[test]
fn follows_the_snapshot_without_dropping_a_query() {
    let first = snapshot(fresh_address(), vec![]);
    let service = Service::start(&first, &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(service.at).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut next = first.clone();
    for generation in 2..12_u8 {
        next.generation = generation.into();
        next.zones[0].hosts[2].addresses[0] = [10, 77, 5, generation].into();
        service.put(&next);
        let written = Instant::now();
        let mut buffer = [0; 600];
        loop {
            socket.send(QUESTION).unwrap();
            let length = socket.recv(&mut buffer).expect("every query is answered");
            if buffer[length - 4..length] == [10, 77, 5, generation] {
                break;
            }
            assert!(written.elapsed() < Duration::from_secs(30), "never visible");
        }
    }
    service.put_bytes(b"{ half a snap");
    wait_for(3, || service.status()?.snapshot_error);
    assert_eq!(service.dig(&["+short", "phone.home.cell"]), "10.77.5.11\n", "the bad one is ignored");

    let moved = fresh_address();
    next.generation = 20;
    next.listen = vec![moved];
    service.put(&next);
    wait_for(3, || (dig(moved, &["+short", "phone.home.cell"]) == "10.77.5.11\n").then_some(()));
    wait_for(3, || TcpStream::connect(service.at).is_err().then_some(()));
    assert_eq!(wait_for(3, || service.status().filter(|s| s.generation == 20)).listening, [moved]);
}

#[test]
fn dnsperf_loses_nothing_while_what_is_served_changes() {
    let first = snapshot(fresh_address(), vec![]);
    let service = Service::start(&first, &[]);
    let questions = "phone.home.cell A\nphone.home.cell AAAA\nhome.cell SOA\nnobody.home.cell A\n";
    for mode in ["udp", "tcp"] {
        let options = ["-m", mode, "-c", "4", "-q", "50", "-Q", "1000", "-l", "2"];
        let at = service.at;
        let load = std::thread::spawn(move || dnsperf(at, questions, &options));
        let mut next = first.clone();
        while !load.is_finished() {
            next.generation += 1;
            next.zones[0].hosts[2].addresses.reverse();
            service.put(&next);
            wait_for(3, || service.status().filter(|status| status.generation == next.generation));
        }
        let told = load.join().unwrap();
        assert!(told.contains("Queries lost:         0 "), "{mode}: {told}");
        assert!(!told.contains("SERVFAIL") && !told.contains("REFUSED"), "{mode}: {told}");
        assert!(next.generation > 3, "{mode}: it did change: {}", next.generation);
    }
}

#[test]
fn starts_before_its_address_and_before_its_snapshot() {
    let mut early = snapshot(fresh_address(), vec![]);
    // TEST-NET and documentation addresses: nobody has them.
    early.listen.push("192.0.2.53:5353".parse().unwrap());
    early.listen.push("[2001:db8::53]:5353".parse().unwrap());
    let service = Service::spawn(tempfile::tempdir().unwrap(), early.listen[0], &[]);
    assert_eq!(wait_for(5, || service.status()).generation, 0, "ready, with nothing to serve");
    service.put(&early);
    service.wait();
    let status = wait_for(3, || service.status().filter(|s| s.generation == 1));
    assert_eq!((status.listening.len(), status.not_listening.len()), (3, 0), "{status:?}");
}

#[test]
fn survives_nonsense() {
    let service = Service::start(&snapshot(fresh_address(), vec![]), &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(service.at).unwrap();
    let answer = [&QUESTION[..2], &[0x80], &QUESTION[3..]].concat();
    let looped = [&QUESTION[..12], b"\xC0\x0C\x00\x01\x00\x01"].concat();
    for packet in [&b""[..], &[0; 11], &[0xFF; 1_400], &[0; 60_000], &answer, &looped] {
        socket.send(packet).unwrap();
    }
    let mut cut = TcpStream::connect(service.at).unwrap();
    cut.write_all(&[0xFF, 0xFF, 1, 2, 3]).unwrap();
    drop(cut);
    assert_eq!(service.dig(&["+short", "phone.home.cell"]), "10.77.0.2\n");
    // Only the messages with a readable header that is no answer were answered, all with an error.
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut buffer = [0; 600];
    while let Ok(length) = socket.recv(&mut buffer) {
        assert!(length == 12 && buffer[2] & 0x80 != 0 && buffer[3] & 0x0F != 0);
    }
}

#[test]
fn takes_many_questions_on_one_connection() {
    let service = Service::start(&snapshot(fresh_address(), vec![]), &[]);
    let mut stream = TcpStream::connect(service.at).unwrap();
    let framed = [&u16::try_from(QUESTION.len()).unwrap().to_be_bytes()[..], QUESTION].concat();
    stream.write_all(&framed.repeat(200)).unwrap();
    let answer_len = QUESTION.len() + 16 + 2;
    let mut answers = vec![0; 200 * answer_len];
    stream.read_exact(&mut answers).unwrap();
    assert!(answers.chunks(answer_len).all(|answer| answer.ends_with(&[10, 77, 0, 2])));
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let idle = Instant::now();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed when idle");
    assert!(idle.elapsed() > Duration::from_secs(8));
}

#[test]
fn forwards_and_remembers() {
    // One service is the upstream of another; its own zone stands for the outside world.
    let mut outside = snapshot(fresh_address(), vec![]);
    outside.zones[0].name = "example".into();
    let outside = Service::start(&outside, &[]);
    let mut inside = snapshot(fresh_address(), vec![Upstream::Plain { address: outside.at }]);
    inside.private = vec!["example".into()];
    let service = Service::start(&inside, &[]);
    assert_eq!(service.dig(&["+short", "PhOnE.example"]), "10.77.0.2\n");
    let no = service.dig(&["nobody.example"]);
    assert!(no.contains("NXDOMAIN") && no.contains("SOA") && no.contains("flags: qr rd ra;"), "{no}");
    assert_eq!(service.dig(&["+short", "many.example"]).lines().count(), 150, "over TCP on both legs");
    drop(outside);
    assert_eq!(service.dig(&["+short", "phone.EXAMPLE"]), "10.77.0.2\n", "from the cache");
    assert!(service.dig(&["nobody.example"]).contains("NXDOMAIN"), "the no as well");
    assert!(service.dig(&["new.example"]).contains("SERVFAIL"));
}
