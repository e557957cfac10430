//! Everything that answers depend on, compiled from one snapshot and replaced whole.

use std::path::PathBuf;
use std::sync::Arc;

use pic_model::snapshot::dns::{DnsSnapshot, Upstream};

use crate::blocklist::Blocklists;
use crate::clock;
use crate::dnssec::Validator;
use crate::egress::Lines;
use crate::forward::{Forwarder, Guard, Path};
use crate::policy::{Client, Policy};
use crate::querylog::QueryLog;
use crate::wire::name;
use crate::zone::{ZoneError, Zones};

/// Bytes of cache for names that are asked at the general upstreams.
const CACHE: usize = 16 << 20;
/// The same for each exit.
const CACHE_EXIT: usize = 4 << 20;
/// The same for each zone that is asked elsewhere.
const CACHE_FORWARD: usize = 2 << 20;

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
    /// For the zones of the snapshot that are asked elsewhere, in its order.
    pub forwards: Vec<Arc<Forwarder>>,
    /// For all other names of clients that leave by an exit, in the order of the snapshot.
    pub exits: Vec<Arc<Forwarder>>,
    /// Names with a way out of their own.
    pub egress: Arc<Lines>,
    /// Names that some clients are not answered.
    pub blocklists: Arc<Blocklists>,
    /// What answers of upstreams are checked by, if they are.
    pub validator: Option<Arc<Validator>>,
    /// The last questions, if they are kept.
    pub query_log: Option<Arc<QueryLog>>,
}

impl World {
    /// What is served before the first snapshot.
    pub fn empty() -> Self {
        Self {
            generation: 0,
            zones: Zones::default(),
            policy: Policy::default(),
            forwarder: Arc::new(Forwarder::new(Vec::new(), CACHE, Guard::default(), None)),
            forwards: Vec::new(),
            exits: Vec::new(),
            egress: Arc::default(),
            blocklists: Arc::default(),
            validator: None,
            query_log: None,
        }
    }

    /// Compiles `snapshot`, taking over those forwarders of `before` that would be the same.
    pub fn compile(snapshot: &DnsSnapshot, before: &Self) -> Result<Self, ZoneError> {
        let upstreams = without_ourselves(snapshot, &snapshot.upstreams);
        let guard = Guard::Outside(private_names(snapshot)?);
        let validator = validator(snapshot, before.validator.as_ref());
        let checker = validator.as_ref();
        let exits = snapshot.exits.iter().map(|exit| {
            let (path, upstreams) = (Path::by(&exit.interface), without_ourselves(snapshot, &exit.upstreams));
            let checker = checker.filter(|_| !exit.unsigned);
            let is_it = |known: &&Arc<Forwarder>| {
                *known.path() == path && known.is_made_from(&upstreams, &guard, checker)
            };
            // What was learnt by one exit is known by that one alone.
            before.exits.iter().find(is_it).map_or_else(
                || {
                    Arc::new(Forwarder::by(
                        path.clone(),
                        upstreams.clone(),
                        CACHE_EXIT,
                        guard.clone(),
                        checker.cloned(),
                    ))
                },
                Arc::clone,
            )
        });
        let exits = exits.collect();
        let forwarder = if before.forwarder.is_made_from(&upstreams, &guard, checker) {
            Arc::clone(&before.forwarder)
        } else {
            Arc::new(Forwarder::new(upstreams, CACHE, guard, validator.clone()))
        };
        let forward = |upstreams: Vec<Upstream>| {
            let same =
                before.forwards.iter().find(|known| known.is_made_from(&upstreams, &Guard::Trusted, checker));
            same.map_or_else(
                || Arc::new(Forwarder::new(upstreams, CACHE_FORWARD, Guard::Trusted, validator.clone())),
                Arc::clone,
            )
        };
        let forwards = snapshot.forwards.iter().map(|f| forward(without_ourselves(snapshot, &f.upstreams)));
        let forwards = forwards.collect();
        let blocklists = Arc::new(Blocklists::new(snapshot, &before.blocklists, clock::now()));
        let zones = Zones::compile(snapshot)?;
        let policy = Policy::new(snapshot, &zones).counting_on(&before.policy);
        Ok(Self {
            generation: snapshot.generation,
            zones,
            policy,
            forwarder,
            forwards,
            exits,
            egress: Arc::new(Lines::new(&snapshot.egress).map_err(ZoneError::Name)?),
            blocklists,
            validator,
            query_log: QueryLog::new(snapshot.query_log, before.query_log.as_ref()),
        })
    }
}

impl World {
    /// For a name outside, in lower-case wire form: that of the exit of the name, if it has one for this client, else that of
    /// the client's exit. Where the exit is not known there is no answer from elsewhere.
    pub fn outside(&self, client: &Client, asked: &[u8]) -> Option<&Arc<Forwarder>> {
        match self.egress.exit(self.egress.meaning(client.egress, asked)).unwrap_or(client.exit) {
            None => Some(&self.forwarder),
            Some(number) => self.exits.get(usize::from(number)),
        }
    }

    /// All forwarders, the general one first.
    pub fn forwarders(&self) -> impl Iterator<Item = &Arc<Forwarder>> {
        std::iter::once(&self.forwarder).chain(&self.forwards).chain(&self.exits)
    }
}

/// The validator of before if it would be the same: what it learnt stays.
fn validator(snapshot: &DnsSnapshot, before: Option<&Arc<Validator>>) -> Option<Arc<Validator>> {
    let wanted = snapshot.dnssec.as_ref()?;
    let (path, required) = (wanted.trust_anchor.as_ref().map(PathBuf::from), wanted.required);
    let same = before.filter(|known| known.path() == path.as_ref() && known.is_required() == required);
    Some(same.map_or_else(|| Arc::new(Validator::new(path, required)), Arc::clone))
}

/// Asking ourselves would go round until the timeout.
fn without_ourselves(snapshot: &DnsSnapshot, upstreams: &[Upstream]) -> Vec<Upstream> {
    let is_other = |upstream: &&Upstream| {
        let ours = snapshot.listen.contains(&upstream.address());
        if ours {
            tracing::warn!(address = %upstream.address(), "upstream is this service itself, left out");
        }
        !ours
    };
    upstreams.iter().filter(is_other).cloned().collect()
}

fn private_names(snapshot: &DnsSnapshot) -> Result<Vec<Box<[u8]>>, ZoneError> {
    let wire =
        |text: &String| name::from_text(text).map(Box::from).ok_or_else(|| ZoneError::Name(text.clone()));
    snapshot.private.iter().map(wire).collect()
}
