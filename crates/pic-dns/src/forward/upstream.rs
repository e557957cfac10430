//! One upstream: how to ask it, and how it has been doing.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pic_model::snapshot::dns::Upstream as UpstreamConfig;

use super::https::HttpsUpstream;
use super::path::Path;
use super::tls::TlsUpstream;
use super::udp;
use crate::dnssec;
use crate::wire::answer::Answer;
use crate::wire::query::Query;
use crate::wire::{CLASS_IN, UDP_PAYLOAD, rcode, rtype};

/// After a failure an upstream is asked last for this long.
const SHUN: Duration = Duration::from_secs(10);
/// The same after an answer that lacked its signatures; a server's configuration seldom changes.
const UNSIGNED: Duration = Duration::from_secs(3_600);
/// DNS over TLS is padded to a multiple of this (RFC 8467), so that lengths do not tell names apart.
const PADDING_BLOCK: usize = 128;
const OPTION_PADDING: u16 = 12;

/// How a question travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Answers can be forged: letters get a random case, which a forger would have to guess along with the id.
    Datagram,
    /// Answers come from whom we connected to. The name stays in lower case, for servers that do not keep the case.
    Stream,
    /// As a stream, and lengths are hidden.
    Encrypted,
}

/// What is asked, without anything that identifies the client.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    name: Box<[u8]>,
    qtype: u16,
    dnssec_ok: bool,
    checking_disabled: bool,
    purpose: Purpose,
    /// Its answer may hold private addresses.
    pub(super) private: bool,
}

/// What an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To be handed on as it is.
    Relay,
    /// To be validated, then handed on, with signatures or without.
    Validate { signatures: bool },
    /// To prove another one.
    Proof,
    /// The same, and what proves everything: without signatures it is useless.
    Anchor,
}

impl Question {
    pub(crate) fn new(name: &[u8], query: &Query<'_>) -> Self {
        Self {
            name: name.into(),
            qtype: query.qtype,
            dnssec_ok: query.dnssec_ok(),
            checking_disabled: query.checking_disabled,
            purpose: Purpose::Relay,
            private: false,
        }
    }

    /// The same, to be validated. Upstreams are to give all there is, and leave the judgement to us (RFC 6840
    /// section 5.9).
    pub(super) fn validated(self) -> Self {
        let purpose = Purpose::Validate { signatures: self.dnssec_ok };
        Self { dnssec_ok: true, checking_disabled: true, purpose, ..self }
    }

    /// A question for what proves another answer; `anchor` if nothing proves this one.
    pub(super) fn for_proof(name: &[u8], qtype: u16, anchor: bool) -> Self {
        let purpose = if anchor { Purpose::Anchor } else { Purpose::Proof };
        Self { name: name.into(), qtype, dnssec_ok: true, checking_disabled: true, purpose, private: false }
    }

    /// The answer is to be validated.
    pub(super) fn is_validated(&self) -> bool {
        matches!(self.purpose, Purpose::Validate { .. })
    }

    /// An upstream that gives no signatures is of no use.
    pub(super) fn needs_signatures(&self) -> bool {
        self.purpose != Purpose::Relay
    }

    /// Whoever asked wants the signatures, too.
    pub(super) fn wants_signatures(&self) -> bool {
        self.purpose == Purpose::Validate { signatures: true }
    }

    pub(super) fn qtype(&self) -> u16 {
        self.qtype
    }

