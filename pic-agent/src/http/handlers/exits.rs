//! `/api/exits`: named ways to the internet. Who leaves by which is said where the device is: [`super::peers`].

mod proxy;

use pic_api::exit::{EgressLine, Exit, ExitList, LeakCheck, LeakTest, NewExit, PatchExit};
use pic_api::status::{Check, Health3};
use pic_engine::ChangeError;
use pic_model::chain;
use pic_model::desired::Endpoint;
use pic_model::exit::proxy::Protocol;
use pic_model::exit::{Kind, openvpn, provider};
use pic_model::name::ExitName;
use pic_model::{ProblemCode, edit};
use pic_plan::compile::exit::{Resolved, choose, egress};
use zeroize::{Zeroize, Zeroizing};

use super::doctor::check;
use crate::host::exits::leaks::{Came, Finding};
use crate::host::exits::{self, LeakReport};
use crate::http::call::{Call, Cell};
use crate::http::change::{Made, Wish};
use crate::http::failure::{Failure, field, from_edit, invalid};
use crate::http::reply::{Outcome, Reply};
use crate::http::view::time;

/// How long real packets are counted in a test for leaks that somebody asks for.
const LEAK_TIME: std::time::Duration = std::time::Duration::from_secs(2);

pub(crate) fn list(call: &Call) -> Outcome {
    let cell = call.cell()?;
    let items = Resolved::all(&cell.desired, &cell.facts).iter().map(|one| view(call, &cell, one)).collect();
    Reply::json(&ExitList { items, egress: egress(&cell) })
}

fn egress(cell: &Cell) -> Vec<EgressLine> {
    let (desired, facts) = (&cell.desired, &cell.facts);
    let one = |(number, line): (usize, &pic_model::egress::Egress)| {
        let known = egress::learned(line).and_then(|learned| facts.learned.get(&learned));
        let names = line.names.iter().map(ToString::to_string);
        EgressLine {
            number,
            from: line.from.iter().map(ToString::to_string).collect(),
            to: names.chain(line.networks.iter().map(ToString::to_string)).collect(),
            exit: line.exit.iter().map(ToString::to_string).collect(),
            by: choose(desired, facts, &line.exit).map_or_else(|| "direct".to_owned(), ToString::to_string),
            known: known.map(std::collections::BTreeSet::len).unwrap_or_default(),
        }
    };
    (1..).zip(&desired.egress).map(one).collect()
}

pub(crate) fn read(call: &Call) -> Outcome {
    let (cell, name) = (call.cell()?, name(call)?);
    let all = Resolved::all(&cell.desired, &cell.facts);
    let one = all.iter().find(|one| *one.name == name);
    Reply::json(&view(call, &cell, one.ok_or_else(|| Failure::not_found(missing(name.as_str())))?))
}

pub(crate) async fn add(call: Call) -> Outcome {
    let new: NewExit = call.json()?;
    let name = new.name.parse::<ExitName>().map_err(|error| {
        invalid(vec![field("name", ProblemCode::BadValue, error.to_string(), "write a name as nl")])
    })?;
    let fails_open = new.fail.as_deref().map(fail).transpose()?;
    match new.kind.as_deref() {
        None | Some("wireguard" | "cell") => add_by_file(call, name, new, fails_open).await,
        Some("openvpn") => add_openvpn(call, name, new, fails_open).await,
        Some("tor") => add_tor(call, name, new, fails_open).await,
        Some("socks5") => proxy::add(call, Protocol::Socks5, name, new, fails_open).await,
        Some("http") => proxy::add(call, Protocol::Http, name, new, fails_open).await,
        Some(_) => {
            let hint = "write wireguard, openvpn, tor, socks5, http or cell";
            Err(invalid(vec![field("kind", ProblemCode::BadValue, "this is no kind of exit", hint)]).into())
        }
    }
}

/// Tor needs no file: what it is made from is on the host.
async fn add_tor(call: Call, name: ExitName, mut new: NewExit, fails_open: Option<bool>) -> Outcome {
    if !new.config.is_empty() {
        new.config.zeroize();
        let words = "the Tor network is found without a file";
        return Err(invalid(vec![field("config", ProblemCode::BadValue, words, "leave it out")]).into());
    }
    add_plain(call, name, Kind::Tor, fails_open).await
}

/// An exit of which `cell.toml` says all.
async fn add_plain(call: Call, name: ExitName, kind: Kind, fails_open: Option<bool>) -> Outcome {
    let wish = Wish::new(format!("add exit {name}"), move |current| {
        current.desired.as_ref().ok_or(ChangeError::NoCell)?;
        edit::add_exit(&current.text, &name, &kind, fails_open).map_err(from_edit)
    });
    call.make(wish).await?.reply()
}

