//! Why an answer is as it is: for `picctl dns query`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hickory_proto::op::Message;
use hickory_proto::rr::Record;
use pic_model::snapshot::dns::{DnsAnswer, DnsAnswerRecord};

use super::local::Way;
use super::{Outcome, Server, Transport, blocked_alias};
use crate::blocklist::Rule;
use crate::cache::{Entry, KeyBuf, Proof};
use crate::clock;
use crate::forward::Forwarder;
use crate::policy::{Client, Stranger};
use crate::wire::query::Query;
use crate::wire::{CLASS_IN, name, rcode};
use crate::world::World;
use crate::zone::Found;

const MAX_LINKS: usize = 8;

impl Server {
    /// Answers as it would answer this client over TCP, and says why.
    pub async fn explain(self: &Arc<Self>, asked: &[u8], qtype: u16, source: IpAddr) -> DnsAnswer {
        let begin = Instant::now();
        let packet = question(asked, qtype);
        let world = self.world.load_full();
        let client = world.policy.admit(source);
        let mut why = match (Query::parse(&packet), client) {
            (Ok(query), Ok(client)) => why(&world, &client, &query, asked),
            (_, Err(Stranger::Refuse | Stranger::Drop)) => {
                vec![format!("{source} is in none of the networks whose clients are served")]
            }
            (Err(_), Ok(_)) => vec!["the question is malformed".to_owned()],
        };
        let mut out = Vec::new();
        let outcome = self.handle(&packet, source, Transport::Inside, begin, &mut out);
        if let Outcome::Forward(task) = &outcome {
            let served = task.run().await;
            why.extend(blocked_by_alias(&world, task.blocks, &served.entry));
            self.complete(&packet, Transport::Inside, task, &served, &mut out);
            why.extend(proof(&served.entry));
        }
        let (rcode, records) = match outcome {
            Outcome::Drop => ("DROPPED".to_owned(), Vec::new()),
            Outcome::Reply | Outcome::Renew(_) | Outcome::Forward(_) => read(&out),
        };
        let view = client.map_or("", |client| world.policy.view_name(client.view)).to_owned();
        let microseconds = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        DnsAnswer { rcode, records, view, why, microseconds }
    }
}

/// A question with recursion desired and EDNS, in wire form.
pub(super) fn question(asked: &[u8], qtype: u16) -> Vec<u8> {
    let mut packet = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(asked);
    packet.extend_from_slice(&qtype.to_be_bytes());
    packet.extend_from_slice(&CLASS_IN.to_be_bytes());
    packet.extend_from_slice(b"\x00\x00\x29\x04\xD0\x00\x00\x00\x00\x00\x00");
    packet
}

fn read(out: &[u8]) -> (String, Vec<DnsAnswerRecord>) {
    let Ok(message) = Message::from_vec(out) else { return ("unreadable".to_owned(), Vec::new()) };
    let one = |record: &Record| DnsAnswerRecord {
        name: record.name.to_string(),
        rtype: record.record_type().to_string(),
        ttl: record.ttl,
        value: record.data.to_string(),
    };
    let code = rcode::text(out.get(3).map_or(0, |b| b & 15));
    (code.to_owned(), message.answers.iter().map(one).collect())
}

/// Each step from the name to its answer, one sentence each.
fn why(world: &World, client: &Client, query: &Query<'_>, asked: &[u8]) -> Vec<String> {
    let view = world.policy.view_name(client.view);
    let mut words = vec![format!("the client is in view \"{view}\"")];
    let mut at: &[u8] = asked;
    for _ in 0..MAX_LINKS {
        let shown = name::to_text(at);
        let (next, word) = match world.zones.lookup(at, query.qtype, client) {
            Found::Records(set) => {
                let whom = if set.is_for_all() {
                    String::new()
                } else {
                    ", shown to this client but not to all".to_owned()
                };
                (None, format!("{shown} is a name of this cell{whom}"))
            }
            Found::Alias(set) => {
                let target = set.rdata.first();
                let to = target.map(name::to_text).unwrap_or_default();
                (target, format!("{shown} is an alias of {to}"))
            }
            Found::NoData(zone) => {
                let apex = name::to_text(&zone.apex);
                (None, format!("{shown} exists in zone {apex} of this cell, but has no such record"))
            }
            Found::NxDomain(zone) => (None, hidden(world, &shown, at, &name::to_text(&zone.apex))),
            Found::Forward(number) => (None, elsewhere(world, client, query, at, Way::Forward(number))),
            Found::Elsewhere => (None, elsewhere(world, client, query, at, Way::Outside)),
        };
        words.push(word);
        match next {
            Some(target) => at = target,
            None => return words,
        }
    }
    words.push("there are more aliases than are followed".to_owned());
    words
}