    /// The message to send.
    pub(super) fn message(&self, id: u16, carrier: Carrier) -> io::Result<Vec<u8>> {
        let mut message = Vec::with_capacity(12 + self.name.len() + 4 + 15 + PADDING_BLOCK);
        let flags = 0x0100 | if self.checking_disabled { 0x0010 } else { 0 };
        for word in [id, flags, 1, 0, 0, 1] {
            message.extend_from_slice(&word.to_be_bytes());
        }
        match carrier {
            Carrier::Datagram => self.push_name_in_random_case(&mut message)?,
            Carrier::Stream | Carrier::Encrypted => message.extend_from_slice(&self.name),
        }
        message.extend_from_slice(&self.qtype.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        message.push(0);
        for word in [rtype::OPT, UDP_PAYLOAD, 0, if self.dnssec_ok { 0x8000 } else { 0 }] {
            message.extend_from_slice(&word.to_be_bytes());
        }
        push_padding(&mut message, carrier == Carrier::Encrypted);
        Ok(message)
    }

    fn push_name_in_random_case(&self, message: &mut Vec<u8>) -> io::Result<()> {
        let mut coins = [0; 32];
        getrandom::fill(&mut coins).map_err(io::Error::other)?;
        message.extend(self.name.iter().enumerate().map(|(at, byte)| {
            // Length bytes are no letters, so only letters change.
            let heads = coins[at / 8 % coins.len()] >> (at % 8) & 1 == 1;
            if heads { byte.to_ascii_uppercase() } else { *byte }
        }));
        Ok(())
    }

    /// Name, in lower case.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// Bytes of name, type and class in the message.
    pub(super) fn len(&self) -> usize {
        self.name.len() + 4
    }
}

/// Ends the OPT record, with a padding option if asked for.
fn push_padding(message: &mut Vec<u8>, padded: bool) {
    if !padded {
        return message.extend_from_slice(&[0, 0]);
    }
    let bare = message.len() + 6;
    let zeros = bare.next_multiple_of(PADDING_BLOCK) - bare;
    // At most one block, so it always fits the two bytes.
    let zeros = u16::try_from(zeros).unwrap_or(0);
    for word in [zeros + 4, OPTION_PADDING, zeros] {
        message.extend_from_slice(&word.to_be_bytes());
    }
    message.resize(message.len() + usize::from(zeros), 0);
}

#[derive(Debug)]
enum Link {
    Plain,
    Tls(TlsUpstream),
    Https(HttpsUpstream),
}

/// One upstream.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    link: Link,
    path: Path,
    born: Instant,
    /// Milliseconds after `born` until which it is asked last; 0 while healthy.
    shunned_until: AtomicU64,
    /// The same for giving no signatures.
    unsigned_until: AtomicU64,
}

impl Upstream {
    pub(crate) fn new(config: &UpstreamConfig, path: Path) -> Self {
        let link = match config {
            UpstreamConfig::Plain { .. } => Link::Plain,
            UpstreamConfig::Tls { address, name } => {
                Link::Tls(TlsUpstream::new(*address, name, path.clone()))
            }
            UpstreamConfig::Https { address, name, path: uri } => {
                Link::Https(HttpsUpstream::new(*address, name, uri, path.clone()))
            }
        };
        Self {
            address: config.address(),
            link,
            path,
            born: Instant::now(),
            shunned_until: AtomicU64::new(0),
            unsigned_until: AtomicU64::new(0),
        }
    }

    /// Whether it was found to take signatures out of answers, or never to have had them.
    pub(crate) fn is_unsigned(&self, now: Instant) -> bool {
        self.unsigned_until.load(Ordering::Relaxed) > self.since_birth(now)
    }

    /// Whether it gave no signatures when it was asked for some last, however long ago.
    pub(crate) fn lacks_signatures(&self) -> bool {
        self.unsigned_until.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn is_healthy(&self, now: Instant) -> bool {
        self.shunned_until.load(Ordering::Relaxed) <= self.since_birth(now)
    }

    /// Asks once.
    pub(crate) async fn ask(&self, question: &Question) -> io::Result<Answer> {
        let answer = match &self.link {
            Link::Plain => udp::ask(&self.path, self.address, question).await,
            Link::Tls(tls) => tls.ask(question).await,
            Link::Https(https) => https.ask(question).await,
        };
        let until = match answer {
            Ok(_) => 0,
            Err(_) => self.since_birth(Instant::now() + SHUN),
        };
        self.shunned_until.store(until, Ordering::Relaxed);
        match answer {
            Ok(answer) if question.purpose == Purpose::Anchor => self.signed(answer),
            answer => answer,
        }
    }

    /// The answer if it has signatures; takes note if not.
    fn signed(&self, answer: Answer) -> io::Result<Answer> {
        let is_signed = dnssec::has_signatures(&answer.wire);
        let until = if is_signed { 0 } else { self.since_birth(Instant::now() + UNSIGNED) };
        if self.unsigned_until.swap(until, Ordering::Relaxed) == 0 && !is_signed {
            tracing::warn!(upstream = %self.address, "this resolver gives no signatures: it cannot do DNSSEC");
        }
        if is_signed || answer.rcode != rcode::NOERROR {
            return Ok(answer);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the upstream gives no signatures"))
    }

    fn since_birth(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }
}
