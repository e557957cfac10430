//! Composing answers.

use hickory_proto::op::Message;
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

use super::query::{OPTION_KEEPALIVE, OPTION_PADDING, Query};
use super::{CLASS_IN, HEADER, UDP_PAYLOAD, rtype};

const FLAG_QR: u16 = 0x8000;
const FLAG_AA: u16 = 0x0400;
const FLAG_TC: u16 = 0x0200;
const FLAG_RD: u16 = 0x0100;
const FLAG_RA: u16 = 0x0080;
const FLAG_AD: u16 = 0x0020;
const FLAG_CD: u16 = 0x0010;
const OPT_LEN: usize = 11;
const OPTION_EDE: u16 = 15;
const KEEPALIVE_LEN: u16 = 6;
/// How long a stream may be idle, in tenths of a second.
const KEEPALIVE: u16 = 100;

/// Padded answers are as long as a multiple of this (RFC 8467 section 4.1).
const BLOCK: usize = 468;

/// Which part of the message a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Who says so.
    Authority,
}

/// Extended DNS error, RFC 8914: a number and a text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ede {
    /// Registered number.
    pub code: u16,
    /// Short, in English, without a trailing full stop.
    pub text: &'static str,
}

/// An answer in the making, at the end of which [`Reply::finish`] is called.
#[derive(Debug)]
pub struct Reply<'o, 'q> {
    out: &'o mut Vec<u8>,
    query: &'o Query<'q>,
    limit: usize,
    rcode: u16,
    flags: u16,
    answers: u16,
    authorities: u16,
    ede: Option<Ede>,
    detail: Option<&'o str>,
}

impl<'o, 'q> Reply<'o, 'q> {
    /// Begins an answer of at most `limit` bytes in `out`, whose content is replaced.
    pub fn new(query: &'o Query<'q>, rcode: u16, limit: usize, out: &'o mut Vec<u8>) -> Self {
        out.clear();
        out.extend_from_slice(&[0; HEADER]);
        out.extend_from_slice(query.question);
        let limit = limit - if query.edns.is_some() { OPT_LEN } else { 0 };
        Self { out, query, limit, rcode, flags: 0, answers: 0, authorities: 0, ede: None, detail: None }
    }

    /// Marks the answer as coming from a zone of ours.
    pub fn authoritative(mut self) -> Self {
        self.flags |= FLAG_AA;
        self
    }

    /// Says why, to clients that speak EDNS.
    pub fn explain(mut self, ede: Option<Ede>) -> Self {
        self.ede = ede;
        self
    }

    /// Says it in these words instead.
    pub fn in_words(mut self, detail: Option<&'o str>) -> Self {
        self.detail = detail;
        self
    }

    /// Adds a record whose owner is the name that begins at `owner` in this message; where its value begins.
    ///
    /// A record that does not fit empties the answer and asks the client to come by TCP.
    pub fn record(&mut self, section: Section, owner: usize, rtype: u16, ttl: u32, rdata: &[u8]) -> usize {
        if self.flags & FLAG_TC != 0 {
            return HEADER;
        }
        let (Ok(length), Ok(owner)) = (u16::try_from(rdata.len()), u16::try_from(owner)) else {
            return self.truncate();
        };
        if owner >= 0x4000 || self.out.len() + 12 + rdata.len() > self.limit {
            return self.truncate();
        }
        self.out.extend_from_slice(&(0xC000 | owner).to_be_bytes());
        self.out.extend_from_slice(&rtype.to_be_bytes());
        self.out.extend_from_slice(&CLASS_IN.to_be_bytes());
        self.out.extend_from_slice(&ttl.to_be_bytes());
        self.out.extend_from_slice(&length.to_be_bytes());
        let value = self.out.len();
        self.out.extend_from_slice(rdata);
        match section {
            Section::Answer => self.answers += 1,
            Section::Authority => self.authorities += 1,
        }
        value
    }

    /// Says nothing but to come by TCP.
    pub fn cut(mut self) -> Self {
        let _ = self.truncate();
        self
    }

