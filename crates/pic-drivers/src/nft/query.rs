//! Questions to nftables: one answer, or a dump of many.

use std::io::{self, IoSlice};

use super::abi;
use super::attributes::{Message, messages, native32, request};
use super::error::Error;
use super::socket::Socket;

/// A socket with the number of the present question.
pub(super) struct Query {
    socket: Socket,
    sequence: u32,
}

/// Why a reading was given up.
#[derive(Debug)]
pub(super) enum Interrupted {
    /// The rules changed meanwhile; worth another try.
    ByChange,
    /// Anything else.
    By(Error),
}

impl From<Error> for Interrupted {
    fn from(error: Error) -> Self {
        Self::By(error)
    }
}

/// Bytes before the attributes of an answer: family, version, resource.
const PREFIX: usize = 4;

impl Query {
    pub(super) fn over(socket: Socket) -> Self {
        Self { socket, sequence: 0 }
    }

    /// The socket back.
    pub(super) fn socket(self) -> Socket {
        self.socket
    }

    /// Attributes of the one object asked for; `None` if there is no such object.
    pub(super) fn one(
        &mut self,
        object: &'static str,
        kind: u16,
        family: u8,
        texts: &[(u16, &str)],
    ) -> Result<Option<Vec<u8>>, Interrupted> {
        self.ask(object, kind, abi::NLM_F_REQUEST, family, texts)?;
        loop {
            let sequence = self.sequence;
            let datagram = self.socket.receive().map_err(Error::Receive)?;
            let Some(answer) = messages(datagram).find(|message| message.sequence == sequence) else {
                continue;
            };
            if answer.kind != abi::NLMSG_ERROR {
                return Ok(answer.body.get(PREFIX..).map(<[u8]>::to_vec));
            }
            return match errno(&answer) {
                libc::ENOENT => Ok(None),
                errno => Err(refused(object, errno).into()),
            };
        }
    }

    /// Calls back with the attributes of each object; where the callback misses something, the answer is malformed.
    pub(super) fn dump(
        &mut self,
        object: &'static str,
        kind: u16,
        texts: &[(u16, &str)],
        mut each: impl FnMut(&[u8]) -> Option<()>,
    ) -> Result<(), Interrupted> {
        self.ask(object, kind, abi::NLM_F_REQUEST | abi::NLM_F_DUMP, abi::FAMILY_INET, texts)?;
        let sequence = self.sequence;
        loop {
            let datagram = self.socket.receive().map_err(Error::Receive)?;
            for message in messages(datagram).filter(|message| message.sequence == sequence) {
                if message.flags & abi::NLM_F_DUMP_INTR != 0 {
                    return Err(Interrupted::ByChange);
                }
                match message.kind {
                    abi::NLMSG_DONE | abi::NLMSG_ERROR => return end(object, errno(&message)),
                    _ => message.body.get(PREFIX..).and_then(&mut each).ok_or(Error::Malformed { object })?,
                }
            }
        }
    }

    fn ask(
        &mut self,
        object: &'static str,
        kind: u16,
        flags: u16,
        family: u8,
        texts: &[(u16, &str)],
    ) -> Result<(), Error> {
        self.sequence += 1;
        let message = request(abi::SUBSYSTEM | kind, flags, self.sequence, family, texts)
            .ok_or(Error::Malformed { object })?;
        let bytes = message.len();
        self.socket.send(&[IoSlice::new(&message)]).map_err(|source| Error::Send { bytes, source })
    }
}

/// How a dump ended.
fn end(object: &'static str, errno: i32) -> Result<(), Interrupted> {
    match errno {
        0 => Ok(()),
        // What is dumped was there a moment ago.
        libc::ENOENT | libc::EINTR | libc::EAGAIN => Err(Interrupted::ByChange),
        errno => Err(refused(object, errno).into()),
    }
}

/// The error number at the start of a message's body, positive; zero where there is none.
fn errno(message: &Message<'_>) -> i32 {
    native32(message.body).map_or(0, |code| code.cast_signed().saturating_neg())
}

fn refused(object: &'static str, errno: i32) -> Error {
    Error::Refused {
        object: format!("to show {object}"),
        note: String::new(),
        source: io::Error::from_raw_os_error(errno),
    }
}
