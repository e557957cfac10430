//! The requesting router: asks for a prefix, keeps it, and asks again (RFC 8415 section 18.2). Pure: bytes and
//! milliseconds in, bytes out.

use ipnet::Ipv6Net;

use super::reply::{self, Answer};
use crate::prefixes::Life;
use crate::v6::{Out, kind, option, status};

/// Number of our one identity association.
const IAID: [u8; 4] = *b"pic0";
/// Length of the prefix that we would like: 256 networks, which providers give most often.
const WISH: u8 = 56;
const SECOND: u64 = 1000;
/// Seconds, where a server gives prefixes for ever.
const FOREVER: u32 = 86_400;

/// Pauses between two sendings (RFC 8415 section 7.6): the first, the longest, and how often at the most.
struct Pace {
    first: u64,
    longest: u64,
    times: Option<u32>,
}

const SOLICIT: Pace = Pace { first: SECOND, longest: 3600 * SECOND, times: None };
const REQUEST: Pace = Pace { first: SECOND, longest: 30 * SECOND, times: Some(10) };
const RENEW: Pace = Pace { first: 10 * SECOND, longest: 600 * SECOND, times: None };
const REBIND: Pace = Pace { first: 10 * SECOND, longest: 600 * SECOND, times: None };
/// After a start, with a prefix from before: is it still ours? (section 18.2.5, with the pace of a Confirm.)
const CONFIRM: Pace = Pace { first: SECOND, longest: 4 * SECOND, times: Some(4) };

/// Where the exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Looking for a server.
    Solicit,
    /// A server was chosen.
    Request,
    /// There is a prefix.
    Bound,
    /// Half its time is over.
    Renew,
    /// Its server is silent.
    Rebind,
    /// There is one from before a restart.
    Confirm,
}

/// What an answer has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Nothing, or nothing new.
    Nothing,
    /// These prefixes from now on; none: no more.
    Given(Vec<(Ipv6Net, Life)>),
}

#[derive(Debug, Clone)]
struct Offer {
    server: Vec<u8>,
    preference: u8,
    prefixes: Vec<Ipv6Net>,
}

/// The client of one uplink.
#[derive(Debug, Clone)]
pub struct Client {
    duid: Vec<u8>,
    phase: Phase,
    xid: [u8; 3],
    random: u64,
    /// Milliseconds at which the exchange began, and at which to send next.
    began: u64,
    next: u64,
    pause: u64,
    sent: u32,
    longest: u64,
    best: Option<Offer>,
    /// Who gave us what we have.
    server: Vec<u8>,
    prefixes: Vec<Ipv6Net>,
    /// Milliseconds: ask the server, ask anyone, it is over.
    times: [u64; 3],
}

impl Client {
    /// Begins; with prefixes from before, by asking whether they are still ours.
    pub fn new(duid: &[u8], before: Vec<Ipv6Net>, random: u64, now: u64) -> Self {
        let phase = if before.is_empty() { Phase::Solicit } else { Phase::Confirm };
        let mut client = Self {
            duid: duid.to_vec(),
            phase,
            xid: [0; 3],
            random: random | 1,
            began: now,
            next: now,
            pause: 0,
            sent: 0,
            longest: SOLICIT.longest,
            best: None,
            server: Vec::new(),
            prefixes: before,
            times: [u64::MAX; 3],
        };
        client.enter(phase, now);
        client
    }

