//! One network: which address a client gets, and whether it may have the one it asks for.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use pic_model::snapshot::dhcp::LanSnapshot;

use super::{Action, OFFERED, PROBATION, Record};
use crate::label;
use crate::lease::{Lease, Pools, Relay, State, Table};
use crate::wire::{Kind, Message};

/// A network and its leases.
#[derive(Debug)]
pub struct Net {
    /// As configured.
    pub lan: LanSnapshot,
    /// Its leases.
    pub table: Table,
    pools: Pools,
    /// Kept addresses with the index of their reservation.
    kept: BTreeMap<u32, usize>,
    by_mac: BTreeMap<[u8; 6], usize>,
    by_client: BTreeMap<Vec<u8>, usize>,
}

impl Net {
    pub(super) fn new(lan: LanSnapshot) -> Self {
        let pools = lan.dhcp.iter().flat_map(|dhcp| &dhcp.pools);
        let pools = Pools::new(pools.map(|(first, last)| (first.to_bits(), last.to_bits())));
        let kept = lan.reservations.iter().enumerate();
        let by_mac = kept.clone().filter_map(|(index, one)| Some((one.mac?.0, index))).collect();
        let by_client = kept
            .clone()
            .filter_map(|(index, one)| Some(([&[1], one.client_id.as_ref()?.as_bytes()].concat(), index)));
        let by_client = by_client.collect();
        let kept = kept.map(|(index, one)| (one.address.to_bits(), index)).collect();
        Self { pools, kept, by_mac, by_client, table: Table::default(), lan }
    }

    /// Number of addresses in the pools.
    pub fn size(&self) -> u32 {
        u32::try_from(self.pools.size()).unwrap_or(u32::MAX)
    }

    /// Index of the reservation of an address.
    pub fn reservation_of(&self, address: u32) -> Option<usize> {
        self.kept.get(&address).copied()
    }

    fn own(&self) -> Ipv4Addr {
        self.lan.address.addr()
    }

    /// The network that its clients are in.
    pub fn network(&self) -> Ipv4Net {
        self.lan.behind.unwrap_or(self.lan.address)
    }

    /// The address kept for this client, whoever has it now.
    fn kept_for(&self, message: &Message<'_>, client: &[u8]) -> Option<u32> {
        let by_mac = message.mac().and_then(|mac| self.by_mac.get(&mac));
        let index = *self.by_client.get(client).or(by_mac)?;
        Some(self.lan.reservations.get(index)?.address.to_bits())
    }

    /// Whether a client may have this address: the one kept for it if nobody holds that; else one of the pools that is
    /// neither kept for another nor held by another.
    fn may_have(&self, address: u32, message: &Message<'_>, client: &[u8], now: u64) -> bool {
        let kept = self.kept_for(message, client);
        let is_free = |address| self.table.is_free_for(address, client, now);
        match kept {
            Some(kept) if kept == address => is_free(address),
            Some(kept) if is_free(kept) => false,
            _ => self.pools.contains(address) && !self.kept.contains_key(&address) && is_free(address),
        }
    }

    /// The address a client is to be offered: kept for it, had by it, asked for by it, or any.
    fn choose(&mut self, message: &Message<'_>, client: &[u8], now: u64) -> Option<u32> {
        let kept = self.kept_for(message, client);
        let had = self.table.of_client(client).map(|(address, _)| address);
        let asked = message.requested.map(Ipv4Addr::to_bits);
        let mut candidates = kept.into_iter().chain(had).chain(asked);
        if let Some(address) = candidates.find(|address| self.may_have(*address, message, client, now)) {
            return Some(address);
        }
        let kept = &self.kept;
        self.table.allocate(&mut self.pools, |address| kept.contains_key(&address), now)
    }

    pub(super) fn discover(&mut self, message: &Message<'_>, now: u64) -> Action {
        let client = message.identity();
        let Some(address) = self.choose(message, &client, now) else { return Action::None };
        let before = self.table.get(address).filter(|lease| lease.client == client);
        let state = match before.map(|lease| lease.state) {
            Some(State::Bound) if before.is_some_and(|lease| lease.is_bound(now)) => None,
            // It may still be using it: finding it there says nothing.
            Some(State::Bound | State::Released | State::Offered) => Some(State::Offered),
            // A relay on our own link is a switch that looks for conflicts itself.
            _ if self.lan.behind.is_none() && !message.giaddr().is_unspecified() => Some(State::Offered),
            _ => Some(State::Unproven),
        };
        if let Some(state) = state {
            let lease = self.lease(address, message, client, state, now + OFFERED, now);
            self.table.put(address, lease);
        }
        let address = Ipv4Addr::from_bits(address);
        if state == Some(State::Unproven) {
            return Action::Probe(address);
        }
        Action::Send(self.grant(message, Kind::Offer, address))
    }

