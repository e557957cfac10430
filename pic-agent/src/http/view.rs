//! The engine's data in the API's words.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pic_api::operation::{Operation, OperationResult, Plan, State, Step};
use pic_api::peer::Peer;
use pic_engine::OperationState;
use pic_model::desired;
use pic_model::key::PublicKey;
use pic_model::name::PeerName;
use pic_plan::compile::{Network, exit, is_active};
use pic_plan::target::wireguard::PeerLive;
use pic_plan::words;
use sha2::{Digest, Sha256};

use super::call::Cell;

/// Steps listed at the most.
const STEPS: usize = 1000;

pub(crate) fn plan(operation: &pic_engine::Operation) -> Plan {
    let step = |step: &pic_plan::Step| Step {
        domain: step.action.domain().as_str().to_owned(),
        words: words::of(&step.action),
        why: step.why.clone(),
    };
    Plan {
        id: operation.plan_id.clone(),
        steps: operation.plan.steps.iter().take(STEPS).map(step).collect(),
        total: operation.plan.steps.len(),
        risks: operation.plan.risks.iter().map(|risk| risk.words.clone()).collect(),
        grants: operation.plan.grants.clone(),
        notes: operation.plan.notes.clone(),
        diff: operation.diff.to_string(),
    }
}

pub(crate) fn operation(operation: &pic_engine::Operation, plan: Plan) -> Operation {
    Operation {
        id: operation_id(operation.generation),
        generation: operation.generation,
        state: state(operation.state),
        words: operation.words.clone(),
        plan,
        done: operation.done,
        phase: phase(operation),
        percent: percent(operation),
        deadline_in: None,
        log_tail: Vec::new(),
        result: result(state(operation.state), operation.done),
    }
}

/// What came of an operation that is over.
pub(crate) fn result(state: State, steps: usize) -> Option<OperationResult> {
    let is_over = state.is_settled() && state != State::AwaitingConfirm;
    is_over.then_some(OperationResult { kept: state == State::Kept, steps })
}

/// Part of the host that the next step is about.
fn phase(operation: &pic_engine::Operation) -> Option<String> {
    let next = operation.plan.steps.get(operation.done);
    let next = next.filter(|_| operation.state == OperationState::Applying);
    next.map(|step| step.action.domain().as_str().to_owned())
}

/// Steps done, in hundredths of the plan's; all of it once it is applied. The way back has no known length.
pub(crate) fn percent(operation: &pic_engine::Operation) -> Option<u8> {
    match operation.state {
        OperationState::Planned => Some(0),
        OperationState::Applying => {
            let all = operation.plan.steps.len().max(1);
            u8::try_from((operation.done * 100 / all).min(99)).ok()
        }
        OperationState::Verifying => Some(99),
        OperationState::AwaitingConfirm | OperationState::Kept => Some(100),
        OperationState::Reverting | OperationState::Reverted | OperationState::Failed => None,
    }
}

pub(crate) fn operation_id(generation: u64) -> String {
    format!("op-{generation}")
}

pub(crate) fn state(state: OperationState) -> State {
    match state {
        OperationState::Planned => State::Planned,
        OperationState::Applying => State::Applying,
        OperationState::Verifying => State::Verifying,
        OperationState::AwaitingConfirm => State::AwaitingConfirm,
        OperationState::Kept => State::Kept,
        OperationState::Reverting => State::Reverting,
        OperationState::Reverted => State::Reverted,
        OperationState::Failed => State::Failed,
    }
}

/// RFC 3339 in UTC; `None` for a time that no calendar has.
pub(crate) fn time(seconds: i64) -> Option<String> {
    Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

/// Peers as the API shows them.
pub(crate) struct Peers<'a> {
    network: Network,
    zone: String,
    now: i64,
    live: &'a BTreeMap<PublicKey, PeerLive>,
    cell: &'a Cell,
}

impl<'a> Peers<'a> {
    pub(crate) fn new(cell: &'a Cell) -> Self {
        Self {
            network: Network::new(&cell.desired, &cell.facts),
            zone: cell.desired.cell.name.zone(),
            // As the engine sees it, which a clock that is behind does not fool.
            now: crate::host::now().max(cell.facts.now),
            live: &cell.report.live,
            cell,
        }
    }

    /// Unix seconds at which the list is made.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    pub(crate) fn last_handshake(&self, peer: &desired::Peer) -> Option<i64> {
        self.live.get(&peer.public_key).and_then(|live| live.last_handshake)
    }

    /// Its addresses as text.
    pub(crate) fn addresses(&self, peer: &desired::Peer) -> impl Iterator<Item = String> {
        let v6 = self.network.peer6(peer).map(|address| address.to_string());
        std::iter::once(peer.address.to_string()).chain(v6)
    }

    /// The way to the internet that a peer has now.
    fn leaves_by(&self, peer: &desired::Peer) -> String {
        let (desired, facts) = (&self.cell.desired, &self.cell.facts);
        let chosen = exit::choose(desired, facts, exit::of_peer(desired, peer));
        chosen.map_or_else(|| "direct".to_owned(), ToString::to_string)
    }

    pub(crate) fn view(&self, name: &PeerName, peer: &desired::Peer) -> Peer {
        let live = self.live.get(&peer.public_key).cloned().unwrap_or_default();
        Peer {
            name: name.clone(),
            public_key: peer.public_key,
            address: peer.address,
            address6: self.network.peer6(peer),
            fqdn: format!("{name}.{}", self.zone),
            groups: peer.groups.iter().map(ToString::to_string).collect(),
            allow: peer.allow.iter().map(|allow| allow.as_str().to_owned()).collect(),
            exit: peer.exit.iter().flatten().map(ToString::to_string).collect(),
            leaves_by: self.leaves_by(peer),
            quota: peer.limits.quota.map(|quota| quota.to_string()),
            rate: peer.limits.rate.map(|rate| rate.to_string()),
            expires: peer.expires.and_then(time),
            enabled: peer.enabled,
            active: is_active(peer, self.now),
            preshared: peer.preshared,
            endpoint: live.endpoint,
            last_handshake: live.last_handshake.and_then(time),
            rx_bytes: live.rx_bytes,
            tx_bytes: live.tx_bytes,
        }
    }
}

/// Eight bytes of a checksum, enough to tell two states of one thing apart.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digest of what the owner decided about a peer: what its tag must protect.
fn peer_digest(name: &PeerName, peer: &desired::Peer) -> String {
    digest(format!("{name} {peer:?}").as_bytes())
}

/// Strong tag of a peer as it is shown: its generation, what its owner decided, and what it did.
pub(crate) fn peer_tag(generation: u64, peer: &desired::Peer, shown: &Peer) -> String {
    // Plain data always serialises.
    let shown_now = digest(&serde_json::to_vec(shown).unwrap_or_default());
    format!("\"{generation}-{}-{shown_now}\"", peer_digest(&shown.name, peer))
}

/// Whether a tag of an `If-Match` speaks of the peer as its owner wants it. The generation in it may be an older one, as
/// other peers may have changed meanwhile, and it may have sent and received.
pub(crate) fn peer_matches(tag: &str, name: &PeerName, peer: &desired::Peer) -> bool {
    let inside = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    inside.and_then(|tag| tag.split('-').nth(1)).is_some_and(|seen| seen == peer_digest(name, peer))
}