    fn truncate(&mut self) -> usize {
        self.out.truncate(HEADER + self.query.question.len());
        self.flags |= FLAG_TC;
        (self.answers, self.authorities) = (0, 0);
        HEADER
    }

    /// Adds a whole record to the answer, its names uncompressed.
    pub fn raw(&mut self, record: &[u8]) {
        if self.flags & FLAG_TC != 0 {
            return;
        }
        if self.out.len() + record.len() > self.limit {
            let _ = self.truncate();
            return;
        }
        self.out.extend_from_slice(record);
        self.answers += 1;
    }

    /// Sets the code, where it was not known at the beginning.
    pub fn code(&mut self, rcode: u16) {
        self.rcode = rcode;
    }

    /// Writes header and OPT.
    pub fn finish(self) {
        let Self { out, query, rcode, flags, answers, authorities, ede, detail, limit } = self;
        let told = ede.map(|ede| (ede.code, detail.unwrap_or(ede.text)));
        let flags = flags | answer_flags(query) | (rcode & 0x000F);
        write_header(out, [query.id, flags, 1, answers, authorities, u16::from(query.edns.is_some())]);
        // The room for the OPT record itself was set aside in `new`; the explanation is added only if it fits.
        push_opt(out, query, rcode, told, limit + OPT_LEN);
    }
}

/// Flags of every answer to this question.
fn answer_flags(query: &Query<'_>) -> u16 {
    FLAG_QR
        | if query.recursion_available { FLAG_RA } else { 0 }
        | if query.recursion_desired { FLAG_RD } else { 0 }
        | if query.checking_disabled { FLAG_CD } else { 0 }
}

fn write_header(out: &mut [u8], words: [u16; 6]) {
    for (place, word) in out.chunks_exact_mut(2).zip(words) {
        place.copy_from_slice(&word.to_be_bytes());
    }
}

fn push_opt(out: &mut Vec<u8>, query: &Query<'_>, rcode: u16, ede: Option<(u16, &str)>, limit: usize) {
    if query.edns.is_none() {
        return;
    }
    out.push(0);
    out.extend_from_slice(&rtype::OPT.to_be_bytes());
    out.extend_from_slice(&UDP_PAYLOAD.to_be_bytes());
    let [_, extended] = (rcode >> 4).to_be_bytes();
    out.extend_from_slice(&[extended, 0, if query.dnssec_ok() { 0x80 } else { 0 }, 0]);
    let length = out.len();
    out.extend_from_slice(&[0, 0]);
    if query.edns.is_some_and(|edns| edns.keepalive) && out.len() + usize::from(KEEPALIVE_LEN) <= limit {
        push_words(out, [OPTION_KEEPALIVE, 2, KEEPALIVE]);
    }
    let ede = ede.filter(|(_, text)| out.len() + 6 + text.len() <= limit);
    if let Some((code, text)) = ede
        && let Ok(text_len) = u16::try_from(text.len() + 2)
    {
        push_words(out, [OPTION_EDE, text_len, code]);
        out.extend_from_slice(text.as_bytes());
    }
    if query.edns.is_some_and(|edns| edns.padding) {
        pad(out, limit);
    }
    let options = u16::try_from(out.len() - length - 2).unwrap_or(0);
    if let Some(place) = out.get_mut(length..length + 2) {
        place.copy_from_slice(&options.to_be_bytes());
    }
}

/// Fills the message up, of which this is the last option.
fn pad(out: &mut Vec<u8>, limit: usize) {
    let whole = (out.len() + 4).next_multiple_of(BLOCK).min(limit);
    let Some(Ok(padding)) = whole.checked_sub(out.len() + 4).map(u16::try_from) else { return };
    push_words(out, [OPTION_PADDING, padding]);
    out.resize(whole, 0);
}

fn push_words<const N: usize>(out: &mut Vec<u8>, words: [u16; N]) {
    words.into_iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
}

/// Answers a message whose question could not be read.
pub fn bare(id: u16, flags: u16, rcode: u16, out: &mut Vec<u8>) {
    out.clear();
    out.resize(HEADER, 0);
    write_header(out, [id, FLAG_QR | (flags & 0x7900) | (rcode & 0x000F), 0, 0, 0, 0]);
}

