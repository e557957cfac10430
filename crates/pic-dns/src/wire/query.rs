//! Questions as clients send them.

use super::{HEADER, UDP_CLASSIC, UDP_PAYLOAD, name, rcode, rtype, u16_at};

/// Number of the option by which a client asks for, and is told, the idle time of a stream.
pub(super) const OPTION_KEEPALIVE: u16 = 11;
/// The same of what makes messages equally long.
pub(super) const OPTION_PADDING: u16 = 12;

const FLAG_QR: u16 = 0x8000;
const FLAG_RD: u16 = 0x0100;
const FLAG_AD: u16 = 0x0020;
const FLAG_CD: u16 = 0x0010;

/// A readable question.
#[derive(Debug, Clone, Copy)]
pub struct Query<'p> {
    /// Chosen by the client.
    pub id: u16,
    /// The client wants us to ask others.
    pub recursion_desired: bool,
    /// The client wants to know whether the answer is authentic (RFC 6840 section 5.7).
    pub authentic_data: bool,
    /// The client validates by itself.
    pub checking_disabled: bool,
    /// The client is told that others are asked for it.
    pub recursion_available: bool,
    /// Name, type and class as received, for the copy in the answer (its case may be random on purpose).
    pub question: &'p [u8],
    /// Name as received.
    pub name: &'p [u8],
    /// Type asked for.
    pub qtype: u16,
    /// Class asked for.
    pub qclass: u16,
    /// What the OPT record said, if there was one.
    pub edns: Option<Edns>,
}

/// The parts of a client's OPT record that matter. Options are never passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// UDP payload the client can take, already within what we are willing to send.
    pub payload: u16,
    /// Version; only 0 exists.
    pub version: u8,
    /// The client wants DNSSEC records.
    pub dnssec_ok: bool,
    /// The client wants to know how long it may leave a stream idle (RFC 7828).
    pub keepalive: bool,
    /// The client wants an answer whose length tells nothing (RFC 7830).
    pub padding: bool,
}

/// A message that is not a readable question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Say nothing: too short to answer, or itself an answer (answering those makes loops).
    Ignore,
    /// Answer with the bare header and this code.
    Answer {
        /// Copied from the message.
        id: u16,
        /// Flags word of the message, for opcode and RD.
        flags: u16,
        /// What is wrong.
        rcode: u16,
    },
}

impl<'p> Query<'p> {
    /// Reads a message of a client.
    pub fn parse(packet: &'p [u8]) -> Result<Self, Unreadable> {
        let (Some(id), Some(flags)) = (u16_at(packet, 0), u16_at(packet, 2)) else {
            return Err(Unreadable::Ignore);
        };
        if packet.len() < HEADER || flags & FLAG_QR != 0 {
            return Err(Unreadable::Ignore);
        }
        if flags & 0x7800 != 0 {
            return Err(Unreadable::Answer { id, flags, rcode: rcode::NOTIMP });
        }
        Self::parse_body(packet, id, flags).ok_or(Unreadable::Answer { id, flags, rcode: rcode::FORMERR })
    }

    fn parse_body(packet: &'p [u8], id: u16, flags: u16) -> Option<Self> {
        let [questions, answers, authorities, additionals] = [4, 6, 8, 10].map(|at| u16_at(packet, at));
        if (questions?, answers?, authorities?) != (1, 0, 0) {
            return None;
        }
        let body = packet.get(HEADER..)?;
        let name = body.get(..name::plain_len(body)?)?;
        let question = body.get(..name.len() + 4)?;
        let edns = parse_additionals(body.get(question.len()..)?, additionals?)?;
        Some(Self {
            id,
            recursion_desired: flags & FLAG_RD != 0,
            authentic_data: flags & FLAG_AD != 0,
            checking_disabled: flags & FLAG_CD != 0,
            recursion_available: true,
            question,
            name,
            qtype: u16_at(question, name.len())?,
            qclass: u16_at(question, name.len() + 2)?,
            edns,
        })
    }

    /// Bytes an answer over UDP may have.
    pub fn udp_limit(&self) -> usize {
        usize::from(self.edns.map_or(UDP_CLASSIC, |e| e.payload))
    }

    /// Whether the client is told that an answer is authentic.
    pub fn wants_proof(&self) -> bool {
        (self.authentic_data || self.dnssec_ok()) && !self.checking_disabled
    }

    /// Whether the client set the DO bit.
    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|e| e.dnssec_ok)
    }
}

