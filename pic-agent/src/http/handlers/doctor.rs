//! `/api/doctor`: what could be better, each finding with what to do about it.

use std::sync::Arc;

use pic_api::status::{Check, Health3};
use pic_drivers::{link, sysctl};
use pic_engine::Report;
use pic_model::desired::EndpointHost;
use pic_model::{address, chain};
use pic_plan::compile::client;
use pic_plan::plan::Domain;
use pic_plan::target::sysctl::Key;

use super::status::health3;
use super::{addresses, addresses6, config, dns, exits, queues, resolver};
use crate::http::call::{Call, Cell};
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};

/// A host whose clock stands before this never heard of the present.
const SANE: i64 = 1_767_225_600;
/// Where systemd tells that the network has set the clock.
const TIMESYNC: &str = "/run/systemd/timesync";
/// Less room than this is too little for a ledger to grow.
const ROOM: u64 = 200 << 20;
const NO_ROOM: u64 = 20 << 20;
/// So many repairs since the start are somebody's habit.
const HABIT: u64 = 3;

pub(crate) async fn doctor(call: Call) -> Outcome {
    call.freshen().await;
    let report = call.api.handle.report();
    let Ok(cell) = Cell::of(Arc::clone(&report)) else {
        report.current.desired.as_ref().ok_or_else(Failure::no_cell)?;
        let all = [clock(), forwarding(), edited(&report, &call).await, disk(&call)];
        let all = all.into_iter().chain(taken_back(&report));
        return Reply::json(&all.chain(failing(&report, &[])).collect::<Vec<_>>());
    };
    let mut checks = vec![
        clock(),
        wireguard(&cell),
        uplink(&cell),
        endpoint(&cell),
        forwarding(),
        domain(&report, Domain::Firewall, "firewall"),
        domain(&report, Domain::Unit, "services"),
        names(&report, &call),
        resolver::check_host(&report, &cell.desired),
        edited(&report, &call).await,
        disk(&call),
        expired(&cell),
    ];
    checks.extend(taken_back(&report));
    checks.extend(limits().await);
    checks.extend(queues::check_queues(&report));
    checks.extend(cell.desired.dns.tls.iter().filter_map(|_| certificate(&call)));
    checks.extend(spent(&call));
    checks.extend(super::time::check_time(&cell, &call.api.time_status));
    checks.extend(addresses::check_all(&call, &cell).await);
    checks.extend(addresses6::check_all(&call, &cell).await);
    checks.extend(exits::check_all(&call, &cell));
    checks.extend(repairs(&report));
    checks.extend(failing(&report, &[Domain::Firewall, Domain::Unit, Domain::Resolver, Domain::Queue]));
    Reply::json(&checks)
}

pub(super) fn check(name: &str, state: Health3, words: impl Into<String>, fix: impl Into<String>) -> Check {
    Check { name: name.to_owned(), state, words: words.into(), fix: fix.into() }
}

pub(super) fn good(name: &str, words: impl Into<String>) -> Check {
    check(name, Health3::Ok, words, "")
}

fn clock() -> Check {
    if crate::host::now() < SANE {
        return check(
            "clock",
            Health3::Failed,
            "the clock is years behind",
            "set it: timedatectl set-ntp true",
        );
    }
    let folder = std::path::Path::new(TIMESYNC);
    if folder.is_dir() && !folder.join("synchronized").exists() {
        let words = "the clock has not been set by the network since the start";
        return check("clock", Health3::Degraded, words, "see `timedatectl timesync-status`");
    }
    good("clock", "set")
}

fn wireguard(cell: &Cell) -> Check {
    if cell.facts.kernel_wireguard {
        good("wireguard", "in the kernel")
    } else {
        let words = "this kernel has no WireGuard; a slower process of the cell does its work";
        check("wireguard", Health3::Degraded, words, "install a kernel with the wireguard module and reboot")
    }
}

fn uplink(cell: &Cell) -> Check {
    match (&cell.desired.uplink.interface, &cell.facts.uplink) {
        (Some(set), Some(found)) if *set != found.interface => {
            let words = format!("{set} is set, but the default route leads out of {}", found.interface);
            check("uplink", Health3::Degraded, words, "picctl config set uplink.interface auto")
        }
        (_, Some(found)) => cable(found.interface.as_str()),
        (_, None) => {
            let words = "this host has no default route: no way to the internet";
            check("uplink", Health3::Failed, words, "see `ip route` and the host's network settings")
        }
    }
}

