//! Routers among the hosts, which are given prefixes for the networks behind them (RFC 8415 section 6.3).
//!
//! A router has one number for each of its identity associations: which part of each pool is its. On disk that is an
//! address of the network's own prefix whose end is reserved for anycast (RFC 2526), so that no host can have it.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use pic_model::snapshot::dhcp::PrefixPool;

use super::Record6;
use super::answer::{Answer, times};
use super::net::{Client, Net6};
use crate::delegation::Book;
use crate::lease::{Lease, State};
use crate::prefixes::{BORROWED, Life, Prefix};
use crate::v6::{Ia, Out, kind, option, status};

/// The first of the reserved ends of addresses; there are as many as routers can be told apart.
const FIRST: u64 = 0xfdff_ffff_ffff_ff80;
const MOST: u64 = 128;
/// A part of a pool that stays lasts as long as the lease says.
const STAYS: Life = Life { preferred: u32::MAX, valid: u32::MAX };

/// The number of a router that the end of an address stands for.
pub fn router_of(end: u64) -> Option<u64> {
    end.checked_sub(FIRST).filter(|number| *number < MOST)
}

impl Net6 {
    fn pools(&self) -> &[PrefixPool] {
        self.lan.dhcp6.as_ref().map_or(&[], |dhcp| &dhcp.delegate)
    }

    /// Ends that stand for routers which there are parts for.
    fn ends(&self) -> impl Iterator<Item = u64> {
        let parts = self.pools().iter().map(|one| one.length.saturating_sub(one.pool.prefix_len()).min(7));
        let count = parts.max().map_or(0, |bits| 1_u64 << bits);
        (0..count.min(MOST)).map(|number| FIRST + number)
    }

    /// Whether a prefix is one that a router of this network may have.
    pub(super) fn delegates(&self, prefix: Ipv6Net) -> bool {
        self.pools().iter().any(|one| one.pool.contains(&prefix))
    }

    /// What a router has, with how long at this moment.
    pub fn prefixes_of(&self, end: u64, book: &Book, now: u64) -> Vec<Prefix> {
        let Some(number) = router_of(end) else { return Vec::new() };
        let life = |one: &PrefixPool| {
            if one.lasting { STAYS } else { book.life(one.pool, now).at_most(BORROWED) }
        };
        let part = |one: &PrefixPool| Some(Prefix { net: one.part(number)?, life: life(one) });
        self.pools().iter().filter_map(part).collect()
    }

    /// The router one of whose prefixes has this address.
    pub(super) fn router_with(&self, address: Ipv6Addr, book: &Book, now: u64) -> Option<u64> {
        let mut routers = self.table.iter().map(|(end, _)| end).filter(|end| router_of(*end).is_some());
        routers.find(|end| self.prefixes_of(*end, book, now).iter().any(|one| one.net.network() == address))
    }

    /// The end that stands for a router: what it had, else one that nobody ever had, else the one that has been free the
    /// longest. `None`: there is nothing left to give.
    fn choose_router(&self, identity: &[u8], now: u64) -> Option<u64> {
        let is_open = |end: &u64| self.ends().any(|one| one == *end);
        let is_free = |end: &u64| is_open(end) && self.table.is_free_for(*end, identity, now);
        let had = self.table.of_client(identity).map(|(end, _)| end);
        let fresh = || self.ends().find(|end| self.table.get(*end).is_none());
        had.filter(is_free).or_else(fresh).or_else(|| self.table.expired(now).find(is_open))
    }

    /// What a router gets for the networks behind it; with `bind` for good.
    pub(super) fn delegate(&mut self, ia: &Ia, answer: &mut Answer<'_, '_>, bind: bool) {
        let Some(via) = answer.client.via else {
            return answer.refuse(ia, status::NO_PREFIXES, "prefixes are for routers of this link");
        };
        let (now, lease, identity) = (answer.client.now, self.lease_time(), answer.identity(ia));
        let end = self.choose_router(&identity, now);
        let found = end.map(|end| self.prefixes_of(end, answer.book, now)).unwrap_or_default();
        let alive: Vec<_> = found.into_iter().filter(|prefix| prefix.life.preferred > 0).collect();
        let gone = ia.prefixes.iter().filter(|net| !alive.iter().any(|one| one.net == **net));
        let gone: Vec<_> = gone.filter(|_| answer.message.kind != kind::SOLICIT).copied().collect();
        let mut inner = over(&gone);
        let (Some(end), false) = (end, alive.is_empty()) else {
            inner.status(status::NO_PREFIXES, "there is no prefix to give");
            return answer.ia(ia, [0, 0], &inner);
        };
        if bind {
            answer.records.extend(self.bind_router(end, &identity, via, answer.client));
        }
        let ours = Life { preferred: lease / 8 * 5, valid: lease };
        let lives = alive.iter().map(|Prefix { net, life }| (net, life.at_most(ours)));
        let mut soonest = ours.preferred;
        for (net, life) in lives {
            soonest = soonest.min(life.preferred);
            prefix_option(&mut inner, *net, life);
        }
        answer.ia(ia, times(soonest, true), &inner);
    }

    /// Gives a router what its number stands for.
    fn bind_router(&mut self, end: u64, identity: &[u8], via: Ipv6Addr, client: &Client) -> Option<Record6> {
        let record = self.bind(end, identity, None, client)?;
        self.table.change(end, |lease| lease.via = Some(via));
        Some(Record6 { lease: Lease { via: Some(via), ..record.lease }, ..record })
    }

    /// Routers with a prefix at this moment.
    pub fn routers(&self, now: u64) -> impl Iterator<Item = (u64, Ipv6Addr)> {
        let has = move |(end, lease): (u64, &Lease)| {
            let is_bound = lease.state == State::Bound && lease.expires > now;
            lease.via.filter(|_| is_bound && router_of(end).is_some()).map(|via| (end, via))
        };
        self.table.iter().filter_map(has)
    }
}

/// Prefixes that a router is to use no more.
pub(super) fn over(prefixes: &[Ipv6Net]) -> Out {
    let mut out = Out::default();
    prefixes.iter().for_each(|prefix| prefix_option(&mut out, *prefix, Life::OVER));
    out
}

/// RFC 8415 section 21.22.
fn prefix_option(out: &mut Out, prefix: Ipv6Net, life: Life) {
    let times = [life.preferred.to_be_bytes(), life.valid.to_be_bytes()].concat();
    out.option(option::IA_PREFIX, &[&times[..], &[prefix.prefix_len()], &prefix.network().octets()].concat());
}
