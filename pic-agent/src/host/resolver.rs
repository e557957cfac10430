//! The host's own resolver, as far as the agent has to do with it: it looks, and has `pic-resolver.service` act.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pic_drivers::resolver::{self, Places};
use pic_model::chain;
use pic_model::snapshot::dns::{DnsAnswer, DnsRequest, DnsStatus};
use pic_plan::Action;
use pic_plan::Targets;
use pic_plan::marks::{UNIT_RESOLVER, WIREGUARD_INTERFACE};
use pic_plan::resolver::{hold, way};
use pic_plan::target::resolver::{Resolver, ResolverState};
use serde::de::DeserializeOwned;

use super::Units;
use crate::paths::Paths;

/// The name server is on this host and the question is about its own zone.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_ANSWER: u64 = 1 << 20;
const TYPE_A: u16 = 1;

#[derive(Debug)]
pub(crate) struct HostResolver {
    places: Places,
    control: PathBuf,
}

impl HostResolver {
    pub(crate) fn new(paths: &Paths) -> Self {
        Self { places: paths.resolver(), control: paths.dns_control() }
    }

    /// How it is; `None` where it is none of our business.
    pub(crate) fn observe(
        &self,
        units: &mut Units,
        targets: &Targets,
    ) -> Result<Option<ResolverState>, String> {
        if units.is_own() {
            return Ok(None);
        }
        let looking = resolver::observe(&self.places, WIREGUARD_INTERFACE);
        let found = units.runtime().block_on(looking).map_err(|error| chain(&error))?;
        let wanted = targets.resolver.as_ref();
        let way = way(&found);
        Ok(Some(ResolverState {
            hold: hold(&found, &way, wanted.map(|wanted| wanted.server)),
            way,
            recorded: found.record.is_some(),
            guarded: units.is_systemd() && units.is_active(UNIT_RESOLVER)?,
            answers: wanted.is_some_and(|wanted| self.answers(wanted)),
        }))
    }

    /// Whether the name server listens where the host would ask it, and answers there.
    fn answers(&self, Resolver { server, probe, .. }: &Resolver) -> bool {
        let question = DnsRequest::Query { name: probe.clone(), rtype: TYPE_A, source: *server };
        let serves =
            ask::<DnsStatus>(&self.control, &DnsRequest::Status).is_ok_and(|status| serves(&status, *server));
        serves && ask::<DnsAnswer>(&self.control, &question).is_ok_and(|answer| !answer.records.is_empty())
    }

    pub(crate) fn take(&self, units: &mut Units) -> Result<(), String> {
        let done = units.reload_or_start(UNIT_RESOLVER);
        done.map_err(|words| resolver::words(&self.places).unwrap_or(words))
    }

    /// By the unit where systemd runs, since what is to be changed is out of the agent's reach; by ourselves where
    /// nothing runs.
    pub(crate) fn release(&self, units: &mut Units) -> Result<(), String> {
        if units.is_systemd() {
            units.apply(&Action::UnitStop { name: UNIT_RESOLVER.to_owned() })?;
            if self.is_left(units)? {
                // Left over from before a power cut: the unit's start hands back when the cell does not answer, or is
                // not to be asked.
                let _ = units.apply(&Action::UnitStart { name: UNIT_RESOLVER.to_owned() });
            }
        }
        if !self.is_left(units)? {
            return Ok(());
        }
        let for_good = matches!(resolver::snapshot(&self.places), Ok(None));
        let releasing = resolver::release(&self.places, for_good);
        units.runtime().block_on(releasing).map_err(|error| chain(&error))
    }

    fn is_left(&self, units: &Units) -> Result<bool, String> {
        let looking = resolver::observe(&self.places, WIREGUARD_INTERFACE);
        let found = units.runtime().block_on(looking).map_err(|error| chain(&error))?;
        Ok(found.record.is_some())
    }
}

/// Whether the host would be served there. Where names outside are answered to nobody, for want of signatures that the owner
/// insists on, the host keeps its own resolvers: it needs names for its updates, and to be mended.
fn serves(status: &DnsStatus, server: IpAddr) -> bool {
    let is_blind = status.dnssec.as_ref().is_some_and(|dnssec| dnssec.blind);
    !is_blind && status.listening.iter().any(|address| address.ip() == server)
}

/// One question to the name server, bounded in bytes and time.
fn ask<T: DeserializeOwned>(socket: &Path, request: &DnsRequest) -> io::Result<T> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(serde_json::from_slice(&answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_an_answer_to_anything_outside_is_not_for_the_host() {
        let status = |listening: &str, dnssec: &str| {
            let text = format!(
                r#"{{"version":1,"generation":0,"snapshot_error":null,"listening":[{listening}],"not_listening":[],
                "upstreams":[],"cache_entries":0,"dnssec":{dnssec},"counters":{{"zone":0,"cached":0,"forwarded":0,
                "failed":0,"refused":0,"malformed":0,"dropped":0}}}}"#
            );
            serde_json::from_str::<DnsStatus>(&text).unwrap()
        };
        let server = IpAddr::from([10, 77, 0, 1]);
        let state = |required: bool, blind: bool| {
            format!(r#"{{"anchor_error":null,"clock_doubt":null,"required":{required},"blind":{blind}}}"#)
        };
        assert!(serves(&status("\"10.77.0.1:53\"", "null"), server));
        assert!(serves(&status("\"10.77.0.1:53\"", &state(true, false)), server));
        assert!(!serves(&status("\"10.77.0.1:53\"", &state(true, true)), server));
        assert!(!serves(&status("\"192.168.1.1:53\"", "null"), server));
    }
}
