//! Finds out, twice a second, whether exits work, and wakes the engine when one dies or comes back.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pic_drivers::wireguard;
use pic_engine::Handle;
use pic_model::Desired;
use pic_model::desired::EndpointHost;
use pic_model::exit::{Kind, WayOut};
use pic_model::name::{DomainName, ExitName};
use pic_model::snapshot::dns::{DnsAnswer, DnsProbe, DnsRequest, DnsSigns, Upstream};
use pic_plan::compile::Network;
use pic_plan::compile::exit::{self, Resolved, Tunnel};
use pic_plan::facts::Facts;
use pic_plan::liveness::Liveness;
use pic_plan::marks::{PROXY, TOR};

use super::{ExitState, Exits};
use super::{openvpn, told};
use crate::host::{boot, now};
use crate::http::dns_control;
use crate::paths::Paths;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// Looks from one question to the next for an exit that nobody uses.
const SELDOM: u64 = 20;
/// Between two looks at what may take its time, and how many of them there are from one reading of the devices to the next.
const ATTEND: Duration = Duration::from_secs(1);
const DEVICES: u64 = 5;
/// Between two questions for the address of a provider that does not answer.
const RESOLVE: Duration = Duration::from_secs(15);
/// Seconds after the last handshake that a session still lives (WireGuard paper, section 6.1).
const SESSION: i64 = 180;

/// What a look at an exit found.
enum Found {
    /// It cannot even run.
    Still,
    /// Nobody could say.
    Unknown,
    /// Whether there was a sign of life.
    Sign(bool),
}

/// Signs of life of the exits that were asked for one, where there is an answer to that.
type Signs = BTreeMap<ExitName, bool>;

/// Looks at all exits for ever. Waits for none of them, so that one that hangs keeps no other from being found dead.
pub(crate) async fn watch(handle: Handle, exits: Exits, paths: Paths) {
    let mut watched: BTreeMap<ExitName, Liveness> = BTreeMap::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 0_u64.. {
        looks.tick().await;
        let report = handle.report();
        let (Some(desired), Some(facts)) = (&report.current.desired, &report.facts) else { continue };
        if desired.exits.is_empty() && watched.is_empty() {
            continue;
        }
        watched.retain(|name, _| desired.exits.contains_key(name));
        {
            let mut known = exits.lock();
            known.exits.retain(|name, _| desired.exits.contains_key(name));
            known.leaks.retain(|name, _| desired.exits.contains_key(name));
        }
        let mut changed = false;
        let is_due = |one: &Resolved<'_>| is_used(desired, one.name) || number.is_multiple_of(SELDOM);
        let due: Vec<_> = Resolved::all(desired, facts).into_iter().filter(is_due).collect();
        let wanted = due.iter().filter_map(|one| Some((one.name.clone(), probe(desired, facts, one)?)));
        let signs = signs(&paths.dns_control(), wanted.unzip()).await;
        for one in due {
            let liveness = watched.entry(one.name.clone()).or_insert_with(|| Liveness::new(boot()));
            changed |= look(&exits, &paths, (desired, facts), &one, liveness, &signs);
        }
        if changed {
            handle.event();
        }
    }
}

/// Whether anybody may be sent by it.
fn is_used(desired: &Desired, name: &ExitName) -> bool {
    let uses = |ways: &[WayOut]| ways.iter().any(|way| matches!(way, WayOut::Exit(one) if one == name));
    desired.peers.values().any(|peer| peer.exit.as_deref().is_some_and(uses))
        || desired.group_exits.values().any(|ways| uses(ways))
        || desired.lans.values().any(|lan| uses(&lan.exit))
        || desired.egress.iter().any(|line| uses(&line.exit))
}

