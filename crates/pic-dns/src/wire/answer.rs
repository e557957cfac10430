//! Messages of upstreams: are they an answer to our question, how long do they live, what must go before relaying.

use hickory_proto::op::Message;

use super::{HEADER, name, rcode, rtype, u16_at, u32_at};

const FLAG_QR: u16 = 0x8000;
const FLAG_TC: u16 = 0x0200;
const OPCODE: u16 = 0x7800;
/// Longest life of an answer in the cache.
const MAX_LIFE: u32 = 86_400;
/// Longest life of a "no" (RFC 2308 suggests one to three hours).
const MAX_NEGATIVE_LIFE: u32 = 3_600;
/// Aliases of one answer that are looked at; resolvers follow fewer.
const MAX_TARGETS: usize = 32;

/// A checked answer, ready to be relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The message without its OPT record.
    pub wire: Box<[u8]>,
    /// Where its TTLs are.
    pub ttls: Box<[u16]>,
    /// Seconds it may be reused; 0: not at all.
    pub life: u32,
    /// Its response code.
    pub rcode: u16,
    /// It holds an address that is not the internet's.
    pub private: bool,
    /// What its aliases (CNAME, DNAME) lead to, in lower case, uncompressed.
    pub targets: Box<[Box<[u8]>]>,
}

/// What came from an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An answer.
    Good(Answer),
    /// The rest is to be fetched over TCP.
    Truncated,
    /// The name came back spelled differently: somebody else's answer, or a server that does not keep the case.
    WrongCase,
    /// Not an answer to this question.
    Foreign,
}

/// Judges a message against the question asked: `question` is name, type and class as sent.
pub fn judge(message: &[u8], id: u16, question: &[u8]) -> Verdict {
    let Some(flags) = u16_at(message, 2) else { return Verdict::Foreign };
    let echoed = message.get(HEADER..HEADER + question.len());
    let ours = u16_at(message, 0) == Some(id)
        && flags & FLAG_QR != 0
        && flags & OPCODE == 0
        && u16_at(message, 4) == Some(1)
        && echoed.is_some_and(|e| e.eq_ignore_ascii_case(question));
    if !ours {
        return Verdict::Foreign;
    }
    if echoed != Some(question) {
        return Verdict::WrongCase;
    }
    if flags & FLAG_TC != 0 {
        return Verdict::Truncated;
    }
    match strip_opt(message, question.len()) {
        Some(answer) => Verdict::Good(answer),
        None => Verdict::Foreign,
    }
}

/// The answer that a message without OPT record is; `question` is the length of its name, type and class.
pub fn of_wire(wire: Vec<u8>, question: usize) -> Option<Answer> {
    let walk = Walk::over(&wire, question).filter(|walk| walk.opt.is_none() && walk.end == wire.len())?;
    Some(walk.into_answer(wire.into()))
}

/// Takes the OPT record out, which speaks about one hop only, and measures the rest.
fn strip_opt(message: &[u8], question: usize) -> Option<Answer> {
    let walk = Walk::over(message, question)?;
    let Some(opt) = walk.opt else {
        let wire = message.get(..walk.end)?.into();
        return Some(walk.into_answer(wire));
    };
    if opt.extended_rcode != 0 {
        return None;
    }
    if opt.end == walk.end {
        let mut wire: Box<[u8]> = message.get(..opt.start)?.into();
        let additionals = u16_at(&wire, 10)?.checked_sub(1)?;
        wire.get_mut(10..12)?.copy_from_slice(&additionals.to_be_bytes());
        return Some(walk.into_answer(wire));
    }
    // Records behind it may point at each other: they can only move if the message is composed anew.
    let mut parsed = Message::from_vec(message).ok()?;
    parsed.edns = None;
    let wire = parsed.to_vec().ok()?;
    let walk = Walk::over(&wire, question)?;
    walk.opt.is_none().then(|| walk.into_answer(wire.into()))
}

#[derive(Debug, Clone, Copy)]
struct Opt {
    start: usize,
    end: usize,
    extended_rcode: u8,
}

/// One pass over all records.
#[derive(Debug)]
struct Walk {
    ttls: Vec<u16>,
    opt: Option<Opt>,
    end: usize,
    rcode: u16,
    lowest_ttl: u32,
    /// Whether the answer section holds the type asked for.
    answered: bool,
    /// Life of a "no" as the zone wishes it.
    negative_ttl: Option<u32>,
    /// An address in the answer section is not the internet's.
    private: bool,
    targets: Vec<Box<[u8]>>,
}

impl Walk {
    fn over(message: &[u8], question: usize) -> Option<Self> {
        let qtype = u16_at(message, HEADER + question.checked_sub(4)?)?;
        let counts = [6, 8, 10].map(|at| u16_at(message, at));
        let mut walk = Self {
            ttls: Vec::new(),
            opt: None,
            end: HEADER + question,
            rcode: u16_at(message, 2)? & 0x000F,
            lowest_ttl: u32::MAX,
            answered: false,
            negative_ttl: None,
            private: false,
            targets: Vec::new(),
        };
        for (section, count) in counts.into_iter().enumerate() {
            for _ in 0..count? {
                walk.record(message, section, qtype)?;
            }
        }
        Some(walk)
    }