/// How old a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Seconds since it came; TTLs count down.
    Seconds(u32),
    /// The same; TTLs are no longer than the second number of seconds.
    AtMost(u32, u32),
    /// Past its life: TTLs are short, and the client is told (RFC 8767 section 4).
    Stale,
}

const STALE_TTL: u32 = 30;
const STALE: Ede = Ede { code: 3, text: "nobody upstream answers, this is from before" };

impl Age {
    fn apply(self, ttl: u32) -> u32 {
        match self {
            Self::Seconds(age) => ttl.saturating_sub(age),
            Self::AtMost(age, most) => ttl.saturating_sub(age).min(most),
            Self::Stale => STALE_TTL,
        }
    }

    fn ede(self) -> Option<Ede> {
        (self == Self::Stale).then_some(STALE)
    }
}

/// Answers from a message an upstream sent: `wire` without OPT, `ttls` the places of its TTLs; `authentic` if it was
/// found to be so.
pub fn relay(
    query: &Query<'_>,
    wire: &[u8],
    ttls: &[u16],
    authentic: bool,
    age: Age,
    limit: usize,
    out: &mut Vec<u8>,
) {
    out.clear();
    let opt = if query.edns.is_some() { OPT_LEN } else { 0 };
    let rcode = wire.get(3).map_or(0, |b| u16::from(b & 0x0F));
    if wire.len() + opt > limit {
        let mut reply = Reply::new(query, rcode, limit, out);
        let _ = reply.truncate();
        return reply.finish();
    }
    out.extend_from_slice(wire);
    let counts = [6, 8, 10].map(|at| super::u16_at(wire, at).unwrap_or(0));
    let additionals = counts[2] + u16::from(opt != 0);
    let authentic = if authentic && query.wants_proof() { FLAG_AD } else { 0 };
    write_header(
        out,
        [query.id, answer_flags(query) | authentic | rcode, 1, counts[0], counts[1], additionals],
    );
    // Same name, perhaps in another case: the client's own spelling goes back.
    if let Some(place) = out.get_mut(HEADER..HEADER + query.question.len()) {
        place.copy_from_slice(query.question);
    }
    for &at in ttls {
        let at = usize::from(at);
        if let Some(place) = out.get_mut(at..at + 4) {
            let ttl = u32::from_be_bytes([place[0], place[1], place[2], place[3]]);
            place.copy_from_slice(&age.apply(ttl).to_be_bytes());
        }
    }
    push_opt(out, query, rcode, age.ede().map(|ede| (ede.code, ede.text)), limit);
}

/// One step from a name to the next: TTL, and the name it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Seconds.
    pub ttl: u32,
    /// Name in wire form.
    pub target: Box<[u8]>,
}

/// As [`relay`], for a question about a name of ours that leads to the name the message is about. The message is
/// composed anew, because its names may be continued anywhere.
pub fn relay_behind(
    query: &Query<'_>,
    links: &[Link],
    wire: &[u8],
    age: Age,
    limit: usize,
    out: &mut Vec<u8>,
) {
    let rcode = wire.get(3).map_or(2, |b| u16::from(b & 0x0F));
    let mut reply = Reply::new(query, rcode, limit, out).explain(age.ede());
    let mut owner = HEADER;
    for link in links {
        owner = reply.record(Section::Answer, owner, rtype::CNAME, link.ttl, &link.target);
    }
    for mut record in answers(wire) {
        record.ttl = age.apply(record.ttl);
        let mut bytes = Vec::new();
        let mut encoder = BinEncoder::new(&mut bytes);
        // Its place in the message is not known to the encoder, so its names stand for themselves.
        encoder.set_name_encoding(NameEncoding::Uncompressed);
        if record.emit(&mut encoder).is_ok() {
            reply.raw(&bytes);
        }
    }
    reply.finish();
}

fn answers(wire: &[u8]) -> Vec<Record> {
    Message::from_vec(wire).map(|message| message.answers).unwrap_or_default()
}
