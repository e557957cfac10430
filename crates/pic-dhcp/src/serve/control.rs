//! Answers to the agent.

use std::net::IpAddr;

use pic_model::snapshot::dhcp::{DhcpLanState, DhcpRequest, DhcpState};

use super::Service;
use super::commit::Pending6;
use super::port::Port;
use crate::server::Net;

impl Service {
    /// What the agent asks.
    pub(super) fn control(&mut self) {
        while let Ok((stream, _)) = self.control.accept() {
            let Some(request) = crate::control::request(&stream) else { continue };
            match request {
                DhcpRequest::Leases => crate::control::reply(stream, self.state(true)),
                DhcpRequest::Release { address: IpAddr::V6(address) } => {
                    let record = self.server6.end(address, &self.uplink.book, self.clock.seconds());
                    let done = record.is_some();
                    if let Some(record) = record {
                        self.ledger.add6(Pending6 { lan: 0, records: vec![record], reply: None });
                        self.names.touch();
                    }
                    self.ledger.answer_later(stream, done);
                }
                DhcpRequest::Release { address: IpAddr::V4(address) } => {
                    let record = self.server.end(address, self.clock.seconds());
                    let done = record.is_some();
                    if let Some(record) = record {
                        self.ledger.add(0, record, None);
                        self.names.touch();
                    }
                    self.ledger.answer_later(stream, done);
                }
            }
        }
    }

    /// How everything is.
    pub(super) fn state(&self, done: bool) -> DhcpState {
        let state = crate::control::state(&self.server, self.lan_states(), done, self.clock.seconds());
        shown_by(self.clock.ahead(), self.add6(DhcpState { disk: self.ledger.failure.clone(), ..state }))
    }

    fn lan_states(&self) -> Vec<DhcpLanState> {
        self.server.nets().iter().map(|net| lan_state(net, self.carrier(net))).collect()
    }

    /// The port that packets of a network come in by.
    pub(super) fn carrier(&self, net: &Net) -> Option<&Port> {
        self.ports.iter().flatten().find(|port| port.name == net.lan.interface)
    }
}

/// The times that leases are counted by as the wall clock shows them, which is so many seconds ahead.
fn shown_by(ahead: i64, mut state: DhcpState) -> DhcpState {
    for lease in &mut state.leases {
        for time in [&mut lease.expires, &mut lease.first_seen, &mut lease.last_seen] {
            *time = time.saturating_add(ahead);
        }
    }
    for held in &mut state.uplink.prefixes {
        held.preferred_until = held.preferred_until.saturating_add_signed(ahead);
        held.valid_until = held.valid_until.saturating_add_signed(ahead);
    }
    state
}

fn lan_state(net: &Net, port: Option<&Port>) -> DhcpLanState {
    let why_not = match (port, &net.lan.dhcp) {
        (_, None) => Some("no addresses are handed out there".to_owned()),
        (None, _) => Some(format!("cannot listen on {}", net.lan.interface)),
        (Some(port), _) => port.look.why_not(),
    };
    let rival = port.filter(|_| net.lan.behind.is_none()).and_then(|port| port.look.rival());
    DhcpLanState {
        name: net.lan.name.clone(),
        serving: why_not.is_none(),
        why_not,
        rival,
        size: net.size(),
        routers: Vec::new(),
    }
}