    /// Milliseconds at which something is to be sent, or to be decided.
    pub fn due(&self) -> u64 {
        self.next
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    fn pace(&self) -> Pace {
        match self.phase {
            Phase::Solicit | Phase::Bound => Pace { longest: self.longest, ..SOLICIT },
            Phase::Request => REQUEST,
            Phase::Renew => RENEW,
            Phase::Rebind => REBIND,
            Phase::Confirm => CONFIRM,
        }
    }

    /// A number that another host cannot foresee as long as it did not see many of them (xorshift64).
    fn dice(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn enter(&mut self, phase: Phase, now: u64) {
        let [a, b, c, ..] = self.dice().to_be_bytes();
        (self.phase, self.xid, self.began, self.next, self.sent, self.pause) =
            (phase, [a, b, c], now, now, 0, 0);
        if phase == Phase::Solicit {
            self.best = None;
            // Hosts that come up together do not all ask at once (section 18.2.1).
            self.next = now + self.dice() % SECOND;
        }
    }

    /// Goes on as time does: what is to be sent, if something is.
    pub fn step(&mut self, now: u64) -> Option<Vec<u8>> {
        if now < self.next {
            return None;
        }
        match self.phase {
            Phase::Solicit if self.best.is_some() => self.enter(Phase::Request, now),
            Phase::Bound => self.enter(Phase::Renew, now),
            Phase::Renew if now >= self.times[1] => self.enter(Phase::Rebind, now),
            Phase::Rebind if now >= self.times[2] => self.enter(Phase::Solicit, now),
            _ if self.pace().times.is_some_and(|most| self.sent >= most) => self.enter(Phase::Solicit, now),
            _ => {}
        }
        if now < self.next {
            return None;
        }
        let pace = self.pace();
        let pause = if self.sent == 0 { pace.first } else { self.pause.saturating_mul(2).min(pace.longest) };
        // A tenth more or less; the first solicitation only more, so that servers have the whole second.
        let jitter = self.dice() % (pause / 10).max(1);
        self.pause = if self.sent == 0 || self.dice() & 1 == 0 { pause + jitter } else { pause - jitter };
        self.sent += 1;
        let end = match self.phase {
            Phase::Renew => self.times[1],
            Phase::Rebind => self.times[2],
            _ => u64::MAX,
        };
        self.next = now.saturating_add(self.pause).min(end);
        Some(self.message(now))
    }

    fn message(&self, now: u64) -> Vec<u8> {
        let kind = match self.phase {
            Phase::Solicit | Phase::Bound => kind::SOLICIT,
            Phase::Request => kind::REQUEST,
            Phase::Renew => kind::RENEW,
            Phase::Rebind | Phase::Confirm => kind::REBIND,
        };
        let mut out = Out::message(kind, self.xid);
        out.option(option::CLIENT_ID, &self.duid);
        let (server, prefixes) = match (self.phase, &self.best) {
            (Phase::Request, Some(offer)) => (&offer.server[..], &offer.prefixes),
            (Phase::Renew, _) => (&self.server[..], &self.prefixes),
            _ => (&[][..], &self.prefixes),
        };
        out.filled(option::SERVER_ID, server);
        let elapsed = u16::try_from((now - self.began) / 10).unwrap_or(u16::MAX);
        out.option(option::ELAPSED, &elapsed.to_be_bytes());
        out.option(option::ORO, &option::SOL_MAX_RT.to_be_bytes());
        if self.phase == Phase::Solicit {
            out.option(option::RAPID_COMMIT, &[]);
        }
        let mut ia = Out::fixed(&[&IAID[..], &[0; 8]].concat());
        let wish = [Ipv6Net::new_assert(std::net::Ipv6Addr::UNSPECIFIED, WISH)];
        let named = if prefixes.is_empty() { &wish[..] } else { prefixes };
        for net in named {
            let parts = [&[0; 8][..], &[net.prefix_len()], &net.network().octets()];
            ia.option(option::IA_PREFIX, &parts.concat());
        }
        out.option(option::IA_PD, ia.bytes());
        out.finish()
    }

    /// Takes what a server says.
    pub fn hear(&mut self, packet: &[u8], now: u64) -> Heard {
        let Some(answer) = reply::read(packet, &self.duid, IAID).filter(|answer| answer.xid == self.xid)
        else {
            return Heard::Nothing;
        };
        if let Some(pause) = answer.max_pause.filter(|pause| (60..=86_400).contains(pause)) {
            self.longest = u64::from(pause) * SECOND;
        }
        match (self.phase, answer.kind) {
            (Phase::Solicit, kind::ADVERTISE) => self.offered(&answer, now),
            (Phase::Solicit, kind::REPLY) if answer.rapid => return self.replied(&answer, now),
            (Phase::Request | Phase::Renew | Phase::Rebind | Phase::Confirm, kind::REPLY) => {
                return self.replied(&answer, now);
            }
            _ => {}
        }
        Heard::Nothing
    }

    fn offered(&mut self, answer: &Answer<'_>, now: u64) {
        let usable = answer.prefixes.iter().filter(|(_, life)| life.valid > 0).map(|(net, _)| *net);
        let prefixes: Vec<_> = usable.collect();
        let is_better = self.best.as_ref().is_none_or(|best| answer.preference > best.preference);
        if answer.status != status::SUCCESS || prefixes.is_empty() || !is_better {
            return;
        }
        self.best = Some(Offer { server: answer.server.to_vec(), preference: answer.preference, prefixes });
        // Others have the first second to offer more, unless none can (section 18.2.9).
        if answer.preference == u8::MAX || self.sent > 1 {
            self.next = now;
        }
    }

    fn replied(&mut self, answer: &Answer<'_>, now: u64) -> Heard {
        let given: Vec<_> = answer.prefixes.iter().copied().filter(|(_, life)| life.valid > 0).collect();
        match answer.status {
            status::SUCCESS if !given.is_empty() => {}
            // A server that just has trouble says another thing later.
            status::SUCCESS | status::NO_BINDING | status::NO_PREFIXES | status::NOT_ON_LINK => {
                let had = !self.prefixes.is_empty();
                self.prefixes.clear();
                self.enter(Phase::Solicit, now);
                return if had { Heard::Given(Vec::new()) } else { Heard::Nothing };
            }
            _ => return Heard::Nothing,
        }
        self.server = answer.server.to_vec();
        self.prefixes = given.iter().map(|(net, _)| *net).collect();
        let shortest =
            |of: fn(&Life) -> u32| given.iter().map(|(_, life)| of(life)).min().unwrap_or(0).min(FOREVER);
        let (preferred, valid) = (shortest(|life| life.preferred), shortest(|life| life.valid));
        let [renew, rebind] = answer.times;
        // Half and four fifths, where the server leaves it to us (section 21.21); soon enough in any case.
        let renew = if renew == 0 { preferred / 2 } else { renew.min(valid) }.max(1);
        let rebind = if rebind == 0 { preferred / 5 * 4 } else { rebind.min(valid) }.max(renew);
        self.times = [renew, rebind, valid].map(|seconds| now + u64::from(seconds) * SECOND);
        (self.phase, self.next) = (Phase::Bound, self.times[0]);
        Heard::Given(given)
    }
}
