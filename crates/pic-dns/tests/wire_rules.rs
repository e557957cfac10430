//! What is said on the wire, and what never is.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kit::{Service, fresh_address, snapshot};
use pic_model::snapshot::dns::Upstream;

/// A question for the address of the phone, id 7.
const QUESTION: &[u8] =
    b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05phone\x04home\x04cell\x00\x00\x01\x00\x01";

/// Who asked from where, and what.
type Seen = Arc<Mutex<Vec<(SocketAddr, Vec<u8>)>>>;

/// An upstream that notes questions and answers with whatever `answers` makes of them.
fn upstream(answers: fn(&[u8]) -> Vec<Vec<u8>>) -> (SocketAddr, Seen) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (at, seen) = (socket.local_addr().unwrap(), Seen::default());
    let noted = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut buffer = [0; 2_000];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let question = &buffer[..length];
            noted.lock().unwrap().push((client, question.to_vec()));
            for answer in answers(question) {
                // A client that is gone is no matter.
                let _ = socket.send_to(&answer, client);
            }
        }
    });
    (at, seen)
}

/// The bytes of name, type and class in a question.
fn asked(question: &[u8]) -> &[u8] {
    let name = question[12..].iter().position(|byte| *byte == 0).unwrap();
    &question[12..12 + name + 5]
}

/// The right answer: 192.0.2.7.
fn right(question: &[u8]) -> Vec<u8> {
    let mut answer = [&question[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], asked(question)].concat();
    answer.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\xC0\x00\x02\x07");
    answer
}

fn asking(upstreams: Vec<SocketAddr>) -> Service {
    let plain = |address| Upstream::Plain { address };
    Service::start(&snapshot(fresh_address(), upstreams.into_iter().map(plain).collect()), &[])
}

#[test]
fn a_forger_has_to_guess_port_id_and_case() {
    let (at, seen) = upstream(|question| vec![right(question)]);
    let service = asking(vec![at]);
    for n in 0..40 {
        assert_eq!(service.dig(&["+short", &format!("longenoughname{n}.example")]), "192.0.2.7\n");
    }
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 40);
    let ports: BTreeSet<u16> = seen.iter().map(|(from, _)| from.port()).collect();
    let ids: BTreeSet<&[u8]> = seen.iter().map(|(_, question)| &question[..2]).collect();
    // Of each name the same letters: which of them are large.
    let cases: BTreeSet<Vec<bool>> = seen
        .iter()
        .map(|(_, question)| question[13..27].iter().map(u8::is_ascii_uppercase).collect())
        .collect();
    // Chance lets a few of them be the same.
    assert!(ports.len() > 35 && ids.len() > 35 && cases.len() > 35, "{ports:?} {ids:?} {cases:?}");
}

#[test]
fn forged_answers_are_not_taken() {
    fn with_forgeries(question: &[u8]) -> Vec<Vec<u8>> {
        let forge = |change: fn(&mut Vec<u8>)| {
            let mut answer = right(question);
            *answer.last_mut().unwrap() = 66;
            change(&mut answer);
            answer
        };
        vec![
            forge(|answer| answer[0] ^= 1),
            forge(|answer| answer[13] = b'x'),
            forge(|answer| answer[2] = 1),
            forge(|answer| answer.truncate(20)),
            right(question),
        ]
    }
    let (at, _) = upstream(with_forgeries);
    let service = asking(vec![at]);
    for n in 0..10 {
        assert_eq!(service.dig(&["+short", &format!("name{n}.example")]), "192.0.2.7\n");
    }
}

/// A server that says by UDP that the answer is too long, and by TCP nothing good.
fn truncating() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    let listener = TcpListener::bind(at).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2_000];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let mut answer = right(&buffer[..length]);
            answer[2] |= 2;
            let _ = socket.send_to(&answer, client);
        }
    });
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // Announces more than it sends, and waits.
            let _ = stream.write_all(&[0xFF, 0xFF, 1, 2, 3]);
            std::thread::spawn(move || drop(stream.read(&mut [0; 4_096]).map(|_| std::thread::park())));
        }
    });
    at
}

