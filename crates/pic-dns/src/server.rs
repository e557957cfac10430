//! From a question to an answer, the same for UDP and TCP.
//!
//! Order: may they ask → is it readable → is it a kind of question we take → our zones → cache → forward.
//! Everything but the last step is done at once on the caller's thread; what must be forwarded is handed back.
//! Never: sends or receives. Tested: `server/tests.rs`, and from outside in `tests/black_box.rs`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::cache::{Entry, KeyBuf};
use crate::counters::Counters;
use crate::forward::Task;
use crate::policy::Stranger;
use crate::wire::query::{Query, Unreadable};
use crate::wire::reply::{self, Ede, Reply, Section};
use crate::wire::{CLASS_IN, rcode, rtype};
use crate::world::World;
use crate::zone::{Found, Zone};

/// HINFO record data `"RFC8482" ""`.
const ANY_RDATA: &[u8] = b"\x07RFC8482\x00";
const ANY_TTL: u32 = 3_600;
const PROHIBITED: Ede = Ede { code: 18, text: "not a client of this cell" };
const NO_RECURSION: Ede = Ede { code: 20, text: "not a name of this cell, and recursion was not asked for" };

/// How the question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One datagram, the sender may be forged.
    Udp,
    /// A stream, the sender is real and answers may be long.
    Tcp,
}

impl Transport {
    fn limit(self, query: &Query<'_>) -> usize {
        match self {
            Self::Udp => query.udp_limit(),
            Self::Tcp => usize::from(u16::MAX),
        }
    }
}

/// What to do with a message.
#[derive(Debug)]
pub enum Outcome {
    /// Say nothing.
    Drop,
    /// Send what is in the buffer.
    Reply,
    /// Ask upstream, then call [`complete`] with the result.
    Forward(Task),
}

/// The shared state of all listeners.
#[derive(Debug)]
pub struct Server {
    /// What is served now; replaced whole.
    pub world: ArcSwap<World>,
    /// What happened so far.
    pub counters: Counters,
}

impl Server {
    /// Answers `packet` from `source` into `out`, or says what else to do.
    pub fn handle(
        &self,
        packet: &[u8],
        source: IpAddr,
        transport: Transport,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let world = self.world.load();
        let view = world.policy.admit(source, transport == Transport::Udp);
        if view == Err(Stranger::Drop) {
            self.counters.dropped.add();
            return Outcome::Drop;
        }
        let query = match Query::parse(packet) {
            Ok(query) => query,
            Err(Unreadable::Ignore) => {
                self.counters.dropped.add();
                return Outcome::Drop;
            }
            Err(Unreadable::Answer { id, flags, rcode }) => {
                self.counters.malformed.add();
                reply::bare(id, flags, rcode, out);
                return Outcome::Reply;
            }
        };
        let limit = transport.limit(&query);
        let Ok(view) = view else {
            return self.refuse(&query, rcode::REFUSED, Some(PROHIBITED), limit, out);
        };
        if let Some(rcode) = unsupported(&query) {
            return self.refuse(&query, rcode, None, limit, out);
        }
        let key = KeyBuf::new(view, &query);
        if answer_from_zones(&world, &query, key.name(), limit, out) {
            self.counters.zone.add();
            return Outcome::Reply;
        }
        if !query.recursion_desired {
            return self.refuse(&query, rcode::REFUSED, Some(NO_RECURSION), limit, out);
        }
        if let Some(entry) = world.forwarder.cached(&key, now) {
            self.counters.cached.add();
            relay(&query, &entry, now, limit, out);
            return Outcome::Reply;
        }
        self.counters.forwarded.add();
        Outcome::Forward(Task::new(Arc::clone(&world.forwarder), &key, &query))
    }

    fn refuse(
        &self,
        query: &Query<'_>,
        rcode: u16,
        ede: Option<Ede>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Outcome {
        self.counters.refused.add();
        Reply::new(query, rcode, limit, out).explain(ede).finish();
        Outcome::Reply
    }

    /// Answers `packet`, for which [`Server::handle`] returned [`Outcome::Forward`], with what came of it.
    pub fn complete(&self, packet: &[u8], transport: Transport, entry: &Entry, out: &mut Vec<u8>) -> Outcome {
        let Ok(query) = Query::parse(packet) else { return Outcome::Drop };
        if entry.ede.is_some() {
            self.counters.failed.add();
        }
        relay(&query, entry, Instant::now(), transport.limit(&query), out);
        Outcome::Reply
    }
}

/// Questions nobody gets an answer to.
fn unsupported(query: &Query<'_>) -> Option<u16> {
    if query.edns.is_some_and(|edns| edns.version > 0) {
        return Some(rcode::BADVERS);
    }
    match query.qtype {
        _ if query.qclass != CLASS_IN => Some(rcode::REFUSED),
        0 | rtype::OPT => Some(rcode::FORMERR),
        rtype::ANY => None,
        // Zone transfers, message signatures and other types that are no data.
        rtype::FIRST_META..=0xFF => Some(rcode::REFUSED),
        _ => None,
    }
}

/// Answers names that are ours, and ANY for every name. Returns whether it did.
fn answer_from_zones(world: &World, query: &Query<'_>, name: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
    match (world.zones.lookup(name, query.qtype), query.qtype) {
        (Found::Records(set), _) => {
            let mut reply = Reply::new(query, rcode::NOERROR, limit, out).authoritative();
            for rdata in &set.rdata {
                reply.record(Section::Answer, 0, set.rtype, set.ttl, rdata);
            }
            reply.finish();
        }
        (Found::NoData(_), rtype::ANY) => {
            minimal_any(Reply::new(query, rcode::NOERROR, limit, out).authoritative())
        }
        (Found::NoData(zone), _) => negative(query, zone, rcode::NOERROR, limit, out),
        (Found::NxDomain(zone), _) => negative(query, zone, rcode::NXDOMAIN, limit, out),
        (Found::Elsewhere, rtype::ANY) => minimal_any(Reply::new(query, rcode::NOERROR, limit, out)),
        (Found::Elsewhere, _) => return false,
    }
    true
}

fn minimal_any(mut reply: Reply<'_, '_>) {
    reply.record(Section::Answer, 0, rtype::HINFO, ANY_TTL, ANY_RDATA);
    reply.finish();
}

fn negative(query: &Query<'_>, zone: &Zone, rcode: u16, limit: usize, out: &mut Vec<u8>) {
    let mut reply = Reply::new(query, rcode, limit, out).authoritative();
    let apex = query.name.len() - zone.apex.len();
    reply.record(Section::Authority, apex, rtype::SOA, zone.negative_ttl(), &zone.soa);
    reply.finish();
}

fn relay(query: &Query<'_>, entry: &Entry, now: Instant, limit: usize, out: &mut Vec<u8>) {
    if entry.ede.is_some() {
        return Reply::new(query, entry.answer.rcode, limit, out).explain(entry.ede).finish();
    }
    reply::relay(query, &entry.answer.wire, &entry.answer.ttls, entry.age(now), limit, out);
}

#[cfg(test)]
mod tests;
