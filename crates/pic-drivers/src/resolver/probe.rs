//! Whether a name server answers: one question and the head of its answer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

const PORT: u16 = 53;
/// For one answer. The server is on this host.
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes of a message's head (RFC 1035 section 4.1.1).
const HEAD: usize = 12;

/// Whether `server` has an address for `name` within `limit`; asked by UDP, as libc would. Reads nothing of the answer
/// but its head, so that it is safe for whoever runs it.
pub fn answers(server: IpAddr, name: &str, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        match ask(SocketAddr::new(server, PORT), name) {
            Ok(true) => return true,
            _ if Instant::now() + PAUSE >= end => return false,
            _ => std::thread::park_timeout(PAUSE),
        }
    }
}

fn ask(server: SocketAddr, name: &str) -> io::Result<bool> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    let id = fresh();
    socket.send(&question(id, name))?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    Ok(is_good(&answer[..length], id))
}

/// Only told from an answer to an earlier question: the socket is connected, to this very host.
fn fresh() -> [u8; 2] {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.subsec_micros().to_be_bytes()[2..].try_into().unwrap_or_default()
}

/// Standard query with recursion desired, type A, class IN.
fn question(id: [u8; 2], name: &str) -> Vec<u8> {
    let mut message = id.to_vec();
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(u8::try_from(label.len()).unwrap_or(0));
        message.extend(label.bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// A response to this question, without an error, with at least one record.
fn is_good(answer: &[u8], id: [u8; 2]) -> bool {
    answer.len() >= HEAD
        && answer[..2] == id
        && answer[2] & 0x80 != 0
        && answer[3] & 0x0f == 0
        && answer[6..8] != [0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_counts() {
        let good = [7, 7, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        assert!(is_good(&good, [7, 7]));
        assert!(!is_good(&good, [7, 8]), "another question's");
        assert!(!is_good(&good[..11], [7, 7]), "cut");
        for (at, byte, what) in [(2, 5, "a question"), (3, 0x83, "no such name"), (7, 0, "empty")] {
            let mut bad = good;
            bad[at] = byte;
            assert!(!is_good(&bad, [7, 7]), "{what}");
        }
        assert!(!answers(IpAddr::from([127, 7, 7, 7]), "home.cell", Duration::from_millis(1)));
    }

    #[test]
    fn the_question_is_as_on_the_wire() {
        let message = question([1, 2], "home.cell");
        assert_eq!(message[12..], *b"\x04home\x04cell\0\0\x01\0\x01");
    }
}