    pub(super) fn request(&mut self, message: &Message<'_>, now: u64) -> Action {
        let client = message.identity();
        let is_renewing = !message.ciaddr().is_unspecified();
        let wanted = match (message.server, message.requested) {
            (Some(server), _) if server != self.own() => {
                // Another server was chosen; what was held for the client is free again.
                let held = self
                    .table
                    .of_client(&client)
                    .filter(|(_, lease)| matches!(lease.state, State::Offered | State::Unproven));
                if let Some(address) = held.map(|(address, _)| address) {
                    self.table.remove(address);
                }
                return Action::None;
            }
            (_, Some(requested)) if !is_renewing => requested,
            (_, None) if !is_renewing => return Action::None,
            _ => message.ciaddr(),
        };
        let address = wanted.to_bits();
        let is_ours = self.network().contains(&wanted);
        if is_ours && self.may_have(address, message, &client, now) {
            let is_known = self.table.get(address).is_some_and(|lease| lease.client == client);
            // RFC 2131 section 4.3.2: a client that comes back with an address we know nothing of is left alone.
            if message.server.is_none()
                && !is_renewing
                && !is_known
                && self.kept_for(message, &client) != Some(address)
            {
                return Action::None;
            }
            // Nobody gets a second address by asking for one that was not offered to it.
            let has_another = self.table.of_client(&client).is_some_and(|(_, lease)| lease.is_bound(now));
            if !is_known && has_another {
                return Action::None;
            }
            return self.bind(address, message, client, now);
        }
        Action::Send(self.refuse(message))
    }

    fn bind(&mut self, address: u32, message: &Message<'_>, client: Box<[u8]>, now: u64) -> Action {
        let before = self.table.get(address).filter(|lease| lease.client == client);
        let is_renewal = before.is_some_and(|lease| matches!(lease.state, State::Bound | State::Released));
        let expires = now + u64::from(self.lease_time(message));
        let lease = self.lease(address, message, client, State::Bound, expires, now);
        self.table.put(address, lease);
        let reply = self.grant(message, Kind::Ack, Ipv4Addr::from_bits(address));
        match self.record(address, is_renewal) {
            Some(record) => Action::Commit(record, Some(reply)),
            None => Action::None,
        }
    }

    fn lease(
        &self,
        address: u32,
        message: &Message<'_>,
        client: Box<[u8]>,
        state: State,
        expires: u64,
        now: u64,
    ) -> Lease {
        let before = self.table.get(address).filter(|lease| lease.client == client);
        let name = message.fqdn.and_then(label::of_fqdn);
        let name = name.or_else(|| message.host_name.and_then(label::of_host_name));
        Lease {
            mac: message.mac().unwrap_or_default(),
            state,
            expires,
            first_seen: before.map_or(now, |lease| lease.first_seen),
            last_seen: now,
            name: name.or_else(|| before.and_then(|lease| lease.name.clone())),
            // One that renews asks by itself; where it is has been said before.
            relay: relay_of(message).or_else(|| before.and_then(|lease| lease.relay.clone())),
            via: None,
            client,
        }
    }

    pub(super) fn record(&self, address: u32, is_renewal: bool) -> Option<Record> {
        Some(Record { address, lease: self.table.get(address)?.clone(), is_renewal })
    }

    pub(super) fn release(&mut self, message: &Message<'_>, now: u64) -> Action {
        let address = message.ciaddr().to_bits();
        let client = message.identity();
        let is_its =
            self.table.get(address).is_some_and(|lease| lease.client == client && lease.is_bound(now));
        if message.server.is_some_and(|server| server != self.own()) || !is_its {
            return Action::None;
        }
        self.table.change(address, |lease| {
            lease.state = State::Released;
            lease.expires = now;
        });
        self.record(address, true).map_or(Action::None, |record| Action::Commit(record, None))
    }

    pub(super) fn decline(&mut self, message: &Message<'_>, now: u64) -> Action {
        let client = message.identity();
        let address = message.requested.map_or(0, Ipv4Addr::to_bits);
        // Only who holds an address can say that it is of no use: nobody declines the others away.
        match self.table.get(address) {
            Some(lease) if lease.client == client => self.put_on_probation(address, now),
            _ => Action::None,
        }
    }

    pub(super) fn put_on_probation(&mut self, address: u32, now: u64) -> Action {
        let lease = Lease::on_probation(now, PROBATION);
        self.table.put(address, lease);
        self.record(address, true).map_or(Action::None, |record| Action::Commit(record, None))
    }
}

fn relay_of(message: &Message<'_>) -> Option<Box<Relay>> {
    let address = message.giaddr();
    let relay = || Box::new(Relay { address, added: message.relay.unwrap_or_default().into() });
    (!address.is_unspecified()).then(relay)
}
