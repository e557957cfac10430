//! `/api/bans`: whom nothing here answers for a while. Bans are no part of `cell.toml`: they come and go by themselves.

use std::net::IpAddr;

use ipnet::IpNet;
use pic_api::ban::{Ban, BanList, NewBan};
use pic_model::ban::{self, Bans, MAX_REASON, MAX_SECONDS};
use pic_model::desired::Peer;
use pic_model::{ProblemCode, address, chain};
use pic_plan::compile::{Network, ResolvedLan};

use super::page::{Window, link};
use crate::host::{bans, now};
use crate::http::call::{Call, Cell};
use crate::http::failure::{Failure, field, invalid};
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

const LIMIT_MAX: usize = 20_000;

fn read(call: &Call) -> Outcome<Bans> {
    bans::read(&call.api.bans_file).map_err(|error| Failure::internal(chain(&error)))
}

pub(crate) fn list(call: &Call) -> Outcome {
    let window = Window::of(call, LIMIT_MAX)?;
    let q = call.query.get("q").map(String::as_str).unwrap_or_default();
    let all = read(call)?;
    let mut items: Vec<Ban> = all.in_force(now()).map(shown).filter(|ban| ban.has(q)).collect();
    let (total, next) = window.cut(&mut items);
    let page = BanList { items, total, next };
    Ok(link(call, "/api/bans", page.next.as_deref(), Reply::json(&page)?))
}

/// What is searched for.
trait Has {
    fn has(&self, part: &str) -> bool;
}

impl Has for Ban {
    fn has(&self, part: &str) -> bool {
        self.address.contains(part) || self.reason.contains(part)
    }
}

fn shown(ban: &ban::Ban) -> Ban {
    Ban {
        address: words(ban.network),
        since: view::time(ban.since).unwrap_or_default(),
        until: view::time(ban.until).unwrap_or_default(),
        reason: ban.reason.clone(),
    }
}

/// A network of one address is written as that.
fn words(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

fn network(text: &str) -> Option<IpNet> {
    let one = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse::<IpNet>()).ok()?;
    // Everything is nobody in particular.
    (one.prefix_len() > 0 && one.addr() == one.network()).then_some(one)
}

pub(crate) async fn ban(call: Call) -> Outcome {
    let new: NewBan = call.json()?;
    call.cell()?;
    let mut problems = Vec::new();
    let mut bad = |path: &str, message: String, hint: &str| {
        problems.push(field(path, ProblemCode::BadValue, message, hint));
    };
    let network = network(&new.address);
    if network.is_none() {
        bad("address", "this is no address and no network".to_owned(), "write 192.0.2.7 or 192.0.2.0/24");
    }
    if new.seconds == 0 || new.seconds > MAX_SECONDS {
        bad("seconds", format!("a ban lasts 1 to {MAX_SECONDS} seconds"), "");
    }
    if new.reason.len() > MAX_REASON || new.reason.chars().any(char::is_control) {
        bad("reason", format!("a reason is one line of at most {MAX_REASON} bytes"), "");
    }
    let own = new.own.as_ref().map(|text| text.parse::<IpAddr>());
    if matches!(own, Some(Err(_))) {
        bad("own", "this is no address".to_owned(), "");
    }
    let (Some(network), true) = (network, problems.is_empty()) else {
        return Err(invalid(problems).into());
    };
    // Where a tunnel comes from moves with its device.
    call.freshen().await;
    let cell = call.cell()?;
    if let Some(whose) = whose(&cell, network, own.and_then(Result::ok)).filter(|_| !new.force) {
        let detail = format!("{} is {whose}; --force bans it all the same", words(network));
        return Err(Failure::conflict(detail));
    }
    let since = now();
    let seconds = i64::try_from(new.seconds).unwrap_or(i64::MAX);
    let ban = ban::Ban { network, since, until: since.saturating_add(seconds), reason: new.reason };
    let told = shown(&ban);
    change(&call, |all| all.add(ban, since).map_err(|error| Failure::conflict(error.to_string()))).await?;
    Reply::json(&told)
}

/// Where the device with an address of the tunnel spoke from last.
fn endpoint_of(cell: &Cell, own: IpAddr) -> Option<IpAddr> {
    let network = Network::new(&cell.desired, &cell.facts);
    let has =
        |peer: &&Peer| IpAddr::V4(peer.address) == own || network.peer6(peer).map(IpAddr::V6) == Some(own);
    let peer = cell.desired.peers.values().find(has)?;
    cell.report.live.get(&peer.public_key)?.endpoint.map(|at| at.ip())
}

/// Whom a ban would hit that it should not.
fn whose(cell: &Cell, network: IpNet, own: Option<IpAddr>) -> Option<&'static str> {
    let hits = |address: IpAddr| network.contains(&address);
    if own.is_some_and(hits) {
        return Some("where you come from yourself");
    }
    if own.and_then(|own| endpoint_of(cell, own)).is_some_and(hits) {
        return Some("where the tunnel comes from that you are logged in by");
    }
    if cell.desired.firewall.admin.iter().any(|admin| hits(*admin)) {
        return Some("an admin's (firewall.admin)");
    }
    let uplink = cell.facts.uplink.as_ref();
    let host = uplink.into_iter().flat_map(|up| [up.ipv4.map(IpAddr::V4), up.ipv6.map(IpAddr::V6)]);
    if host.flatten().any(hits) || network.addr().is_loopback() {
        return Some("this host itself");
    }
    let tunnel = Network::new(&cell.desired, &cell.facts);
    let lans = ResolvedLan::all(&cell.desired, &cell.facts);
    let inside = tunnel.networks().chain(lans.iter().flat_map(|lan| lan.reached().collect::<Vec<_>>()));
    inside.into_iter().any(|net| address::overlap(&net, &network)).then_some("in a network of the cell")
}

pub(crate) async fn unban(call: Call) -> Outcome {
    let text =
        call.query.get("address").ok_or_else(|| Failure::bad("address says which ban to take back"))?;
    let network = network(text).ok_or_else(|| Failure::bad("address is no address and no network"))?;
    let missing = || Failure::not_found(format!("{} is not banned; see `picctl bans`", words(network)));
    change(&call, |all| if all.remove(network, now()) { Ok(()) } else { Err(missing()) }).await?;
    let items = read(&call)?.in_force(now()).map(shown).collect::<Vec<_>>();
    Reply::json(&BanList { total: items.len(), items: Vec::new(), next: None })
}

/// Changes the file and has the firewall follow.
async fn change(call: &Call, edit: impl FnOnce(&mut Bans) -> Outcome<()>) -> Outcome<()> {
    {
        // One at a time: who reads and writes in turns would lose another's.
        let _turn = call.api.bans.lock().await;
        let mut all = read(call)?;
        edit(&mut all)?;
        bans::write(&call.api.bans_file, &all).map_err(|error| Failure::internal(chain(&error)))?;
    }
    Ok(call.api.handle.follow("bans").await?)
}