/// Reads the additional section: records are skipped, except one OPT. Nothing may follow it.
fn parse_additionals(mut rest: &[u8], count: u16) -> Option<Option<Edns>> {
    let mut edns = None;
    for _ in 0..count {
        let owner = name::plain_len(rest)?;
        let fixed = rest.get(owner..owner + 10)?;
        let length = usize::from(u16_at(fixed, 8)?);
        if u16_at(fixed, 0)? == rtype::OPT {
            if owner != 1 || edns.is_some() {
                return None;
            }
            let options = rest.get(owner + 10..owner + 10 + length)?;
            edns = Some(Edns {
                payload: u16_at(fixed, 2)?.clamp(UDP_CLASSIC, UDP_PAYLOAD),
                version: fixed[5],
                dnssec_ok: fixed[6] & 0x80 != 0,
                keepalive: has_option(options, OPTION_KEEPALIVE),
                padding: has_option(options, OPTION_PADDING),
            });
        }
        rest = rest.get(owner + 10 + length..)?;
    }
    rest.is_empty().then_some(edns)
}

fn has_option(mut options: &[u8], wanted: u16) -> bool {
    while let (Some(code), Some(length)) = (u16_at(options, 0), u16_at(options, 2)) {
        if code == wanted {
            return true;
        }
        options = options.get(4 + usize::from(length)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
        let words = [0x1234, flags].into_iter().chain(counts);
        words.flat_map(u16::to_be_bytes).chain(body.iter().copied()).collect()
    }

    const QUESTION: &[u8] = b"\x04HoMe\x04cell\x00\x00\x1C\x00\x01";
    const OPT: &[u8] = b"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00";

    fn refused(packet: &[u8]) -> u16 {
        match Query::parse(packet).unwrap_err() {
            Unreadable::Answer { rcode, .. } => rcode,
            Unreadable::Ignore => panic!("ignored"),
        }
    }

    #[test]
    fn reads_question_and_edns() {
        let packet = message(0x0110, [1, 0, 0, 1], &[QUESTION, OPT].concat());
        let query = Query::parse(&packet).unwrap();
        assert_eq!((query.id, query.qtype, query.qclass), (0x1234, rtype::AAAA, 1));
        assert_eq!(query.name, b"\x04HoMe\x04cell\x00");
        assert!(query.recursion_desired && query.checking_disabled && query.dnssec_ok());
        assert_eq!(query.udp_limit(), 1232, "4096 is more than we send");
    }

    #[test]
    fn finds_the_keepalive_option() {
        let with = |options: &[u8]| {
            let length = u8::try_from(options.len()).unwrap();
            let opt = [&OPT[..OPT.len() - 1], &[length], options].concat();
            Query::parse(&message(0, [1, 0, 0, 1], &[QUESTION, &opt].concat()))
                .unwrap()
                .edns
                .unwrap()
                .keepalive
        };
        assert!(with(b"\x00\x0A\x00\x01x\x00\x0B\x00\x00"));
        assert!(!with(b"\x00\x0A\x00\x04\x00\x0B\x00\x00"), "inside another option");
        assert!(!with(b"\x00\x0A\xFF\xFF\x00\x0B"), "cut");
    }

    #[test]
    fn silence_for_answers_and_scraps() {
        let answer = message(0x8000, [1, 0, 0, 0], QUESTION);
        for packet in [&answer[..], b"", b"\x00", &answer[..11]] {
            assert_eq!(Query::parse(packet).unwrap_err(), Unreadable::Ignore);
        }
    }

    #[test]
    fn errors_for_the_malformed() {
        assert_eq!(refused(&message(0x2800, [1, 0, 0, 0], QUESTION)), rcode::NOTIMP, "UPDATE");
        assert_eq!(refused(&message(0, [0, 0, 0, 0], b"")), rcode::FORMERR, "no question");
        assert_eq!(refused(&message(0, [2, 0, 0, 0], &QUESTION.repeat(2))), rcode::FORMERR);
        assert_eq!(refused(&message(0, [1, 0, 0, 0], &QUESTION[..9])), rcode::FORMERR, "cut");
        assert_eq!(refused(&message(0, [1, 0, 0, 0], b"\xC0\x0C\x00\x01\x00\x01")), rcode::FORMERR, "loop");
        assert_eq!(
            refused(&message(0, [1, 0, 0, 0], &[QUESTION, b"x"].concat())),
            rcode::FORMERR,
            "trailing"
        );
        assert_eq!(refused(&message(0, [1, 0, 0, 2], &[QUESTION, OPT, OPT].concat())), rcode::FORMERR);
    }
}