async fn add_by_file(call: Call, name: ExitName, mut new: NewExit, fails_open: Option<bool>) -> Outcome {
    let bad = |words: String, hint| invalid(vec![field("config", ProblemCode::BadValue, words, hint)]);
    let read = provider::read(&new.config)
        .map_err(|error| bad(error.to_string(), "take the file as the provider gives it for WireGuard"))?;
    let is_cell = new.kind.as_deref() == Some("cell");
    if read.endpoint.is_none() && !is_cell {
        let hint = "take the file of a provider, or say that it is of kind cell, which dials this one";
        return Err(bad("the file has no Endpoint in [Peer]".to_owned(), hint).into());
    }
    let file = exits::name_for(&name, &new.config);
    let text = Zeroizing::new(std::mem::take(&mut new.config));
    let kind = if is_cell {
        Kind::Cell { file: file.clone(), listen: read.listen }
    } else {
        Kind::Wireguard { file: file.clone() }
    };
    add_file(call, name, kind, &file, &text, fails_open).await
}

/// User name and password stand in the file that is kept, so that another password is another file.
async fn add_openvpn(call: Call, name: ExitName, mut new: NewExit, fails_open: Option<bool>) -> Outcome {
    let text = Zeroizing::new(std::mem::take(&mut new.config));
    let credentials = Zeroizing::new(std::mem::take(&mut new.credentials));
    let wrong = |path, words: String, hint| invalid(vec![field(path, ProblemCode::BadValue, words, hint)]);
    let as_given = "take the file as the provider gives it for OpenVPN, with all keys in it";
    let profile = openvpn::read(&text).map_err(|error| wrong("config", error.to_string(), as_given))?;
    let text = match credentials.is_empty() {
        true if profile.asks && profile.credentials.is_none() => {
            let words = "the provider asks for a user name and a password".to_owned();
            return Err(
                wrong("credentials", words, "give both: picctl exit add NAME --credentials FILE").into()
            );
        }
        true => text,
        false if !profile.asks => {
            let words = "the provider's file asks for no user name (auth-user-pass)".to_owned();
            return Err(wrong("credentials", words, "leave them out").into());
        }
        false => {
            let both = openvpn::Credentials::from_lines(&credentials);
            let words = "user name and password are two lines of 1 to 127 bytes each".to_owned();
            let both =
                both.ok_or_else(|| wrong("credentials", words, "take them as the provider gives them"))?;
            openvpn::add_credentials(&text, &both)
        }
    };
    if text.len() > openvpn::MAX_BYTES {
        return Err(wrong("config", "the file is too large".to_owned(), as_given).into());
    }
    let file = exits::name_for_openvpn(&name, &text, &call.cell()?.facts.preshared_seed);
    add_file(call, name, Kind::Openvpn { file: file.clone() }, &file, &text, fails_open).await
}

/// Keeps a provider's file, and makes the exit from it.
async fn add_file(
    call: Call,
    name: ExitName,
    kind: Kind,
    file: &str,
    text: &str,
    fails_open: Option<bool>,
) -> Outcome {
    // There before the change, which is judged by it; a plan or a refused change leaves none behind that was not there.
    let path = call.api.exit_files.join(file);
    let was_there = path.exists();
    exits::keep(&call.api.exit_files, file, text).map_err(|error| Failure::internal(chain(&error)))?;
    let wish = Wish {
        // What it is made from is not kept for a plan that may never be applied.
        repeatable: false,
        ..Wish::new(format!("add exit {name}"), move |current| {
            current.desired.as_ref().ok_or(ChangeError::NoCell)?;
            edit::add_exit(&current.text, &name, &kind, fails_open).map_err(from_edit)
        })
    };
    let made = call.make(wish).await;
    if !was_there && !matches!(made, Ok(Made::Running(_) | Made::Settled(_))) {
        let _ = pic_drivers::files::remove_durable(&path);
    }
    made?.reply()
}

pub(crate) async fn change(call: Call) -> Outcome {
    let name = name(&call)?;
    let PatchExit { enabled } = call.json()?;
    let verb = if enabled { "enable" } else { "disable" };
    let wish = Wish::new(format!("{verb} exit {name}"), move |current| {
        edit::enable_exit(&current.text, &name, enabled).map_err(from_edit)
    });
    call.make(wish).await?.reply()
}

pub(crate) async fn test(call: Call) -> Outcome {
    let name = name(&call)?;
    let cell = call.cell()?;
    let names = &call.api.dns_control;
    let found = call.api.exits.test_leaks(&cell.desired, &cell.facts, &name, LEAK_TIME, names).await;
    let found = found.ok_or_else(|| Failure::not_found(missing(name.as_str())))?;
    Reply::json(&tested(&name, &found))
}

fn tested(name: &ExitName, found: &LeakReport) -> LeakTest {
    let one = |finding: &Finding| LeakCheck {
        name: finding.name.to_owned(),
        result: finding.came.as_str().to_owned(),
        words: finding.words.clone(),
    };
    LeakTest {
        exit: name.to_string(),
        at: time(found.at).unwrap_or_default(),
        result: found.came().as_str().to_owned(),
        users: found.users.clone(),
        checks: found.findings.iter().map(one).collect(),
    }
}

