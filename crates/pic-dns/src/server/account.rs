//! Who asked, and how that was treated: for statistics, and for the query log where there is one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use pic_model::snapshot::dns::DnsTreated;

use super::{Outcome, Server, Transport};
use crate::forward::Task;
use crate::policy::{Client, ViewTally};
use crate::querylog::Entry;
use crate::wire::query::Query;
use crate::world::World;

/// Where a question came from, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) source: IpAddr,
    pub(super) transport: Transport,
    pub(super) now: Instant,
}

/// The same, kept until the answer is there.
#[derive(Debug, Clone)]
pub struct Receipt {
    asker: Asker,
    view: Arc<ViewTally>,
}

impl Server {
    /// Counts a question that is answered; one that is on its way gets what is needed to do so later.
    #[expect(clippy::too_many_arguments, reason = "what is known of a question, on its fastest way")]
    pub(super) fn account(
        &self,
        world: &World,
        asker: Asker,
        client: &Client,
        query: &Query<'_>,
        treated: DnsTreated,
        outcome: &mut Outcome,
        out: &[u8],
    ) {
        let view = world.policy.tally(client.view);
        if client.outside {
            // Whose names may be forged are no clients to tell apart, and would push out those that are.
            view.tally.add(treated);
            return;
        }
        if let Outcome::Forward(task) = outcome {
            task.receipt = Some(Box::new(Receipt { asker, view: Arc::clone(view) }));
            return;
        }
        self.count(world, asker, view, query, treated, out);
    }

    /// Counts a question whose answer came from others.
    pub(super) fn account_late(
        &self,
        world: &World,
        task: &Task,
        query: &Query<'_>,
        treated: DnsTreated,
        out: &[u8],
    ) {
        if let Some(Receipt { asker, view }) = task.receipt.as_deref() {
            self.count(world, *asker, view, query, treated, out);
        }
    }

    fn count(
        &self,
        world: &World,
        asker: Asker,
        view: &Arc<ViewTally>,
        query: &Query<'_>,
        treated: DnsTreated,
        out: &[u8],
    ) {
        view.tally.add(treated);
        self.clients.add(asker.source, treated, asker.now);
        if let Some(log) = &world.query_log {
            log.push(Entry {
                at: SystemTime::now(),
                client: asker.source.to_canonical(),
                view: Arc::clone(view),
                name: query.name.into(),
                qtype: query.qtype,
                treated,
                rcode: out.get(3).map_or(0, |byte| byte & 0x0F),
                transport: asker.transport,
                microseconds: u64::try_from(asker.now.elapsed().as_micros()).unwrap_or(u64::MAX),
            });
        }
    }
}
