//! Answers from our own zones, aliases followed.

use crate::policy::Client;
use crate::wire::query::Query;
use crate::wire::reply::{Link, Reply, Section};
use crate::wire::{HEADER, rcode, rtype};
use crate::world::World;
use crate::zone::{Found, RrSet, Zone};

use super::minimal_any;

/// Aliases followed for one question.
const MAX_LINKS: usize = 8;

/// Where a question goes that is not ours to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the general upstreams.
    Outside,
    /// To the upstreams of the forward with this number.
    Forward(usize),
}

/// What came of looking into our zones.
#[derive(Debug)]
pub(super) enum Local<'n> {
    /// The answer is composed.
    Answered,
    /// This name has to be asked elsewhere; the question's own name leads to it by these links.
    Elsewhere { way: Way, name: &'n [u8], links: Vec<Link> },
}

/// Answers what is ours.
pub(super) fn answer<'w>(
    world: &'w World,
    client: &Client,
    query: &Query<'_>,
    asked: &'w [u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Local<'w> {
    let (mut name, mut links) = (asked, Vec::new());
    loop {
        let way = match world.zones.lookup(name, query.qtype, client) {
            Found::Alias(set) if links.len() < MAX_LINKS => {
                let Some(target) = set.rdata.first() else { break };
                links.push(Link { ttl: set.ttl, target: target.into() });
                name = target;
                continue;
            }
            Found::Alias(_) => break,
            Found::Records(set) => {
                records(query, &links, set, limit, out);
                return Local::Answered;
            }
            Found::NoData(_) if query.qtype == rtype::ANY => {
                minimal_any(Reply::new(query, rcode::NOERROR, limit, out).authoritative());
                return Local::Answered;
            }
            Found::NoData(zone) => {
                negative(query, &links, zone, name, rcode::NOERROR, limit, out);
                return Local::Answered;
            }
            Found::NxDomain(zone) => {
                negative(query, &links, zone, name, rcode::NXDOMAIN, limit, out);
                return Local::Answered;
            }
            Found::Forward(number) => Way::Forward(number),
            Found::Elsewhere => Way::Outside,
        };
        return Local::Elsewhere { way, name, links };
    }
    // Aliases in a circle, or too many of them.
    Reply::new(query, rcode::SERVFAIL, limit, out).finish();
    Local::Answered
}

/// Adds the steps from the question's name; where the last name begins.
pub(super) fn push(reply: &mut Reply<'_, '_>, links: &[Link]) -> usize {
    let step =
        |owner, link: &Link| reply.record(Section::Answer, owner, rtype::CNAME, link.ttl, &link.target);
    links.iter().fold(HEADER, step)
}

fn records(query: &Query<'_>, links: &[Link], set: &RrSet, limit: usize, out: &mut Vec<u8>) {
    let mut reply = Reply::new(query, rcode::NOERROR, limit, out).authoritative();
    let owner = push(&mut reply, links);
    for rdata in set.rdata.iter() {
        reply.record(Section::Answer, owner, set.rtype, set.ttl, rdata);
    }
    reply.finish();
}

fn negative(
    query: &Query<'_>,
    links: &[Link],
    zone: &Zone,
    name: &[u8],
    rcode: u16,
    limit: usize,
    out: &mut Vec<u8>,
) {
    let mut reply = Reply::new(query, rcode, limit, out).authoritative();
    let apex = push(&mut reply, links) + name.len() - zone.apex.len();
    reply.record(Section::Authority, apex, rtype::SOA, zone.negative_ttl(), &zone.soa);
    reply.finish();
}