pub(crate) async fn remove(call: Call) -> Outcome {
    let name = name(&call)?;
    let wish = Wish::new(format!("remove exit {name}"), move |current| {
        let users =
            current.desired.as_ref().map(|desired| edit::exit_users(desired, &name)).unwrap_or_default();
        if users.is_empty() {
            return edit::remove_exit(&current.text, &name).map_err(from_edit);
        }
        let words = format!("exit {name} is in use by {}; give them another way out first", users.join(", "));
        Err(ChangeError::Conflict(words))
    });
    call.make(wish).await?.reply()
}

fn fail(word: &str) -> Outcome<bool> {
    match word {
        "closed" => Ok(false),
        "open" => Ok(true),
        _ => Err(invalid(vec![field(
            "fail",
            ProblemCode::BadValue,
            "this is no way to fail",
            "write closed or open",
        )])
        .into()),
    }
}

fn name(call: &Call) -> Outcome<ExitName> {
    let text = call.parameter("name");
    text.parse().map_err(|_| Failure::not_found(missing(&text.chars().take(80).collect::<String>())))
}

fn missing(name: &str) -> String {
    format!("there is no exit named \"{}\"; see `picctl exit list`", name.escape_debug())
}

fn view(call: &Call, cell: &Cell, one: &Resolved<'_>) -> Exit {
    let state = call.api.exits.of(one.name);
    let (provider, profile) = (one.provider, one.profile);
    let word = match state.works {
        Some(true) => "up",
        Some(false) => "down",
        None => "unknown",
    };
    Exit {
        name: one.name.to_string(),
        kind: one.exit.kind.as_str().to_owned(),
        file: one.exit.kind.file().unwrap_or_default().to_owned(),
        fail: if one.exit.fails_open { "open" } else { "closed" }.to_owned(),
        enabled: one.exit.enabled,
        state: word.to_owned(),
        since: state.works.and_then(|_| time(state.since)),
        words: state.words,
        percent: state.percent,
        interface: one.interface(),
        endpoint: one.dialled().or_else(|| profile?.remotes.first().map(place)).map(|at| at.to_string()),
        listen: one.exit.kind.listen(),
        addresses: one.end.iter().flat_map(|end| &end.addresses).map(ToString::to_string).collect(),
        dns: resolvers(cell, one),
        notes: provider
            .map(|provider| &provider.notes)
            .or(profile.map(|profile| &profile.notes))
            .cloned()
            .unwrap_or_default(),
        last_handshake: state.last_handshake.and_then(time),
        rx_bytes: state.rx_bytes,
        tx_bytes: state.tx_bytes,
        users: edit::exit_users(&cell.desired, one.name),
        leaks: call.api.exits.leaks_of(one.name).map(|found| tested(one.name, &found)),
    }
}

/// Who is asked for names at the other end, where that is not the cell's own business.
fn resolvers(cell: &Cell, one: &Resolved<'_>) -> Vec<String> {
    let Some(proxy) = one.exit.kind.proxy() else {
        return one.end.iter().flat_map(|end| &end.dns).map(ToString::to_string).collect();
    };
    let asked = pic_plan::compile::exit::proxy::resolver(proxy, &cell.desired, &cell.facts);
    asked.iter().map(|upstream| upstream.address().to_string()).collect()
}

fn place(remote: &openvpn::Remote) -> Endpoint {
    Endpoint { host: remote.host.clone(), port: Some(remote.port) }
}

/// One finding for each exit that is switched on.
pub(super) fn check_all(call: &Call, cell: &Cell) -> Vec<Check> {
    let all = Resolved::all(&cell.desired, &cell.facts);
    let one = |one: &Resolved<'_>| {
        let (exit, title) = (view(call, cell, one), format!("exit {}", one.name));
        let users = if exit.users.is_empty() { "nobody".to_owned() } else { exit.users.join(", ") };
        match exit.state.as_str() {
            "up" => check(&title, Health3::Ok, format!("works; used by {users}"), ""),
            "down" => {
                let words = format!("{}; used by {users}", exit.words);
                let fix = format!("picctl exit show {}", one.name);
                check(
                    &title,
                    if exit.users.is_empty() { Health3::Degraded } else { Health3::Failed },
                    words,
                    fix,
                )
            }
            _ => check(&title, Health3::Degraded, "nothing came through it yet", "look again in a moment"),
        }
    };
    let works = all.iter().filter(|one| one.exit.enabled).map(one);
    works.chain(all.iter().filter_map(|one| check_leaks(call, one))).collect()
}

/// What the last test for leaks found, where anybody could leak.
fn check_leaks(call: &Call, one: &Resolved<'_>) -> Option<Check> {
    let found =
        call.api.exits.leaks_of(one.name).filter(|found| one.exit.enabled && !found.users.is_empty())?;
    let title = format!("leaks of exit {}", one.name);
    let fix = format!("picctl exit test {} --leaks", one.name);
    Some(match found.came() {
        Came::Ok => check(&title, Health3::Ok, "none: users leave by it or not at all", ""),
        // That it cannot be proved while the exit is away is said by the exit itself.
        Came::Unproven => check(&title, Health3::Degraded, found.words(), fix),
        Came::Leak => check(&title, Health3::Failed, found.words(), fix),
    })
}
