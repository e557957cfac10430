//! From a question to an answer, the same for UDP and TCP.
//!
//! Order: may they ask → is it readable → is it a kind of question we take → our zones → cache → forward.
//! Everything but the last step is done at once on the caller's thread; what must be forwarded is handed back.
//! Never: sends or receives. Tested: `server/tests.rs`, and from outside in `tests/black_box.rs`.

mod account;
mod explain;
mod local;
mod outside;
mod own;
mod transport;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use arc_swap::ArcSwap;
use pic_model::snapshot::dns::DnsTreated;

use crate::blocklist::Rule;
use crate::cache::{Entry, KeyBuf, Proof};
use crate::counters::Counters;
use crate::egress::{Meant, Teller};
use crate::forward::{Cached, Served, Task};
use crate::limit::Limiter;
use crate::policy::{Client, Stranger};
use crate::probe::Probes;
use crate::tally::Clients;
use crate::wire::query::{Query, Unreadable};
use crate::wire::reply::{self, Ede, Link, Reply, Section};
use crate::wire::{CLASS_IN, HEADER, name, rcode, rtype};
use crate::world::World;
use account::Asker;
pub use account::Receipt;
use local::{Local, Way};
pub use transport::Transport;

/// HINFO record data `"RFC8482" ""`.
const ANY_RDATA: &[u8] = b"\x07RFC8482\x00";
const ANY_TTL: u32 = 3_600;
const PROHIBITED: Ede = Ede { code: 18, text: "not a client of this cell" };
const NO_INTERNET: Ede = Ede { code: 18, text: "this device may not reach the internet through the cell" };
const NO_EXIT: Ede = Ede { code: 0, text: "the exit of this device is not known" };
const BLOCKED: Ede = Ede { code: 15, text: "blocked by a list of this cell" };
const NO_RECURSION: Ede = Ede { code: 20, text: "not a name of this cell, and recursion was not asked for" };

const NO_HINTS: Ede =
    Ede { code: 17, text: "the addresses of this name have an exit of their own; ask for A and AAAA" };
const HELD: Ede =
    Ede { code: 0, text: "the exit of this name cannot be set for its addresses at this moment" };

/// SVCB and HTTPS (RFC 9460), which hold addresses and lead to other names.
const SVCB: [u16; 2] = [64, 65];

/// What to do with a message.
#[derive(Debug)]
pub enum Outcome {
    /// Say nothing.
    Drop,
    /// Send what is in the buffer.
    Reply,
    /// Send what is in the buffer, then run this so that the next answer is a fresh one.
    Renew(Task),
    /// Ask upstream, then call [`Server::complete`] with the result.
    Forward(Task),
}

/// The same, and how the question was treated.
type Treated = (Outcome, DnsTreated);

