//! One network: which number a client gets, and whether it may have the one it asks for.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use pic_model::snapshot::dhcp::{Ipv6Lan, LanSnapshot, ReservationSnapshot};

use super::{Record6, router_of};
use crate::lease::{Lease, Pools, State, Table};
use crate::prefixes::Prefix;
use crate::server::PROBATION;

/// Numbers that are looked at for a new client before one that others had is used again.
const PROBES: u64 = 4096;

/// What follows the 64 bits of a prefix.
pub(super) fn number(address: Ipv6Addr) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = address.octets();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The address with this number in a prefix.
pub fn join(prefix: Ipv6Net, number: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits(prefix.network().to_bits() | u128::from(number))
}

/// What is known about a client beside its message.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) mac: Option<[u8; 6]>,
    pub(super) prefixes: Vec<Prefix>,
    /// The link-local address that it sends from; `None` behind a relay.
    pub(super) via: Option<Ipv6Addr>,
    pub(super) now: u64,
}

/// A network and its leases.
#[derive(Debug)]
pub struct Net6 {
    /// What its hosts are told.
    pub lan: Ipv6Lan,
    /// Its leases, by number.
    pub table: Table<u64>,
    /// Its name.
    pub name: String,
    /// Addresses kept for devices.
    pub reservations: Vec<ReservationSnapshot>,
    pools: Pools<u64>,
    /// Kept numbers with the index of their reservation.
    kept: BTreeMap<u64, usize>,
    by_mac: BTreeMap<[u8; 6], usize>,
    by_duid: BTreeMap<Vec<u8>, usize>,
}

impl Net6 {
    pub(super) fn new(snapshot: &LanSnapshot) -> Option<Self> {
        let lan = snapshot.ipv6.clone()?;
        let pools = lan.dhcp6.iter().flat_map(|dhcp| &dhcp.pools);
        let pools = Pools::new(pools.map(|(first, last)| (number(*first), number(*last))));
        let all = snapshot.reservations.iter().enumerate();
        let kept = all.clone().filter_map(|(index, one)| Some((number(one.address6?), index))).collect();
        let by_mac = all.clone().filter_map(|(index, one)| Some((one.mac?.0, index))).collect();
        let by_duid = all.filter_map(|(index, one)| Some((one.duid()?, index))).collect();
        let (name, reservations) = (snapshot.name.clone(), snapshot.reservations.clone());
        Some(Self { lan, table: Table::default(), name, reservations, pools, kept, by_mac, by_duid })
    }

    pub(super) fn drain(self) -> impl Iterator<Item = (Ipv6Addr, Lease)> {
        let prefix = self.lan.prefix;
        self.table.drain().map(move |(number, lease)| (join(prefix, number), lease))
    }

    /// Number of addresses in the pools.
    pub fn size(&self) -> u64 {
        self.pools.size()
    }

    /// The address in the network's own prefix.
    pub fn address(&self, number: u64) -> Ipv6Addr {
        join(self.lan.prefix, number)
    }

    /// Whether an address is in one of the network's prefixes.
    pub(super) fn has(&self, address: Ipv6Addr) -> bool {
        let all = std::iter::once(&self.lan.prefix).chain(&self.lan.routed).chain(&self.lan.delegated);
        all.into_iter().any(|net| net.contains(&address))
    }

    /// The reservation of a number.
    pub fn reservation_of(&self, number: u64) -> Option<&ReservationSnapshot> {
        self.kept.get(&number).and_then(|index| self.reservations.get(*index))
    }

    /// The reservation of a device, by what it calls itself or by its hardware address.
    pub fn reservation_for(&self, duid: &[u8], mac: Option<[u8; 6]>) -> Option<&ReservationSnapshot> {
        let by_mac = || mac.and_then(|mac| self.by_mac.get(&mac));
        let index = self.by_duid.get(duid).or_else(by_mac)?;
        self.reservations.get(*index)
    }

    /// The number a client is to have: kept for it, had by it, asked for by it, or found from its identity.
    pub(super) fn choose(
        &self,
        duid: &[u8],
        identity: &[u8],
        asked: &[Ipv6Addr],
        client: &Client,
    ) -> Option<u64> {
        let is_free = |number: &u64| self.table.is_free_for(*number, identity, client.now);
        let kept = self.reservation_for(duid, client.mac).and_then(|one| Some(number(one.address6?)));
        let had = self.table.of_client(identity).map(|(number, _)| number);
        let asked = asked.iter().filter(|address| self.has(**address)).map(|address| number(*address));
        let is_open = |number: &u64| {
            self.pools.contains(*number) && !self.kept.contains_key(number) && router_of(*number).is_none()
        };
        let mut others = had.into_iter().chain(asked).filter(is_open);
        kept.filter(is_free).or_else(|| others.find(is_free)).or_else(|| self.fresh(identity, client.now))
    }

    /// A number that nobody ever had, else the one that has been free the longest. The same client is led to the same
    /// one, also when everything about it was forgotten.
    fn fresh(&self, identity: &[u8], now: u64) -> Option<u64> {
        let size = self.pools.size();
        let start =
            u64::from(crc32fast::hash(identity)).wrapping_mul(0x9e37_79b9_7f4a_7c15).checked_rem(size)?;
        let places =
            (0..PROBES.min(size)).map(|step| (u128::from(start) + u128::from(step)) % u128::from(size));
        let mut numbers = places.filter_map(|place| self.pools.at(u64::try_from(place).ok()?));
        let is_hosts = |number: &u64| !self.kept.contains_key(number) && router_of(*number).is_none();
        let is_new = |number: &u64| self.table.get(*number).is_none() && is_hosts(number);
        let is_open = |number: &u64| self.pools.contains(*number) && is_hosts(number);
        numbers.find(is_new).or_else(|| self.table.expired(now).find(is_open))
    }

    /// Gives a number to a client.
    pub(super) fn bind(
        &mut self,
        number: u64,
        identity: &[u8],
        name: Option<Box<str>>,
        client: &Client,
    ) -> Option<Record6> {
        let before = self.table.get(number).filter(|lease| *lease.client == *identity);
        let is_renewal = before.is_some_and(|lease| matches!(lease.state, State::Bound | State::Released));
        let lease = Lease {
            client: identity.into(),
            mac: client.mac.unwrap_or_default(),
            state: State::Bound,
            expires: client.now + u64::from(self.lease_time()),
            first_seen: before.map_or(client.now, |lease| lease.first_seen),
            last_seen: client.now,
            name: name.or_else(|| before.and_then(|lease| lease.name.clone())),
            relay: None,
            via: None,
        };
        self.table.put(number, lease);
        self.record(number, is_renewal)
    }

    /// Seconds that a client keeps an address without asking again.
    pub(super) fn lease_time(&self) -> u32 {
        self.lan.dhcp6.as_ref().map_or(0, |dhcp| dhcp.lease)
    }

    fn record(&self, number: u64, is_renewal: bool) -> Option<Record6> {
        Some(Record6 { address: self.address(number), lease: self.table.get(number)?.clone(), is_renewal })
    }

    pub(super) fn release(&mut self, number: u64, now: u64) -> Option<Record6> {
        self.table.change(number, |lease| {
            lease.state = State::Released;
            lease.expires = now;
        });
        self.record(number, true)
    }

    pub(super) fn put_on_probation(&mut self, number: u64, now: u64) -> Option<Record6> {
        self.table.put(number, Lease::on_probation(now, PROBATION));
        self.record(number, true)
    }
}
