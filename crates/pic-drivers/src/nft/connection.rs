//! A connection to nftables that is kept: closing one right after a removal waits for the kernel to free what was
//! removed (some 20 ms), which a service that changes one element at a time should not pay each time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use pic_plan::plan::Action;
use pic_plan::target::nft::{Count, Elements, ObservedTable, SetDelta, Tallies};

use super::build;
use super::error::Error;
use super::observe;
use super::query::{Interrupted, Query};
use super::socket::Socket;
use super::transaction::Transaction;

/// How often a disturbed reading is begun again.
const ATTEMPTS: u32 = 20;

/// A connection to the nftables of one network namespace: that of the thread which first uses it. Made anew after an
/// error.
#[derive(Debug, Default)]
pub struct Connection {
    socket: Option<Socket>,
    /// What was read last, and the kernel's number of the ruleset then: while that stays, so does the table. Reading a
    /// hundred thousand elements costs the kernel a second, as it walks to its place anew for each datagram.
    known: Option<(u32, Option<Arc<ObservedTable>>)>,
}

impl Connection {
    /// Connects when first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does one action on the table: all of it or, with an error, nothing of it.
    ///
    /// Elements to add that are there already are no error; elements to remove must be there.
    pub fn apply(&mut self, action: &Action) -> Result<(), Error> {
        match action {
            Action::NftReplace(table) => self.commit(build::replace(table)?),
            Action::NftElements(deltas) => {
                let Some(changes) = build::change(deltas)? else { return Ok(()) };
                self.commit(changes)?;
                self.follow(deltas)
            }
            Action::NftDelete => self.commit(build::delete()?),
            other => Err(Error::NotOurs { domain: other.domain().as_str() }),
        }
    }

    /// The table `inet pic`, or `None` if there is none. A table that is dormant, so takes part in nothing, is shown
    /// without content: it exists and is nothing like what it should be.
    ///
    /// What is returned stood in the kernel at one moment.
    pub fn observe(&mut self) -> Result<Option<Arc<ObservedTable>>, Error> {
        let now = self.read(observe::read_generation)?;
        if let Some((_, table)) = self.known.as_ref().filter(|(then, _)| *then == now) {
            return Ok(table.clone());
        }
        // What is known may be large: not two of it at once.
        self.known = None;
        let (generation, table) = self.read(observe::read_once)?;
        let table = table.map(Arc::new);
        self.known = Some((generation, table.clone()));
        Ok(table)
    }

    /// What is known stays so with a change of our own, if nobody else changed anything meanwhile.
    fn follow(&mut self, deltas: &[SetDelta]) -> Result<(), Error> {
        let Some((then, mut table)) = self.known.take() else { return Ok(()) };
        let now = self.read(observe::read_generation)?;
        if now == then.wrapping_add(1)
            && table.as_mut().is_some_and(|table| Arc::make_mut(table).change(deltas))
        {
            self.known = Some((now, table));
        }
        Ok(())
    }

    /// What the rules of our table have counted since it was made, by what they are for.
    pub fn counts(&mut self) -> Result<BTreeMap<String, Count>, Error> {
        self.read(observe::read_counts)
    }

    /// What the sets of our table that count say; `None` where there is no table.
    pub fn tallies(&mut self) -> Result<Option<Tallies>, Error> {
        self.read(observe::read_tallies)
    }

    /// Puts addresses into sets of [`Elements::Learned4`] and its v6 twin, for their whole life.
    pub fn learn(&mut self, learned: &[(String, Elements)]) -> Result<(), Error> {
        if learned.iter().all(|(_, elements)| elements.is_empty()) {
            return Ok(());
        }
        self.commit(build::learn(learned)?)
    }

    /// What such sets hold, by set: each address with the seconds that are left of its life.
    pub fn learned(&mut self) -> Result<BTreeMap<String, Vec<(IpAddr, u64)>>, Error> {
        self.read(observe::read_learned)
    }

    /// Reads until nothing disturbs it.
    fn read<T>(&mut self, once: impl Fn(&mut Query) -> Result<T, Interrupted>) -> Result<T, Error> {
        for _ in 0..ATTEMPTS {
            let mut query = Query::over(self.take()?);
            match once(&mut query) {
                Ok(read) => {
                    self.socket = Some(query.socket());
                    return Ok(read);
                }
                // The socket goes: what was left unread of its answers would come before the next ones.
                Err(Interrupted::ByChange) => {}
                Err(Interrupted::By(error)) => return Err(error),
            }
        }
        Err(Error::Restless)
    }

    fn commit(&mut self, transaction: Transaction) -> Result<(), Error> {
        let mut socket = self.take()?;
        transaction.commit(&mut socket)?;
        self.socket = Some(socket);
        Ok(())
    }

    /// The open socket, or a new one; put back only after success.
    fn take(&mut self) -> Result<Socket, Error> {
        self.socket.take().map_or_else(Socket::open, Ok)
    }
}
