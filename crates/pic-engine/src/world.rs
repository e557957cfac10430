//! The host as the engine sees it: exactly the calls it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use pic_model::key::PublicKey;
use pic_plan::plan::Domain;
use pic_plan::target::wireguard::PeerLive;
use pic_plan::{Action, Facts, Observed, Targets};

/// Why the host could not be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WorldError(pub String);

/// What was read of the host.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// Our objects.
    pub observed: Observed,
    /// Domains that could not be read, with the reason; their part of `observed` says nothing.
    pub failed: BTreeMap<Domain, String>,
    /// What the peers are doing.
    pub live: BTreeMap<PublicKey, PeerLive>,
}

/// Reads and changes the host.
pub trait World: Send {
    /// Facts for a generation.
    fn facts(&mut self, generation: u64) -> Result<Facts, WorldError>;
    /// Our objects in these domains as they are; the others stay empty. `targets` says which settings, files and
    /// units matter.
    fn observe(&mut self, targets: &Targets, domains: &BTreeSet<Domain>) -> Observation;
    /// Does one thing. Doing again what is done is no error.
    fn apply(&mut self, action: &Action) -> Result<(), WorldError>;
    /// A tunnel device was made anew: these peers were last seen there and may be spoken to first. Best effort.
    /// A host without peers to greet does nothing.
    fn greet(&mut self, _peers: &BTreeMap<PublicKey, SocketAddr>) -> Result<(), WorldError> {
        Ok(())
    }
}

/// Time and the boot it belongs to.
pub trait Clock: Send {
    /// Unix seconds by the wall clock, which may jump.
    fn now(&self) -> i64;
    /// Time since boot, counting sleep (`CLOCK_BOOTTIME`): never jumps.
    fn boot(&self) -> Duration;
    /// Identity of this boot.
    fn boot_id(&self) -> String;
}