/// The shared state of all listeners.
#[derive(Debug)]
pub struct Server {
    /// What is served now; replaced whole.
    pub world: ArcSwap<World>,
    /// What happened so far.
    pub counters: Counters,
    /// The same by client.
    pub clients: Clients,
    /// What the internet is answered.
    pub limiter: Limiter,
    /// Tells the agent of addresses with a way out of their own.
    pub teller: Arc<Teller>,
    /// Asks for signs of life of exits.
    pub probes: Probes,
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
        let client = world.policy.admit(source);
        if client == Err(Stranger::Drop) {
            self.counters.dropped.add();
            return Outcome::Drop;
        }
        let mut query = match transport.read(packet) {
            Ok(query) => query,
            Err(Unreadable::Ignore) => {
                self.counters.dropped.add();
                return Outcome::Drop;
            }
            // The sender may be forged, and nobody is helped by the answer.
            Err(_) if transport == Transport::Udp && client.is_ok_and(|client| client.outside) => {
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
        let Ok(client) = client else {
            return self.refuse(&query, rcode::REFUSED, Some(PROHIBITED), limit, out).0;
        };
        if client.outside {
            query.recursion_available = false;
            if let Some(outcome) = self.limit(&query, source, transport, now, out) {
                return outcome;
            }
        }
        let (mut outcome, treated) = match unsupported(&query) {
            Some(rcode) => self.refuse(&query, rcode, None, limit, out),
            None if client.outside && !world.zones.is_of_cell(KeyBuf::new(client.view, &query).name()) => {
                self.refuse(&query, rcode::REFUSED, Some(PROHIBITED), limit, out)
            }
            None => self.answer(&world, &client, &query, limit, now, out),
        };
        if transport != Transport::Inside {
            let asker = Asker { source, transport, now };
            self.account(&world, asker, &client, &query, treated, &mut outcome, out);
        }
        outcome
    }

    /// Answers a question that a client may ask.
    fn answer(
        &self,
        world: &World,
        client: &Client,
        query: &Query<'_>,
        limit: usize,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Treated {
        let key = KeyBuf::new(client.view, query);
        match local::answer(world, client, query, key.name(), limit, out) {
            Local::Answered => {
                self.counters.zone.add();
                (Outcome::Reply, DnsTreated::Local)
            }
            Local::Elsewhere { way, name, links } => {
                let key = if links.is_empty() { key } else { KeyBuf::of(client.view, query, name) };
                self.elsewhere(world, Asked { client: *client, query, key, way, limit }, links, now, out)
            }
        }
    }

    /// Answers from the cache, or hands the question back to be asked upstream.
    fn elsewhere(
        &self,
        world: &World,
        asked: Asked<'_, '_>,
        links: Vec<Link>,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Treated {
        let Asked { client, query, key, way, limit } = asked;
        if query.qtype == rtype::ANY {
            self.counters.zone.add();
            minimal_any(Reply::new(query, rcode::NOERROR, limit, out));
            return (Outcome::Reply, DnsTreated::Local);
        }
        let refusal = match way {
            _ if !query.recursion_desired => Some(NO_RECURSION),
            Way::Forward(_) if !client.cell || client.outside => Some(NO_INTERNET),
            Way::Outside if !client.internet => Some(NO_INTERNET),
            Way::Forward(_) | Way::Outside => None,
        };
        if let Some(ede) = refusal {
            if links.is_empty() {
                return self.refuse(query, rcode::REFUSED, Some(ede), limit, out);
            }
            // Our own part of the answer is no secret.
            let mut reply = Reply::new(query, rcode::NOERROR, limit, out).authoritative().explain(Some(ede));
            local::push(&mut reply, &links);
            reply.finish();
            return (Outcome::Reply, DnsTreated::Local);
        }
        let blocks = match way {
            Way::Outside if client.blocks != 0 => world.blocklists.active(client.blocks),
            Way::Outside | Way::Forward(_) => 0,
        };
        let forwarder = match way {
            Way::Outside => match world.outside(&client, key.name()) {
                Some(forwarder) => forwarder,
                None => return self.refuse(query, rcode::SERVFAIL, Some(NO_EXIT), limit, out),
            },
            Way::Forward(number) => world.forwards.get(number).unwrap_or(&world.forwarder),
        };
        let meant = (client.egress != 0).then(|| Meant {
            lines: Arc::clone(&world.egress),
            among: client.egress,
            teller: Arc::clone(&self.teller),
        });
        if SVCB.contains(&query.qtype) && world.egress.meaning(client.egress, key.name()) != 0 {
            self.counters.zone.add();
            let mut reply = Reply::new(query, rcode::NOERROR, limit, out).explain(Some(NO_HINTS));
            local::push(&mut reply, &links);
            reply.finish();
            return (Outcome::Reply, DnsTreated::Local);
        }
        let cached = forwarder.cached(&key, now);
        if blocks != 0 && is_blocked(world, blocks, key.name(), cached.as_ref()) {
            return self.block(query, &links, limit, out);
        }
        let task = |links| {
            let task =
                Task::new(Arc::clone(forwarder), &key, query, links, blocks).with_private(client.private);
            task.of_meaning(meant.clone())
        };
        if let Some(mut cached) = cached {
            if let Some(meant) = &meant {
                let entry = &cached.served.entry;
                if !meant.is_known(key.name(), entry) {
                    return (Outcome::Forward(task(links).with(cached.served)), DnsTreated::Forwarded);
                }
                cached.served.most = meant.most(key.name(), entry);
            }
            self.counters.cached.add();
            relay(query, &cached.served, &links, now, limit, out);
            let treated =
                if cached.served.entry.ede.is_some() { DnsTreated::Failed } else { DnsTreated::Cached };
            let outcome = if cached.wants_renewal { Outcome::Renew(task(links)) } else { Outcome::Reply };
            return (outcome, treated);
        }
        self.counters.forwarded.add();
        (Outcome::Forward(task(links)), DnsTreated::Forwarded)
    }

    fn block(&self, query: &Query<'_>, links: &[Link], limit: usize, out: &mut Vec<u8>) -> Treated {
        self.counters.blocked.add();
        let mut reply = Reply::new(query, rcode::NXDOMAIN, limit, out).explain(Some(BLOCKED));
        local::push(&mut reply, links);
        reply.finish();
        (Outcome::Reply, DnsTreated::Blocked)
    }

    fn refuse(
        &self,
        query: &Query<'_>,
        rcode: u16,
        ede: Option<Ede>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Treated {
        self.counters.refused.add();
        Reply::new(query, rcode, limit, out).explain(ede).finish();
        (Outcome::Reply, DnsTreated::Refused)
    }

    /// Answers `packet`, for which [`Server::handle`] returned [`Outcome::Forward`], with what came of it.
    pub fn complete(
        &self,
        packet: &[u8],
        transport: Transport,
        task: &Task,
        served: &Served,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let Ok(query) = transport.read(packet) else { return Outcome::Drop };
        match served.entry.proof {
            Proof::Secure => self.counters.authentic.add(),
            Proof::Bogus => self.counters.bogus.add(),
            Proof::Unchecked | Proof::Insecure => {}
        }
        if served.entry.ede.is_some() || served.held {
            self.counters.failed.add();
        }
        let limit = transport.limit(&query);
        let world = self.world.load();
        let treated = if blocked_alias(&world, task.blocks, &served.entry).is_some() {
            self.block(&query, &task.links, limit, out).1
        } else if served.held {
            Reply::new(&query, rcode::SERVFAIL, limit, out).explain(Some(HELD)).finish();
            DnsTreated::Failed
        } else {
            relay(&query, served, &task.links, Instant::now(), limit, out);
            if served.entry.ede.is_some() { DnsTreated::Failed } else { DnsTreated::Forwarded }
        };
        self.account_late(&world, task, &query, treated, out);
        Outcome::Reply
    }
}

/// Whether a name, or one that its answer in the cache is an alias of, is on a list in `blocks`. The lists are large and
/// looking costs some reads of far memory, so what was found on none is remembered with the answer.
fn is_blocked(world: &World, blocks: u64, name: &[u8], cached: Option<&Cached>) -> bool {
    let entry = cached.map(|cached| &cached.served.entry);
    let epoch = world.blocklists.epoch();
    if entry.is_some_and(|entry| entry.clean.load(Ordering::Relaxed) == epoch) {
        return false;
    }
    let is_alias = |entry: &Arc<Entry>| blocked_alias(world, blocks, entry).is_some();
    if world.blocklists.block(blocks, name).is_some() || entry.is_some_and(is_alias) {
        return true;
    }
    if let Some(entry) = entry {
        entry.clean.store(epoch, Ordering::Relaxed);
    }
    false
}

/// The first of the lists in `blocks` that has a name which the answer is an alias of: else a blocked name would only need
/// another one in front of it.
fn blocked_alias<'w>(world: &'w World, blocks: u64, entry: &Entry) -> Option<(&'w Rule, String)> {
    if blocks == 0 || entry.answer.targets.is_empty() {
        return None;
    }
    let block = |target: &[u8]| Some((world.blocklists.block(blocks, target)?, name::to_text(target)));
    entry.answer.targets.iter().find_map(|target| block(target))
}

/// A question for others, and who asks it.
struct Asked<'a, 'p> {
    client: Client,
    query: &'a Query<'p>,
    key: KeyBuf,
    way: Way,
    limit: usize,
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

fn minimal_any(mut reply: Reply<'_, '_>) {
    reply.record(Section::Answer, HEADER, rtype::HINFO, ANY_TTL, ANY_RDATA);
    reply.finish();
}

/// Composes the answer to a question that others were asked.
fn relay(query: &Query<'_>, served: &Served, links: &[Link], now: Instant, limit: usize, out: &mut Vec<u8>) {
    let (answer, age) = (&served.entry.answer, served.age(now));
    if served.entry.ede.is_some() {
        return own(query, &served.entry, links, limit, out);
    }
    if links.is_empty() {
        // What is past its life proves nothing any more.
        let authentic = served.entry.proof == Proof::Secure && !served.is_stale;
        reply::relay(query, &answer.wire, &answer.ttls, authentic, age, limit, out);
    } else {
        reply::relay_behind(query, links, &answer.wire, age, limit, out);
    }
}

/// Composes what we say ourselves in place of an answer.
fn own(query: &Query<'_>, entry: &Entry, links: &[Link], limit: usize, out: &mut Vec<u8>) {
    let mut reply = Reply::new(query, entry.answer.rcode, limit, out)
        .explain(entry.ede)
        .in_words(entry.detail.as_deref());
    local::push(&mut reply, links);
    reply.finish();
}

#[cfg(test)]
mod tests;