/// Looks for signs of life of one exit; whether it died or came back.
fn look(
    exits: &Exits,
    paths: &Paths,
    (desired, facts): (&Desired, &Facts),
    one: &Resolved<'_>,
    liveness: &mut Liveness,
    signs: &Signs,
) -> bool {
    let mut percent = None;
    let mut bytes = None;
    let mut learned = false;
    let (works, words) = match (&one.exit.kind, one.provider) {
        _ if !one.exit.enabled => (Some(false), "it is switched off".to_owned()),
        (Kind::Tor, _) if !facts.exits.tor => (Some(false), NO_TOR.to_owned()),
        (Kind::Tor, _) => {
            let sign = told::look(&paths.exit_status(TOR, &one.interface()));
            liveness.take(boot(), sign.works);
            percent = sign.percent;
            (liveness.known(), sign.words)
        }
        (Kind::Proxy(proxy), _) => match exit::proxy::ready(one, proxy, desired, facts) {
            Err(words) => {
                liveness.take(boot(), false);
                (Some(false), words)
            }
            Ok(_) => {
                let sign = told::look(&paths.exit_status(PROXY, &one.interface()));
                liveness.take(boot(), sign.works);
                (liveness.known(), sign.words)
            }
        },
        (Kind::Openvpn { .. }, _) => {
            let (found, words);
            (found, words, percent, bytes) = by_openvpn(paths, (desired, facts), one, liveness, signs);
            learned = openvpn::given(paths).get(&one.interface()) != facts.exits.given.get(&one.interface());
            if let Found::Sign(sign) = found {
                liveness.take(boot(), sign);
            }
            (if matches!(found, Found::Still) { Some(false) } else { liveness.known() }, words)
        }
        (Kind::Wireguard { file } | Kind::Cell { file, .. }, None) => (Some(false), file_words(facts, file)),
        (Kind::Wireguard { .. } | Kind::Cell { .. }, Some(provider)) => {
            let sign = match target(desired, facts, &provider.into()) {
                Some(_) => signs.get(one.name).copied(),
                // Nobody there to ask: a session is the best sign there is.
                None => Some(exits.of(one.name).last_handshake.is_some_and(|at| now() - at < SESSION)),
            };
            if let Some(sign) = sign {
                liveness.take(boot(), sign);
            }
            let words = match liveness.known() {
                Some(false) if provider.endpoint.is_none() => {
                    "nothing comes from the other cell, which dials this one".to_owned()
                }
                Some(false) if one.endpoint.is_none() => "the provider's name does not resolve".to_owned(),
                Some(false) => "nothing comes back through it".to_owned(),
                _ => String::new(),
            };
            (liveness.known(), words)
        }
    };
    let mut state = exits.lock();
    let state = state.exits.entry(one.name.clone()).or_default();
    let was_dead = state.works == Some(false);
    if state.works != works {
        (state.works, state.since) = (works, now());
        match works {
            Some(true) => tracing::info!(exit = one.name.as_str(), "the exit works"),
            Some(false) => tracing::warn!(exit = one.name.as_str(), "the exit does not work: {words}"),
            None => {}
        }
    }
    (state.words, state.percent) = (words, percent);
    if let Some((received, sent)) = bytes {
        (state.rx_bytes, state.tx_bytes) = (received, sent);
    }
    learned || was_dead != (works == Some(false))
}

/// What is known of an exit by OpenVPN; words; how far it has come; and bytes that it carried.
type ByOpenvpn = (Found, String, Option<u8>, Option<(u64, u64)>);

