//! Datagrams by the dozen: `recvmmsg(2)` and `sendmmsg(2)` over memory that is made once.

use std::array;
use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

/// Datagrams that are taken and sent together. More would let the first wait for the last, and save little.
const BATCH: usize = 32;
/// Bytes kept of a question: far above what one needs, even padded (RFC 8467). Of a longer one the rest is cut, and what is left
/// cannot be read.
const QUESTION: usize = 4 << 10;
/// Bytes that most answers have.
const ANSWER: usize = 512;

/// Questions that came together.
pub(super) struct Questions {
    headers: MultiHeaders<SockaddrStorage>,
    /// [`QUESTION`] bytes for each.
    bytes: Box<[u8]>,
    /// Length and sender of those that are there.
    there: Vec<(usize, SocketAddr)>,
}

impl Questions {
    pub(super) fn new() -> Self {
        let bytes = vec![0; BATCH * QUESTION].into();
        Self { headers: MultiHeaders::preallocate(BATCH, None), bytes, there: Vec::with_capacity(BATCH) }
    }

    /// Waits for a question as long as the socket's timeout says, and takes all that are there then.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> nix::Result<()> {
        self.there.clear();
        let mut rooms = self.bytes.chunks_exact_mut(QUESTION);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        let one_is_enough = MsgFlags::MSG_WAITFORONE;
        let found = recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), one_is_enough, None)?;
        self.there.extend(found.map(|one| (one.bytes, one.address.and_then(address).unwrap_or(NOBODY))));
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        let whole = self.there.iter().zip(self.bytes.chunks_exact(QUESTION));
        whole.map(|((length, from), room)| (room.get(..*length).unwrap_or_default(), *from))
    }
}

/// No sender of a datagram has it, and nobody with it may ask.
const NOBODY: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 0));

fn address(found: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = || found.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    let v6 = || found.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()));
    v4().or_else(v6)
}

/// Answers that leave together.
pub(super) struct Answers {
    headers: MultiHeaders<SockaddrStorage>,
    messages: [Vec<u8>; BATCH],
    to: [Option<SockaddrStorage>; BATCH],
    kept: usize,
}

impl Answers {
    pub(super) fn new() -> Self {
        let messages = array::from_fn(|_| Vec::with_capacity(ANSWER));
        Self { headers: MultiHeaders::preallocate(BATCH, None), messages, to: [None; BATCH], kept: 0 }
    }

    /// Where the next answer is composed; it counts once it is kept. There is room for one to each of a batch of questions.
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        &mut self.messages[self.kept % BATCH]
    }

    /// Keeps what was composed for `client`.
    pub(super) fn keep(&mut self, client: SocketAddr) {
        self.to[self.kept % BATCH] = Some(client.into());
        self.kept += 1;
    }

    /// Sends all that are kept. A client that cannot be reached is no error of ours, and none of those behind it.
    pub(super) fn send(&mut self, socket: &UdpSocket) {
        let kept = std::mem::take(&mut self.kept).min(BATCH);
        let slices: [[IoSlice<'_>; 1]; BATCH] = self.messages.each_ref().map(|bytes| [IoSlice::new(bytes)]);
        let none: [ControlMessage<'_>; 0] = [];
        let mut at = 0;
        while let (Some(rest), Some(to)) = (slices.get(at..kept), self.to.get(at..kept))
            && !rest.is_empty()
        {
            let sent = sendmmsg(socket.as_raw_fd(), &mut self.headers, rest, to, none, MsgFlags::empty());
            // The first of the rest alone makes the call fail.
            at += sent.map_or(1, |sent| sent.count().max(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pair(address: &str) -> (UdpSocket, UdpSocket) {
        let (server, client) = (UdpSocket::bind(address).unwrap(), UdpSocket::bind(address).unwrap());
        client.connect(server.local_addr().unwrap()).unwrap();
        for socket in [&server, &client] {
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        }
        (server, client)
    }

    #[test]
    fn each_gets_its_answer_however_many_come_together() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (server, first) = pair(address);
            let second = UdpSocket::bind(address).unwrap();
            second.connect(server.local_addr().unwrap()).unwrap();
            let clients = [&first, &second];
            let count = 2 * BATCH + 5;
            for n in 0..count {
                clients[n % 2].send(&vec![u8::try_from(n).unwrap(); n]).unwrap();
            }
            let (mut questions, mut answers) = (Questions::new(), Answers::new());
            let mut taken = Vec::new();
            while taken.len() < count {
                questions.receive(&server).unwrap();
                assert!(questions.iter().count() <= BATCH);
                for (packet, client) in questions.iter() {
                    assert_eq!(client, clients[taken.len() % 2].local_addr().unwrap());
                    taken.push(packet.to_vec());
                    let out = answers.next();
                    out.clear();
                    out.extend_from_slice(packet);
                    // Every third gets none.
                    if taken.len() % 3 != 0 {
                        answers.keep(client);
                    }
                }
                answers.send(&server);
            }
            assert!(taken.iter().enumerate().all(|(n, packet)| packet.len() == n), "in their order");
            second.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut buffer = [0; 2 * BATCH + 5];
            for n in (0..count).filter(|n| (n + 1) % 3 != 0) {
                let length = clients[n % 2].recv(&mut buffer).unwrap();
                assert!(length == n && buffer[..n].iter().all(|byte| usize::from(*byte) == n), "{n}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_what_cannot_be_sent_stops_nothing() {
        let (server, client) = pair("127.0.0.1:0");
        client.send(&[7; QUESTION + 100]).unwrap();
        client.send(b"next").unwrap();
        let mut questions = Questions::new();
        questions.receive(&server).unwrap();
        let lengths: Vec<_> = questions.iter().map(|(packet, _)| packet.len()).collect();
        assert_eq!(lengths, [QUESTION, 4]);

        let mut answers = Answers::new();
        let here = client.local_addr().unwrap();
        // Too long for a datagram; no port at all.
        for (length, to) in [(1, here), (70_000, here), (2, "127.0.0.1:0".parse().unwrap()), (3, here)] {
            let out = answers.next();
            out.clear();
            out.resize(length, 1);
            answers.keep(to);
        }
        answers.send(&server);
        let mut buffer = [0; 10];
        assert_eq!([1, 2].map(|_| client.recv(&mut buffer).unwrap()), [1, 3]);
    }
}
