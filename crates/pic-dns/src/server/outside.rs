//! What is different for the internet, where it is answered at all.

use std::net::IpAddr;
use std::time::Instant;

use super::{Outcome, Server, Transport};
use crate::limit::Verdict;
use crate::wire::query::Query;
use crate::wire::rcode;
use crate::wire::reply::Reply;

impl Server {
    /// What is done with a question from outside instead of answering it, if there were too many.
    pub(super) fn limit(
        &self,
        query: &Query<'_>,
        source: IpAddr,
        transport: Transport,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Option<Outcome> {
        if transport != Transport::Udp {
            return None;
        }
        match self.limiter.take(source, now) {
            Verdict::Send => return None,
            Verdict::Truncate => Reply::new(query, rcode::NOERROR, query.udp_limit(), out).cut().finish(),
            Verdict::Drop => {
                self.counters.limited.add();
                return Some(Outcome::Drop);
            }
        }
        self.counters.limited.add();
        Some(Outcome::Reply)
    }
}