fn by_openvpn(
    paths: &Paths,
    (desired, facts): (&Desired, &Facts),
    one: &Resolved<'_>,
    liveness: &Liveness,
    signs: &Signs,
) -> ByOpenvpn {
    let stands_still = |words: String| (Found::Still, words, None, None);
    if !facts.exits.openvpn {
        return stands_still(NO_OPENVPN.to_owned());
    }
    let Some(profile) = one.profile else {
        return stands_still(file_words(facts, one.exit.kind.file().unwrap_or_default()));
    };
    if profile.asks && profile.credentials.is_none() {
        return stands_still(NO_CREDENTIALS.to_owned());
    }
    let Some(tunnel) = &one.end else {
        return stands_still("the provider's name does not resolve".to_owned());
    };
    let told = openvpn::look(paths, &one.interface());
    if !told.connected {
        return (Found::Sign(false), told.words, told.percent, Some(told.bytes));
    }
    let given = facts.exits.given.get(&one.interface());
    let mut given = given.into_iter().flat_map(|given| &given.addresses);
    let clash = given.find_map(|address| exit::clash(desired, facts, *address));
    if tunnel.addresses.is_empty() {
        let words = clash.unwrap_or_else(|| "the server gave no address".to_owned());
        return (Found::Sign(false), words, None, Some(told.bytes));
    }
    // Where there is nobody to ask, that the tunnel stands is the best sign there is.
    let found = match target(desired, facts, tunnel) {
        Some(_) => signs.get(one.name).map_or(Found::Unknown, |sign| Found::Sign(*sign)),
        None => Found::Sign(true),
    };
    let is_dead = liveness.known() == Some(false);
    let words = if is_dead { "nothing comes back through it" } else { "" };
    (found, words.to_owned(), Some(100), Some(told.bytes))
}

const NO_OPENVPN: &str = "Debian's openvpn is not installed: apt-get install openvpn";
const NO_CREDENTIALS: &str =
    "the provider asks for a user name and a password; add the exit again with --credentials FILE";
const NO_TOR: &str = "Debian's tor is not installed: apt-get install tor";

fn file_words(facts: &Facts, file: &str) -> String {
    let profile = facts.exits.profiles.get(file).and_then(|read| read.as_ref().err());
    match facts.exits.files.get(file).and_then(|read| read.as_ref().err()).or(profile) {
        Some(words) => format!("{file} cannot be used: {words}"),
        _ => format!("its file {file} is not there; add the exit again"),
    }
}

/// Asks the name server for signs of life, which has sockets of the internet as we have not. It is silent while it begins anew:
/// then nothing is known, which kills no exit.
async fn signs(names: &Path, (exits, of): (Vec<ExitName>, Vec<DnsProbe>)) -> Signs {
    if of.is_empty() {
        return Signs::new();
    }
    let request = DnsRequest::Signs { of };
    let asked = tokio::time::timeout(LOOK, dns_control::ask::<DnsSigns>(names, &request)).await;
    let signs = asked.ok().and_then(Result::ok).map(|told| told.signs).unwrap_or_default();
    exits.into_iter().zip(signs).filter_map(|(name, sign)| Some((name, sign?))).collect()
}

/// Whom to ask for a sign of life of an exit, if that is how it is known.
fn probe(desired: &Desired, facts: &Facts, one: &Resolved<'_>) -> Option<DnsProbe> {
    let tunnel = match &one.exit.kind {
        _ if !one.exit.enabled => None,
        Kind::Wireguard { .. } | Kind::Cell { .. } => one.provider.map(Tunnel::from),
        Kind::Openvpn { .. } => one.end.clone(),
        Kind::Tor | Kind::Proxy(_) => None,
    }?;
    Some(DnsProbe { interface: one.interface(), target: target(desired, facts, &tunnel)? })
}

/// Whom to ask through an exit: the provider's own resolver, else one of the cell's that is on the internet.
fn target(desired: &Desired, facts: &Facts, tunnel: &Tunnel) -> Option<SocketAddr> {
    let plain = |upstream: &Upstream| match upstream {
        Upstream::Plain { address } => Some(*address),
        _ => None,
    };
    exit::upstreams(desired, facts, tunnel).iter().find_map(plain)
}

