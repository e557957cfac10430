//! One blocking netlink socket: send a request, collect the answers, check the acknowledgement.
//!
//! Blocking on purpose: every exchange is with the kernel on the same machine, and a thread that may be moved into a
//! network namespace (tests) must own its socket. Never retries a change; retries a dump that the kernel marks as
//! torn. Tested through the modules above it, against the real kernel.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkDeserializable,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;
use zeroize::Zeroizing;

pub(crate) use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};

/// The kernel answers within milliseconds; one that takes this long is broken, and we must not hang with it.
const PATIENCE: Duration = Duration::from_secs(30);
/// No netlink datagram is larger than this.
const DATAGRAM: usize = 64 * 1024;
/// Torn dumps in a row before we give up: someone changes the table faster than it can be read.
const DUMP_ATTEMPTS: u32 = 8;

/// Why an exchange with the kernel failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket itself.
    #[error("the netlink socket does not work")]
    Socket(#[source] io::Error),
    /// The kernel said no.
    #[error("the kernel refused")]
    Refused(#[source] io::Error),
    /// Bytes that mean nothing.
    #[error("the kernel's answer cannot be understood: {0}")]
    Malformed(String),
    /// Every dump was torn.
    #[error("the kernel's table changes faster than it can be read; try again")]
    Unstable,
}

impl Error {
    /// The error number the kernel refused with.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(error) => error.raw_os_error(),
            _ => None,
        }
    }

    /// Whether the kernel refused with one of these error numbers.
    pub(crate) fn is(&self, numbers: &[i32]) -> bool {
        self.errno().is_some_and(|number| numbers.contains(&number))
    }
}

/// Takes a refusal that says "it is already so" as success.
pub(crate) fn already(result: Result<(), Error>, numbers: &[i32]) -> Result<(), Error> {
    match result {
        Err(error) if error.is(numbers) => Ok(()),
        other => other,
    }
}

/// A socket of one netlink protocol in the calling thread's network namespace.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: netlink_sys::Socket,
    sequence: u32,
    buffer: Zeroizing<Vec<u8>>,
}

impl Socket {
    /// Opens a socket of `protocol`.
    pub(crate) fn open(protocol: isize) -> Result<Self, Error> {
        let mut inner = netlink_sys::Socket::new(protocol).map_err(Error::Socket)?;
        inner.bind_auto().map_err(Error::Socket)?;
        inner.connect(&netlink_sys::SocketAddr::new(0, 0)).map_err(Error::Socket)?;
        let patience = TimeVal::new(PATIENCE.as_secs().cast_signed(), 0);
        setsockopt(&inner.as_fd(), sockopt::ReceiveTimeout, &patience)
            .map_err(|e| Error::Socket(e.into()))?;
        // Old kernels lack it; then they filter nothing and we do.
        let _ = inner.set_netlink_get_strict_chk(true);
        Ok(Self { inner, sequence: 0, buffer: Zeroizing::new(Vec::with_capacity(DATAGRAM)) })
    }

    /// Opens a routing socket.
    pub(crate) fn route() -> Result<Self, Error> {
        Self::open(netlink_sys::protocols::NETLINK_ROUTE)
    }

    /// Makes one change and waits for the kernel's word on it.
    pub(crate) fn change<M>(&mut self, message: M, flags: u16) -> Result<(), Error>
    where
        M: NetlinkSerializable + NetlinkDeserializable,
    {
        self.send(message, NLM_F_ACK | flags)?;
        self.collect::<M>().map(|_| ())
    }

    /// Asks for one object.
    pub(crate) fn get<M>(&mut self, message: M) -> Result<Vec<M>, Error>
    where
        M: NetlinkSerializable + NetlinkDeserializable,
    {
        self.send(message, NLM_F_ACK)?;
        self.collect().map(|(answers, _)| answers)
    }

    /// Reads a whole table, again if it changed meanwhile.
    pub(crate) fn dump<M>(&mut self, message: M) -> Result<Vec<M>, Error>
    where
        M: NetlinkSerializable + NetlinkDeserializable + Clone,
    {
        for _ in 0..DUMP_ATTEMPTS {
            self.send(message.clone(), NLM_F_DUMP)?;
            let (answers, torn) = self.collect()?;
            if !torn {
                return Ok(answers);
            }
        }
        Err(Error::Unstable)
    }

    fn send<M: NetlinkSerializable>(&mut self, message: M, flags: u16) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = NetlinkMessage::new(Default::default(), NetlinkPayload::InnerMessage(message));
        packet.header.flags = NLM_F_REQUEST | flags;
        packet.header.sequence_number = self.sequence;
        packet.finalize();
        let mut bytes = Zeroizing::new(vec![0; packet.buffer_len()]);
        packet.serialize(&mut bytes);
        self.inner.send(&bytes, 0).map_err(Error::Socket).map(|_| ())
    }

    /// Reads datagrams until the answer to the last request is complete.
    fn collect<M: NetlinkDeserializable>(&mut self) -> Result<(Vec<M>, bool), Error> {
        let (mut answers, mut torn) = (Vec::new(), false);
        loop {
            self.buffer.clear();
            self.inner.recv(&mut *self.buffer, 0).map_err(Error::Socket)?;
            if take(&self.buffer, self.sequence, &mut answers, &mut torn)? {
                return Ok((answers, torn));
            }
        }
    }
}

/// Takes the answers with this number out of one datagram; whether the kernel has said its last word on them.
pub(crate) fn take<M: NetlinkDeserializable>(
    datagram: &[u8],
    sequence: u32,
    answers: &mut Vec<M>,
    torn: &mut bool,
) -> Result<bool, Error> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let (packet, after) = split(rest)?;
        rest = after;
        let header = NetlinkBuffer::new(packet);
        if header.sequence_number() != sequence {
            continue;
        }
        *torn |= header.flags() & NLM_F_DUMP_INTR != 0;
        match NetlinkMessage::<M>::deserialize(packet) {
            Ok(message) => match message.payload {
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                NetlinkPayload::Error(error) => return last_word(error.code.map_or(0, i32::from)),
                NetlinkPayload::Done(done) => return last_word(done.code),
                _ => {}
            },
            // Another program's object of a shape newer than our decoder must not blind us to our own.
            Err(error) => tracing::debug!(%error, "skipped a netlink message that cannot be decoded"),
        }
    }
    Ok(false)
}

/// The number at the end of an answer: 0, or a refusal.
fn last_word(code: i32) -> Result<bool, Error> {
    if code == 0 {
        Ok(true)
    } else {
        Err(Error::Refused(io::Error::from_raw_os_error(code.saturating_abs())))
    }
}

/// The first message of a datagram and what follows it.
pub(crate) fn split(datagram: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let header = NetlinkBuffer::new_checked(datagram).map_err(|error| Error::Malformed(error.to_string()))?;
    let length = usize::try_from(header.length()).unwrap_or(usize::MAX).min(datagram.len());
    // Messages start at multiples of four; the last one may lack its padding.
    let next = length.next_multiple_of(4).min(datagram.len());
    Ok((&datagram[..length], &datagram[next..]))
}

/// Sends one routing change by a socket of its own.
pub(crate) fn route_change(message: RouteNetlinkMessage, flags: u16) -> Result<(), Error> {
    Socket::route()?.change(message, flags)
}

/// Reads one routing table of the kernel.
pub(crate) fn route_dump(message: RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, Error> {
    Socket::route()?.dump(message)
}
