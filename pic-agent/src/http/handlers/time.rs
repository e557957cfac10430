//! `/api/time`, and the doctor's finding about it: what `pic-time` says about itself. It parses packets of strangers, so
//! its words are foreign: bounded, and told as they are.

use std::net::IpAddr;
use std::path::Path;

use pic_api::status::{Check, Health3};
use pic_api::time::{Time, TimeClient, TimeSource};
use pic_drivers::files;
use pic_model::Desired;
use pic_model::chain;
use pic_model::snapshot::time::{ClientStatus, SourceStatus, TimeStatus, VERSION};
use pic_plan::compile::Network;
use pic_plan::marks::UNIT_TIME;

use super::doctor::{check, good};
use crate::http::call::{Call, Cell};
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

const NAME: &str = "time";
/// Some hundred clients are below this.
const MAX: u64 = 512 << 10;
/// Seconds by which the host's own clock may be off before somebody should look.
const OFF: f64 = 2.0;
const MISSING: &str = "Debian's chrony is not installed";
const INSTALL: &str =
    "apt-get install chrony; it takes the place of systemd-timesyncd. Or picctl config set time.serve false";

pub(crate) async fn time(call: Call) -> Outcome {
    call.freshen().await;
    let cell = call.cell()?;
    Reply::json(&match status(&cell, &call.api.time_status) {
        Ok(status) => answer(status, &cell),
        Err(words) => Time { words, leap: "not synchronised".to_owned(), ..Time::default() },
    })
}

/// What the service says, or why there is nothing to be said.
fn status(cell: &Cell, path: &Path) -> Result<TimeStatus, String> {
    let wanted = &cell.desired.time;
    if !wanted.serve {
        return Err("time.serve is false".to_owned());
    }
    if wanted.upstreams.is_empty() {
        return Err("time.upstreams is empty: there is nobody to take the time from".to_owned());
    }
    if !cell.facts.chronyd {
        return Err(format!("{MISSING}: apt-get install chrony"));
    }
    if !cell.report.services.get(UNIT_TIME).is_some_and(|service| service.active) {
        return Err("pic-time does not run: see `picctl logs`".to_owned());
    }
    read(path)
}

/// A status as the service wrote it.
fn read(path: &Path) -> Result<TimeStatus, String> {
    let bytes = files::read_bounded(path, MAX).map_err(|error| chain(&error))?;
    let bytes = bytes.ok_or("pic-time has not said how it is doing")?;
    let status: TimeStatus = serde_json::from_slice(&bytes)
        .map_err(|error| format!("{} is not understood: {error}", path.display()))?;
    if status.version == VERSION { Ok(status) } else { Err("pic-time is of another release".to_owned()) }
}

fn answer(status: TimeStatus, cell: &Cell) -> Time {
    let tracking = status.tracking.unwrap_or_default();
    let network = Network::new(&cell.desired, &cell.facts);
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds of a time are meant")]
    let measured = tracking.synchronised.then(|| view::time(tracking.reference_time as i64)).flatten();
    Time {
        serving: status.serving,
        words: status.trouble.unwrap_or_default(),
        synchronised: tracking.synchronised,
        source: tracking.source,
        stratum: tracking.stratum,
        host_offset: tracking.offset,
        host_frequency: tracking.frequency,
        uncertainty: tracking.root_delay / 2.0 + tracking.root_dispersion,
        measured,
        leap: tracking.leap,
        sources: status.sources.into_iter().map(source).collect(),
        clients: status.clients.iter().map(|one| client(one, &cell.desired, &network)).collect(),
        asked: status.asked,
        dropped: status.dropped,
    }
}

fn source(source: SourceStatus) -> TimeSource {
    let SourceStatus { name, nts, state, stratum, reached, last, offset } = source;
    TimeSource { name, nts, state, stratum, reached, last, offset }
}

fn client(client: &ClientStatus, desired: &Desired, network: &Network) -> TimeClient {
    let ClientStatus { address, asked, dropped, last } = *client;
    TimeClient { address, name: name(address, desired, network), asked, dropped, last }
}