    fn record(&mut self, message: &[u8], section: usize, qtype: u16) -> Option<()> {
        let start = self.end;
        let fixed = name::skip(message, start)?;
        let rtype = u16_at(message, fixed)?;
        let ttl = u32_at(message, fixed + 4)?;
        let rdata = fixed + 10;
        self.end = rdata + usize::from(u16_at(message, fixed + 8)?);
        if section == 0 && matches!(rtype, rtype::CNAME | rtype::DNAME) && self.targets.len() < MAX_TARGETS {
            let (target, _) = name::expand(message, rdata)?;
            self.targets.push(target.to_ascii_lowercase().into());
        }
        let rdata = message.get(rdata..self.end)?;
        if rtype == rtype::OPT {
            let [extended_rcode, ..] = ttl.to_be_bytes();
            // Two of them are an error, and so is one outside the additional section.
            let first =
                section == 2 && self.opt.replace(Opt { start, end: self.end, extended_rcode }).is_none();
            return first.then_some(());
        }
        self.ttls.push(u16::try_from(fixed + 4).ok()?);
        // RFC 2181 8: a TTL with the top bit set counts as zero.
        let ttl = if ttl > i32::MAX.unsigned_abs() { 0 } else { ttl };
        self.lowest_ttl = self.lowest_ttl.min(ttl);
        self.answered |= section == 0 && rtype == qtype;
        self.private |= section == 0 && super::address::is_private(rtype, rdata);
        if section == 1 && rtype == rtype::SOA {
            let minimum = u32_at(rdata, rdata.len().checked_sub(4)?)?;
            self.negative_ttl = Some(ttl.min(minimum));
        }
        Some(())
    }

    fn life(&self) -> u32 {
        match self.rcode {
            rcode::NOERROR if self.answered => self.lowest_ttl.min(MAX_LIFE),
            // RFC 2308 5: a "no" without SOA is not kept.
            rcode::NOERROR | rcode::NXDOMAIN => {
                self.negative_ttl.map_or(0, |ttl| ttl.min(self.lowest_ttl).min(MAX_NEGATIVE_LIFE))
            }
            _ => 0,
        }
    }

    fn into_answer(self, wire: Box<[u8]>) -> Answer {
        let life = self.life();
        Answer {
            wire,
            ttls: self.ttls.into(),
            life,
            rcode: self.rcode,
            private: self.private,
            targets: self.targets.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use hickory_proto::op::{Edns, MessageType, OpCode, Query, ResponseCode};
    use hickory_proto::rr::rdata::{A, CNAME, SOA};
    use hickory_proto::rr::{Name, RData, Record, RecordType};

    use super::*;

    const QUESTION: &[u8] = b"\x03www\x07example\x00\x00\x01\x00\x01";

    fn message() -> Message {
        let mut message = Message::new(7, MessageType::Response, OpCode::Query);
        message.add_query(Query::query(Name::from_str("www.example.").unwrap(), RecordType::A));
        message
    }

    fn a(ttl: u32) -> Record {
        let name = Name::from_str("www.example.").unwrap();
        Record::from_rdata(name, ttl, RData::A(A::new(192, 0, 2, 1)))
    }

    fn soa(ttl: u32, minimum: u32) -> Record {
        let name = Name::from_str("example.").unwrap();
        let data = SOA::new(name.clone(), name.clone(), 1, 2, 3, 4, minimum);
        Record::from_rdata(name, ttl, RData::SOA(data))
    }

    fn good(message: &Message) -> Answer {
        match judge(&message.to_vec().unwrap(), 7, QUESTION) {
            Verdict::Good(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn removes_opt_and_takes_the_lowest_ttl() {
        let mut m = message();
        m.add_answer(a(300)).add_answer(a(30));
        m.set_edns(Edns::new());
        let answer = good(&m);
        assert_eq!((answer.life, answer.ttls.len()), (30, 2));
        let back = Message::from_vec(&answer.wire).unwrap();
        assert!(back.edns.is_none());
        assert_eq!(back.answers.len(), 2);
    }

    #[test]
    fn a_no_lives_as_the_soa_says() {
        let mut m = message();
        m.metadata.response_code = ResponseCode::NXDomain;
        assert_eq!(good(&m).life, 0, "no SOA");
        m.add_authority(soa(900, 60));
        assert_eq!(good(&m).life, 60);
        let mut chain = message();
        let name = Name::from_str("www.example.").unwrap();
        chain.add_answer(Record::from_rdata(name.clone(), 20, RData::CNAME(CNAME(name))));
        chain.add_authority(soa(900, 60));
        assert_eq!(good(&chain).life, 20, "an alias to nothing");
    }

    #[test]
    fn rejects_what_is_not_an_answer_to_us() {
        let mut m = message();
        m.add_answer(a(300));
        let wire = m.to_vec().unwrap();
        assert_eq!(judge(&wire, 8, QUESTION), Verdict::Foreign);
        assert_eq!(judge(&wire, 7, b"\x03wwx\x07example\x00\x00\x01\x00\x01"), Verdict::Foreign);
        assert_eq!(judge(&wire, 7, b"\x03wWw\x07example\x00\x00\x01\x00\x01"), Verdict::WrongCase);
        assert_eq!(judge(&wire[..wire.len() - 1], 7, QUESTION), Verdict::Foreign, "cut");
        assert_eq!(judge(&[], 7, QUESTION), Verdict::Foreign);
        m.metadata.truncation = true;
        assert_eq!(judge(&m.to_vec().unwrap(), 7, QUESTION), Verdict::Truncated);
    }
}