/// The default route stays where the host's addresses are set by hand, also without a cable.
fn cable(interface: &str) -> Check {
    match link::has_carrier(interface) {
        Ok(Some(false)) => {
            let words = format!("{interface} has no carrier: its cable is out, or what it leads to is off");
            let fix = format!("see `ip link show {interface}`, its cable and the router");
            check("uplink", Health3::Failed, words, fix)
        }
        Ok(Some(true) | None) => good("uplink", interface),
        Err(error) => check("uplink", Health3::Degraded, chain(&error), "see `picctl logs`"),
    }
}

fn endpoint(cell: &Cell) -> Check {
    let fix =
        "picctl config set wireguard.endpoint HOST, with the name or address that devices outside can reach";
    let Some(endpoint) = client::endpoint(&cell.desired, &cell.facts) else {
        return check(
            "endpoint",
            Health3::Failed,
            "no address is known by which devices can reach this cell",
            fix,
        );
    };
    let set = cell.desired.wireguard.endpoint.as_ref().map(|endpoint| &endpoint.host);
    let is_private = match (set, &cell.desired.cell.domain) {
        (Some(EndpointHost::Name(_)), _) | (None, Some(_)) => false,
        (Some(EndpointHost::Address(address)), _) => !address::is_public(*address),
        (None, None) => cell
            .facts
            .uplink
            .as_ref()
            .and_then(|uplink| uplink.ipv4)
            .is_some_and(|ip| !address::is_public(ip.into())),
    };
    if is_private {
        let words = format!("devices dial {endpoint}, which is only reachable from the same network");
        return check(
            "endpoint",
            Health3::Degraded,
            words,
            format!("{fix}; forward the port if there is a router"),
        );
    }
    good("endpoint", endpoint)
}

fn forwarding() -> Check {
    let keys =
        [Key::new(&["net", "ipv4", "ip_forward"]), Key::new(&["net", "ipv6", "conf", "all", "forwarding"])];
    let off = keys.iter().find(|key| !matches!(sysctl::read(key), Ok(Some(value)) if value == "1"));
    match off {
        None => good("forwarding", "on for both families"),
        Some(key) => {
            let fix = format!("find out what sets {key}: grep -r forward /etc/sysctl.d /etc/sysctl.conf");
            check("forwarding", Health3::Failed, format!("{key} is not 1: peers get nowhere"), fix)
        }
    }
}

fn domain(report: &Report, domain: Domain, name: &str) -> Check {
    match report.domains.get(&domain) {
        Some(report) if !report.words.is_empty() => {
            check(name, health3(report.health), report.words.clone(), "see `picctl logs`")
        }
        _ => good(name, "as wanted"),
    }
}

/// Whose quota is used up.
fn spent(call: &Call) -> Option<Check> {
    let names: Vec<String> = call.api.usage.spent().iter().map(ToString::to_string).collect();
    if names.is_empty() {
        return None;
    }
    let words = format!("used up, until it begins anew: {}", names.join(", "));
    Some(check("quota", Health3::Ok, words, "picctl peer set NAME --quota MORE, if that is too little"))
}

/// Who was turned away for beginning too often: nothing to mend, but good to know.
async fn limits() -> Option<Check> {
    let seen = super::status::turned_away().await?;
    let words = match (seen.ssh, seen.other) {
        (0, 0) => "nobody outside began too often".to_owned(),
        (ssh, other) => format!("turned away since the firewall was loaded: {ssh} at ssh, {other} elsewhere"),
    };
    Some(good("limits", words))
}

/// What the name server says; one that does not run, as the services' check then tells, says nothing that counts.
fn names(report: &Report, call: &Call) -> Check {
    match report.domains.get(&Domain::Unit) {
        Some(units) if units.words.is_empty() => {
            let tls = report.current.desired.as_ref().and_then(|desired| desired.dns.tls.as_ref());
            dns::check_file(&call.api.dns_status, tls)
        }
        _ => check("dns", Health3::Degraded, "not known while services fail", "see the services first"),
    }
}

