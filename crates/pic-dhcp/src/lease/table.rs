//! The leases of one network with their indexes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Lease, Number, Pools, State};

/// Leases by address, by client and by expiry. Nothing is ever taken from a client before its lease has expired.
/// Addresses are numbers: v4 ones whole, of v6 ones what follows the network's 64 bits.
#[derive(Debug)]
pub struct Table<A = u32> {
    by_address: BTreeMap<A, Lease>,
    by_client: BTreeMap<Box<[u8]>, A>,
    by_expiry: BTreeSet<(u64, A)>,
}

impl<A> Default for Table<A> {
    fn default() -> Self {
        Self { by_address: BTreeMap::new(), by_client: BTreeMap::new(), by_expiry: BTreeSet::new() }
    }
}

impl<A: Number> Table<A> {
    /// The lease of an address.
    pub fn get(&self, address: A) -> Option<&Lease> {
        self.by_address.get(&address)
    }

    /// The address that a client has or last had.
    pub fn of_client(&self, client: &[u8]) -> Option<(A, &Lease)> {
        let address = *self.by_client.get(client)?;
        Some((address, self.by_address.get(&address)?))
    }

    /// All leases in order of their address.
    pub fn iter(&self) -> impl Iterator<Item = (A, &Lease)> {
        self.by_address.iter().map(|(address, lease)| (*address, lease))
    }

    /// Number of addresses that are known.
    pub fn len(&self) -> usize {
        self.by_address.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }

    /// Puts a lease in the place of whatever was known about its address. A client has one address: where it had
    /// another one that is no longer held for it, that one is forgotten to be its.
    pub fn put(&mut self, address: A, lease: Lease) {
        self.remove(address);
        if !lease.client.is_empty()
            && let Some(other) = self.by_client.insert(lease.client.clone(), address)
            && let Some(old) = self.by_address.get_mut(&other)
        {
            old.client = Box::default();
            old.name = None;
        }
        self.by_expiry.insert((lease.expires, address));
        self.by_address.insert(address, lease);
    }

    /// Forgets an address.
    pub fn remove(&mut self, address: A) -> Option<Lease> {
        let lease = self.by_address.remove(&address)?;
        self.by_expiry.remove(&(lease.expires, address));
        if self.by_client.get(&lease.client) == Some(&address) {
            self.by_client.remove(&lease.client);
        }
        Some(lease)
    }

    /// Whether a client may have an address as far as other leases go.
    pub fn is_free_for(&self, address: A, client: &[u8], now: u64) -> bool {
        self.by_address.get(&address).is_none_or(|lease| {
            lease.expires <= now || (*lease.client == *client && lease.state != State::Declined)
        })
    }

    /// An address for a new client: one that nobody ever had, else the one that has been free the longest.
    pub fn allocate(&self, pools: &mut Pools<A>, is_kept: impl Fn(A) -> bool, now: u64) -> Option<A> {
        pools
            .fresh(|address| !self.by_address.contains_key(&address) && !is_kept(address))
            .or_else(|| self.expired(now).find(|address| pools.contains(*address) && !is_kept(*address)))
    }

    /// Addresses whose lease is over, the longest first.
    pub fn expired(&self, now: u64) -> impl Iterator<Item = A> {
        self.by_expiry.range(..=(now, A::LAST)).map(|(_, address)| *address)
    }

    /// Changes a lease in place.
    pub fn change(&mut self, address: A, change: impl FnOnce(&mut Lease)) {
        if let Some(mut lease) = self.remove(address) {
            change(&mut lease);
            self.put(address, lease);
        }
    }

    /// Everything, for another table.
    pub fn drain(self) -> impl Iterator<Item = (A, Lease)> {
        self.by_address.into_iter()
    }
}
