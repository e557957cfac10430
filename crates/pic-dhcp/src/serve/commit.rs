//! What must be on disk, and then is told.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::os::unix::net::UnixStream;

use pic_service::chain;

use super::Service;
use super::writer::{Done, Gone};
use crate::lease::Lease;
use crate::server::Record;
use crate::server6::Record6;
use crate::store;
use crate::wire::Reply;

/// A reply that waits for the disk, and the network it leaves by.
#[derive(Debug)]
struct Pending {
    lan: usize,
    record: Record,
    reply: Option<Reply>,
}

/// The same in v6: one message may be about several addresses.
#[derive(Debug)]
pub(super) struct Pending6 {
    pub(super) lan: usize,
    pub(super) records: Vec<Record6>,
    pub(super) reply: Option<(SocketAddrV6, Vec<u8>)>,
}

/// Records that go to the disk together, and who waits for them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    pending: Vec<Pending>,
    pending6: Vec<Pending6>,
    /// The agent, and whether what it asked for was done.
    asked: Vec<(UnixStream, bool)>,
}

/// Batches, and what is known of the disk.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What comes next.
    next: Batch,
    /// What is on its way.
    flying: Batch,
    /// Addresses of which no record of their client is on disk yet.
    fresh: BTreeSet<u32>,
    fresh6: BTreeSet<Ipv6Addr>,
    /// Why leases cannot be written, while they cannot.
    pub(super) failure: Option<String>,
    /// The log is to be written anew.
    wants_rewrite: bool,
}

impl Ledger {
    /// `wants_rewrite`: the log on disk is not as it should be.
    pub(super) fn new(wants_rewrite: bool) -> Self {
        Self { wants_rewrite, ..Self::default() }
    }

    pub(super) fn add(&mut self, lan: usize, mut record: Record, reply: Option<Reply>) {
        // A client that asks twice before the first answer has nothing that it could renew.
        record.is_renewal &= !self.fresh.contains(&record.address);
        if !record.is_renewal {
            self.fresh.insert(record.address);
        }
        store::write(Ipv4Addr::from_bits(record.address).into(), &record.lease, &mut self.next.bytes);
        self.next.pending.push(Pending { lan, record, reply });
    }

    pub(super) fn add6(&mut self, mut pending: Pending6) {
        for record in &mut pending.records {
            record.is_renewal &= !self.fresh6.contains(&record.address);
            if !record.is_renewal {
                self.fresh6.insert(record.address);
            }
            store::write(record.address.into(), &record.lease, &mut self.next.bytes);
        }
        self.next.pending6.push(pending);
    }

    /// Records of these addresses have come to their end.
    pub(super) fn settled6(&mut self, records: &[Record6]) {
        for record in records {
            self.fresh6.remove(&record.address);
        }
    }

    /// Answers the agent when all that is known now is on disk.
    pub(super) fn answer_later(&mut self, stream: UnixStream, done: bool) {
        self.next.asked.push((stream, done));
    }
}

impl Service {
    /// Gives the disk what has come together, and tells those whose records have arrived there.
    pub(super) fn commit(&mut self) -> Result<(), Gone> {
        while let Some(done) = self.writer.done()? {
            if done.was_rewrite { self.rewritten(done) } else { self.written(done) }
        }
        if self.writer.is_busy() {
            return Ok(());
        }
        if std::mem::take(&mut self.ledger.wants_rewrite) {
            let v4 =
                self.server.leases().map(|(address, lease)| (Ipv4Addr::from_bits(address).into(), lease));
            let v6 = self.server6.leases().map(|(address, lease)| (address.into(), lease));
            let leases: Vec<(IpAddr, Lease)> =
                v4.chain(v6).map(|(address, lease)| (address, lease.clone())).collect();
            return self.writer.rewrite(leases);
        }
        let mut batch = std::mem::take(&mut self.ledger.next);
        if batch.bytes.is_empty() {
            self.answer(batch.asked);
            return Ok(());
        }
        let bytes = std::mem::take(&mut batch.bytes);
        self.ledger.flying = batch;
        self.writer.append(bytes)
    }

    fn written(&mut self, done: Done) {
        let failed = done.result.err().map(|error| chain(&error));
        match (&failed, &self.ledger.failure) {
            (Some(error), None) => {
                tracing::error!(error, "leases cannot be written: only known clients are served");
            }
            (None, Some(_)) => tracing::info!("leases can be written again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        let is_bad = failed.is_some();
        let was_bad = std::mem::replace(&mut self.ledger.failure, failed).is_some();
        let now = self.clock.seconds();
        let batch = std::mem::take(&mut self.ledger.flying);
        for Pending { lan, record, reply } in batch.pending {
            self.ledger.fresh.remove(&record.address);
            if is_bad && !record.is_renewal {
                self.server.unwritten(record.address, now);
                continue;
            }
            if record.lease.name.is_some() {
                self.names.touch();
            }
            if let Some(reply) = reply {
                self.send(lan, &reply);
            }
        }
        for pending in batch.pending6 {
            self.written6(pending, is_bad);
        }
        self.answer(batch.asked);
        // What known clients were told while the disk took nothing is made up for.
        let caught_up = was_bad && !is_bad;
        self.ledger.wants_rewrite |=
            caught_up || (!is_bad && store::is_stale(done.length, self.server.len() + self.server6.len()));
    }

    fn rewritten(&mut self, done: Done) {
        if let Err(error) = done.result {
            tracing::warn!(error = chain(&error), "the log of leases cannot be written anew yet");
        }
    }

    fn answer(&mut self, asked: Vec<(UnixStream, bool)>) {
        for (stream, done) in asked {
            crate::control::reply(stream, self.state(done));
        }
    }
}