fn hidden(world: &World, shown: &str, at: &[u8], apex: &str) -> String {
    if world.zones.has_records(at) {
        format!("{shown} exists in zone {apex} of this cell, but this client may not see it")
    } else {
        format!("zone {apex} is answered by this cell and has no {shown}")
    }
}

fn elsewhere(world: &World, client: &Client, query: &Query<'_>, at: &[u8], way: Way) -> String {
    let shown = name::to_text(at);
    let (forwarder, allowed) = match way {
        Way::Outside => (world.outside(client, at).unwrap_or(&world.forwarder), client.internet),
        Way::Forward(number) => (world.forwards.get(number).unwrap_or(&world.forwarder), client.cell),
    };
    if !allowed {
        return format!("{shown} is not a name of this cell, and this client may not reach the internet");
    }
    let blocks = if way == Way::Outside { world.blocklists.active(client.blocks) } else { 0 };
    if let Some(rule) = world.blocklists.block(blocks, at) {
        return format!("{shown} is blocked for this client by {}", counting(world, rule));
    }
    let servers: Vec<String> = forwarder.upstreams().iter().map(|u| u.address().to_string()).collect();
    let servers =
        if servers.is_empty() { "nobody: none is configured".to_owned() } else { servers.join(", ") };
    let rule = if way == Way::Outside { "" } else { " by [[dns.forward]] or NS" };
    let key = KeyBuf::of(client.view, query, at);
    let kept = forwarder.cached(&key, Instant::now());
    let alias = kept.and_then(|kept| blocked_by_alias(world, blocks, &kept.served.entry));
    let alias = alias.map(|words| format!("; {words}")).unwrap_or_default();
    let meant = world.egress.meaning(client.egress, at) != 0;
    let meant = if meant { "; its addresses have an exit of their own ([[egress]])" } else { "" };
    let asleep = if way == Way::Outside { asleep(world, client, at) } else { String::new() };
    format!("{shown} is asked{rule} at {servers}{}{alias}{meant}{asleep}", cached(forwarder, &key))
}

fn blocked_by_alias(world: &World, blocks: u64, entry: &Entry) -> Option<String> {
    let (rule, target) = blocked_alias(world, blocks, entry)?;
    Some(format!("it is an alias of {target}, which is blocked for this client by {}", counting(world, rule)))
}

/// A list of the client that has the name, but does not count now.
fn asleep(world: &World, client: &Client, at: &[u8]) -> String {
    let lists = &world.blocklists;
    match lists.block(client.blocks & !lists.active(client.blocks), at) {
        Some(rule) => format!("; not blocked now by {}", counting(world, rule)),
        None => String::new(),
    }
}

/// A list, the schedule that it counts on, and when that changes next.
fn counting(world: &World, rule: &Rule) -> String {
    let Some(when) = &rule.when else { return format!("the list {}", rule.name) };
    let now = clock::now();
    let changes = world.blocklists.changes(rule, now);
    let next = changes.map(|at| format!(", and changes {}", world.blocklists.shown(at))).unwrap_or_default();
    format!("the list {}, which counts {}{next}", rule.name, when.words())
}

/// What DNSSEC says about an answer.
fn proof(entry: &Entry) -> Option<String> {
    match entry.proof {
        Proof::Unchecked => None,
        Proof::Insecure => Some("its zone is not signed".to_owned()),
        Proof::Secure => Some("it is signed, and follows from the trust anchor".to_owned()),
        Proof::Bogus => {
            Some(format!("DNSSEC validation failed: {}", entry.detail.as_deref().unwrap_or_default()))
        }
    }
}

fn cached(forwarder: &Forwarder, key: &KeyBuf) -> String {
    let now = Instant::now();
    match forwarder.cached(key, now) {
        Some(cached) if cached.served.is_stale => {
            "; nobody answers there, so an expired answer is given".to_owned()
        }
        Some(cached) => {
            let entry = &cached.served.entry;
            let left = entry.answer.life.saturating_sub(entry.age(now));
            let proof = proof(entry).map(|words| format!("; {words}")).unwrap_or_default();
            format!("; the answer is in the cache for {left} s more{proof}")
        }
        None => String::new(),
    }
}