/// What may take its time: addresses of providers that are told by name, and what the devices say of themselves.
pub(crate) async fn attend(handle: Handle, exits: Exits, names: PathBuf) {
    let mut asked: BTreeMap<DomainName, Duration> = BTreeMap::new();
    let mut looks = tokio::time::interval(ATTEND);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 0_u64.. {
        looks.tick().await;
        let report = handle.report();
        let (Some(desired), Some(facts)) = (&report.current.desired, &report.facts) else { continue };
        if desired.exits.is_empty() && desired.peers.values().all(|peer| peer.endpoint.is_none()) {
            continue;
        }
        let mut sought = Vec::new();
        for one in Resolved::all(desired, facts).iter().filter(|one| one.exit.enabled) {
            let is_dead = exits.of(one.name).works == Some(false);
            // Of several places one that is known will do for a while.
            let is_urgent = one.profile.is_none() || one.end.is_none();
            sought.extend(one.hosts().map(|host| Sought { host, is_dead, is_urgent }));
        }
        // Of peers that are dialled it is not known whether they answer.
        let peers = desired.peers.values().filter(|peer| peer.enabled);
        let hosts = peers.filter_map(|peer| Some(&peer.endpoint.as_ref()?.host));
        sought.extend(hosts.map(|host| Sought { host, is_dead: false, is_urgent: true }));
        for one in sought {
            if resolve(&exits, desired, facts, one, &mut asked, &names).await {
                handle.event();
            }
        }
        if number.is_multiple_of(DEVICES) {
            read_devices(&exits, desired, facts).await;
        }
    }
}

/// Somebody to dial.
struct Sought<'d> {
    host: &'d EndpointHost,
    /// Nothing comes back from there.
    is_dead: bool,
    /// Nothing works before its address is known.
    is_urgent: bool,
}

/// Asks for the addresses of those that are told by name until they are known, and again while nothing comes back from
/// there. Whether one is another than before.
async fn resolve(
    exits: &Exits,
    desired: &Desired,
    facts: &Facts,
    sought: Sought<'_>,
    asked: &mut BTreeMap<DomainName, Duration>,
    names: &Path,
) -> bool {
    let EndpointHost::Name(name) = sought.host else { return false };
    let known = exits.lock().endpoints.get(name).copied();
    let is_late = asked.get(name).is_none_or(|at| boot().saturating_sub(*at) >= RESOLVE);
    let is_due = match known {
        None => sought.is_urgent || is_late,
        Some(_) => sought.is_dead && is_late,
    };
    if !is_due {
        return false;
    }
    let found = ask(names, desired, facts, name).await;
    asked.insert(name.clone(), boot());
    let Some(address) = found.filter(|address| known != Some(*address)) else { return false };
    exits.lock().endpoints.insert(name.clone(), address);
    true
}

/// The name server resolves, which parses what comes from the network so that we need not.
async fn ask(names: &Path, desired: &Desired, facts: &Facts, name: &DomainName) -> Option<IpAddr> {
    let source = IpAddr::V4(Network::new(desired, facts).cell4);
    let has_v4 = facts.uplink.as_ref().is_none_or(|uplink| uplink.ipv4.is_some());
    // A and AAAA.
    for rtype in if has_v4 { [1, 28] } else { [28, 1] } {
        let request = DnsRequest::Query { name: name.to_string(), rtype, source };
        let Ok(answer) = dns_control::ask::<DnsAnswer>(names, &request).await else { continue };
        let mut addresses = answer.records.iter().filter_map(|record| record.value.parse::<IpAddr>().ok());
        if let Some(address) = addresses.find(|address| !address.is_unspecified() && !address.is_loopback()) {
            return Some(address);
        }
    }
    None
}

/// Handshakes and counters, for who asks how an exit is.
async fn read_devices(exits: &Exits, desired: &Desired, facts: &Facts) {
    let names: Vec<_> =
        Resolved::all(desired, facts).iter().map(|one| (one.name.clone(), one.interface())).collect();
    let read = move || {
        let one = |(name, interface): (ExitName, String)| {
            let (_, live) = wireguard::observe(&interface).ok()??;
            Some((name, live.into_values().next()?))
        };
        names.into_iter().filter_map(one).collect::<Vec<_>>()
    };
    for (name, live) in tokio::task::spawn_blocking(read).await.unwrap_or_default() {
        let mut state = exits.lock();
        let state: &mut ExitState = state.exits.entry(name).or_default();
        state.last_handshake = live.last_handshake;
        (state.rx_bytes, state.tx_bytes) = (live.rx_bytes, live.tx_bytes);
    }
}