#[test]
fn bad_upstreams_cost_seconds_at_most_and_touch_no_name_of_ours() {
    let dead = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (silent, _) = upstream(|_| vec![]);
    let (lying, _) = upstream(|question| {
        let mut answer = right(question);
        answer[13] ^= 1;
        vec![answer, vec![0; 5], vec![0xFF; 1_400]]
    });
    let (refusing, _) = upstream(|question| {
        let mut answer = right(question);
        answer[3] |= 5;
        vec![answer]
    });
    let bad =
        [vec![dead], vec![silent], vec![lying], vec![truncating()], vec![dead, silent, lying, truncating()]];
    let services: Vec<Service> = bad.into_iter().map(asking).collect();
    std::thread::scope(|scope| {
        for service in &services {
            scope.spawn(move || {
                // dig itself gives up after five seconds.
                let text = service.dig(&["+time=5", "www.example"]);
                assert!(text.contains("status: SERVFAIL") && text.contains("EDE: 22"), "{text}");
            });
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(service.dig(&["+short", "+time=1", "phone.home.cell"]), "10.77.0.2\n");
                }
            });
        }
    });
    assert!(asking(vec![refusing]).dig(&["www.example"]).contains("status: REFUSED"), "told as it is");
}

#[test]
fn unwelcome_questions() {
    let (at, seen) = upstream(|question| vec![right(question)]);
    let service = asking(vec![at]);
    for name in ["phone.home.cell", "home.cell", "www.example"] {
        let any = service.dig(&["+notcp", name, "ANY"]);
        assert!(any.contains("HINFO") && any.contains("RFC8482") && any.contains("ANSWER: 1"), "{any}");
        assert!(service.dig(&[name, "AXFR"]).contains("Transfer failed"));
        assert!(service.dig(&["+tcp", name, "IXFR=1"]).contains("Transfer failed"));
    }
    assert!(service.dig(&["+class=CH", "version.bind", "TXT", "CH"]).contains("REFUSED"));
    assert!(seen.lock().unwrap().is_empty(), "none of them went out");

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(service.at).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    for code in 0..16 {
        let answer = [&QUESTION[..2], &[0x80 | code << 3, 0], &QUESTION[4..]].concat();
        socket.send(&answer).unwrap();
    }
    let mut last = QUESTION.to_vec();
    last[1] = 8;
    socket.send(&last).unwrap();
    let mut buffer = [0; 600];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(buffer[..2], [0, 8], "what calls itself an answer is not answered");
    assert!(length > QUESTION.len());
}

#[test]
fn datagrams_have_1232_bytes_at_most() {
    let service = asking(vec![]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(service.at).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let name = b"\x04many\x04home\x04cell\x00\x00\x01\x00\x01";
    for (announced, limit) in [(None, 512), (Some(100_u16), 512), (Some(600), 600), (Some(65_535), 1_232)] {
        let mut question =
            [&[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(announced.is_some())], &name[..]].concat();
        if let Some(announced) = announced {
            question.extend([0, 0, 41]);
            question.extend(announced.to_be_bytes());
            question.extend([0; 6]);
        }
        socket.send(&question).unwrap();
        let mut buffer = [0; 4_096];
        let length = socket.recv(&mut buffer).unwrap();
        assert!(length <= limit && buffer[2] & 2 != 0, "{announced:?}: {length} bytes");
    }
}

#[test]
fn streams_are_told_how_long_they_may_idle() {
    let service = asking(vec![]);
    let keeping = service.dig(&["+tcp", "+keepalive", "phone.home.cell"]);
    assert!(keeping.contains("KEEPALIVE: 10.0 secs"), "{keeping}");
    assert!(!service.dig(&["+tcp", "phone.home.cell"]).contains("KEEPALIVE"), "those who ask");
    let lost = service.dig(&["+tcp", "+keepalive", "www.example"]);
    assert!(lost.contains("KEEPALIVE: 10.0 secs") && lost.contains("EDE: "), "{lost}");
    assert!(!service.dig(&["+notcp", "+keepalive", "phone.home.cell"]).contains("KEEPALIVE"), "by UDP never");
}

#[test]
fn a_client_takes_no_more_than_its_share_of_streams() {
    let service = asking(vec![]);
    let framed = [&u16::try_from(QUESTION.len()).unwrap().to_be_bytes()[..], QUESTION].concat();
    let connect = || {
        let stream = TcpStream::connect(service.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    };
    let is_served = |stream: &mut TcpStream| {
        stream.write_all(&framed).is_ok() && matches!(stream.read(&mut [0; 600]), Ok(length) if length > 0)
    };
    let mut streams: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    let served = streams.iter_mut().map(is_served).filter(|served| *served).count();
    // The one by which the start was waited for may not be given back yet.
    assert!((31..=32).contains(&served), "{served} of 40");
    drop(streams);
    kit::wait_for(5, || is_served(&mut connect()).then_some(()));
}
