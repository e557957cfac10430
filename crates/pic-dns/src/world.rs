//! Everything that answers depend on, compiled from one snapshot and replaced whole.

use std::sync::Arc;

use pic_model::snapshot::dns::DnsSnapshot;

use crate::forward::Forwarder;
use crate::policy::Policy;
use crate::zone::{ZoneError, Zones};

/// One compiled snapshot.
#[derive(Debug)]
pub struct World {
    /// Generation of the snapshot.
    pub generation: u64,
    /// Our names.
    pub zones: Zones,
    /// Who may ask.
    pub policy: Policy,
    /// For all other names. Lives on with its cache while the upstreams stay the same.
    pub forwarder: Arc<Forwarder>,
}

impl World {
    /// A world without names, clients and upstreams: what is served before the first snapshot.
    pub fn empty() -> Self {
        Self {
            generation: 0,
            zones: Zones::default(),
            policy: Policy::new(&[]),
            forwarder: Arc::new(Forwarder::new(Vec::new())),
        }
    }

    /// Compiles `snapshot`, taking over the forwarder of `before` if it would be the same.
    pub fn compile(snapshot: &DnsSnapshot, before: &Self) -> Result<Self, ZoneError> {
        let mut upstreams = snapshot.upstreams.clone();
        upstreams.retain(|upstream| {
            // Asking ourselves would go round until the timeout.
            let ours = snapshot.listen.contains(&upstream.address());
            if ours {
                tracing::warn!(address = %upstream.address(), "upstream is this service itself, left out");
            }
            !ours
        });
        let forwarder = if before.forwarder.upstreams() == upstreams {
            Arc::clone(&before.forwarder)
        } else {
            Arc::new(Forwarder::new(upstreams))
        };
        Ok(Self {
            generation: snapshot.generation,
            zones: Zones::compile(snapshot)?,
            policy: Policy::new(&snapshot.clients),
            forwarder,
        })
    }
}
