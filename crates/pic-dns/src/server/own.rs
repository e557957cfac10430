//! Names that the service itself needs: hosts from which blocklists are fetched.

use std::net::IpAddr;
use std::time::Instant;

use hickory_proto::op::Message;
use hickory_proto::rr::RData;

use super::explain::question;
use super::{Outcome, Server};
use crate::policy::Client;
use crate::wire::query::Query;
use crate::wire::{name, rtype};

impl Server {
    /// Addresses of a host, as any client without restrictions would be told; none when it has none or nobody knows.
    pub async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let Some(asked) = name::from_text(host) else { return Vec::new() };
        let mut all = Vec::new();
        for qtype in [rtype::A, rtype::AAAA] {
            all.extend(self.addresses_of(&question(&asked, qtype)).await);
        }
        all
    }

    async fn addresses_of(&self, packet: &[u8]) -> Vec<IpAddr> {
        let mut out = Vec::new();
        let (outcome, _) = {
            let Ok(query) = Query::parse(packet) else { return Vec::new() };
            let world = self.world.load();
            self.answer(&world, &Client::ANY, &query, usize::from(u16::MAX), Instant::now(), &mut out)
        };
        if let Outcome::Forward(task) = &outcome {
            let served = task.run().await;
            self.complete(packet, super::Transport::Inside, task, &served, &mut out);
        }
        let Ok(message) = Message::from_vec(&out) else { return Vec::new() };
        let address = |data: &RData| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        };
        message.answers.iter().filter_map(|record| address(&record.data)).collect()
    }
}