/// Whose address it is, as far as `cell.toml` says.
fn name(address: IpAddr, desired: &Desired, network: &Network) -> Option<String> {
    let peer = desired.peers.iter().find(|(_, peer)| match address {
        IpAddr::V4(address) => peer.address == address,
        IpAddr::V6(address) => network.peer6(peer) == Some(address),
    });
    let kept = || desired.reservations.iter().find(|kept| IpAddr::V4(kept.address) == address);
    peer.map(|(name, _)| name.to_string()).or_else(|| kept()?.name.as_ref().map(ToString::to_string))
}

/// What the doctor says; nothing where no time is to be served.
pub(super) fn check_time(cell: &Cell, path: &Path) -> Option<Check> {
    let wanted = &cell.desired.time;
    if !wanted.serve || wanted.upstreams.is_empty() {
        return None;
    }
    if !cell.facts.chronyd {
        let words = format!("not served: {MISSING}");
        return Some(match cell.desired.lans.is_empty() {
            true => good(NAME, words + ", and there is no LAN that would ask"),
            false => check(NAME, Health3::Degraded, words, INSTALL),
        });
    }
    Some(match status(cell, path) {
        Ok(status) => judge(&status),
        Err(words) => check(NAME, Health3::Degraded, words, "systemctl restart pic-time"),
    })
}

fn judge(status: &TimeStatus) -> Check {
    let tracking = status.tracking.clone().unwrap_or_default();
    match &status.trouble {
        Some(words) if !status.serving => return check(NAME, Health3::Failed, words, "see `picctl logs`"),
        Some(words) => return check(NAME, Health3::Degraded, words, "see `picctl logs`"),
        None => {}
    }
    if !tracking.synchronised {
        let words = "no time server has been agreed on yet; devices get no time from the cell";
        return check(
            NAME,
            Health3::Degraded,
            words,
            "see `picctl time`; NTS needs tcp/4460 and udp/123 outward",
        );
    }
    if tracking.offset.abs() > OFF {
        let direction = if tracking.offset > 0.0 { "ahead" } else { "behind" };
        let words = format!(
            "the time is served rightly, but the host's own clock is {:.1} s {direction}",
            tracking.offset.abs()
        );
        return check(
            NAME,
            Health3::Degraded,
            words,
            "see what sets it: systemctl status chrony systemd-timesyncd",
        );
    }
    good(NAME, format!("served, by {}", tracking.source.as_deref().unwrap_or("its sources")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pic_model::snapshot::time::Tracking;

    #[test]
    fn each_trouble_is_told() {
        let tracking = |synchronised, offset| Some(Tracking { synchronised, offset, ..Tracking::default() });
        let status = |trouble: Option<&str>, serving, tracking| TimeStatus {
            version: VERSION,
            serving,
            trouble: trouble.map(str::to_owned),
            tracking,
            ..TimeStatus::default()
        };
        let state = |status| judge(&status).state;
        assert_eq!(state(status(Some("udp/123 is held"), false, None)), Health3::Failed);
        assert_eq!(state(status(Some("the template"), true, tracking(true, 0.0))), Health3::Degraded);
        assert_eq!(state(status(None, true, tracking(false, 0.0))), Health3::Degraded);
        assert!(judge(&status(None, true, tracking(true, -9e8))).words.contains("900000000.0 s behind"));
        assert_eq!(state(status(None, true, tracking(true, 0.001))), Health3::Ok);
    }

    #[test]
    fn a_status_is_read_whole_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        assert!(read(&path).unwrap_err().contains("has not said"));
        files::write_atomic(&path, b"{", 0o644).unwrap();
        assert!(read(&path).unwrap_err().contains("is not understood"));
        let whole =
            serde_json::to_vec(&TimeStatus { version: VERSION + 1, ..TimeStatus::default() }).unwrap();
        files::write_atomic(&path, &whole, 0o644).unwrap();
        assert!(read(&path).unwrap_err().contains("another release"));
    }
}