fn certificate(call: &Call) -> Option<Check> {
    dns::check_certificate(&call.api.dns_status, crate::host::now())
}

/// Domains in which something is wrong, but for those that have a check of their own.
fn failing(report: &Report, own: &[Domain]) -> impl Iterator<Item = Check> {
    let wrong =
        report.domains.iter().filter(|(domain, found)| !own.contains(domain) && !found.words.is_empty());
    wrong.map(|(domain, found)| {
        check(domain.as_str(), health3(found.health), found.words.clone(), "see `picctl logs`")
    })
}

async fn edited(report: &Report, call: &Call) -> Check {
    if report.current.generation > 0 && config::is_lost(&call.api.cell_toml) {
        let words = format!("{} is lost; what it said is in force", call.api.cell_toml.display());
        return check("config", Health3::Degraded, words, "picctl config discard writes it again");
    }
    if !config::is_edited(&call.api.cell_toml, report) {
        return good("config", "cell.toml is in force");
    }
    let generation = report.current.generation;
    match config::file_errors(&call.api.cell_toml).await.first() {
        Some(wrong) => {
            let place = match wrong.line {
                0 => String::new(),
                line => format!("{}:{line}:{}: ", call.api.cell_toml.display(), wrong.column),
            };
            let words = format!(
                "cell.toml was edited and cannot be read: {place}{}; generation {generation}, the last good one, is in force",
                wrong.message
            );
            let fix = "picctl config check, mend the file, then picctl apply; or picctl config discard";
            check("config", Health3::Failed, words, fix)
        }
        None => {
            let words = "cell.toml was edited and not applied";
            check(
                "config",
                Health3::Degraded,
                words,
                "picctl diff, then picctl apply or picctl config discard",
            )
        }
    }
}

/// The last change, if it is not in force and its maker may not know.
fn taken_back(report: &Report) -> Option<Check> {
    let change = report.taken_back.as_ref()?;
    let generation = change.generation;
    let words = format!("generation {generation} ({}) was taken back: {}", change.reason, change.words);
    let fix = format!(
        "picctl diff {} {generation}; to try it again, picctl rollback {generation}",
        report.current.generation
    );
    Some(check("last-change", Health3::Degraded, words, fix))
}

fn disk(call: &Call) -> Check {
    let state = call.api.state.display();
    let room = match nix::sys::statvfs::statvfs(&call.api.state) {
        Ok(stat) => stat.blocks_available().saturating_mul(stat.fragment_size()),
        Err(error) => {
            return check("disk", Health3::Failed, format!("{state}: {error}"), "make the folder usable");
        }
    };
    let words = format!("{} MiB free under {state}", room >> 20);
    match room {
        // The same from one look to the next, for who polls.
        NO_ROOM.. if room >= ROOM => good("disk", format!("more than {} MiB free under {state}", ROOM >> 20)),
        NO_ROOM.. => check("disk", Health3::Degraded, words, "make room soon"),
        _ => check("disk", Health3::Failed, words, "make room: no change can be kept"),
    }
}

fn expired(cell: &Cell) -> Check {
    const NAMED: usize = 5;
    let now = crate::host::now();
    let gone = cell.desired.peers.iter().filter(|(_, peer)| peer.expires.is_some_and(|at| at <= now));
    let names: Vec<&str> = gone.map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        return good("peers", format!("{} in all, none expired", cell.desired.peers.len()));
    }
    let more = if names.len() > NAMED { ", …" } else { "" };
    let words = format!("{} expired: {}{more}", names.len(), names[..names.len().min(NAMED)].join(", "));
    check("peers", Health3::Ok, words, "picctl peer remove NAME, if it is not coming back")
}

/// Domains that somebody else keeps changing.
fn repairs(report: &Report) -> impl Iterator<Item = Check> {
    report.domains.iter().filter(|(_, report)| report.repairs >= HABIT).map(|(domain, report)| {
        let words =
            format!("{} was repaired {} times since the agent started", domain.as_str(), report.repairs);
        check("repairs", Health3::Degraded, words, "find out what keeps changing it: see `picctl logs`")
    })
}
