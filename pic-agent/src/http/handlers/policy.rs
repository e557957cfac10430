//! `/api/grants`, `/api/who`, `/api/services`, `/api/forwards`: who may reach what. What makes them right is decided
//! where the whole file is read; here they are only understood well enough to be written into it.

use std::collections::BTreeSet;
use std::str::FromStr;

use pic_api::policy::{
    Forward, ForwardList, Grant, GrantList, NamedService, NamedServiceList, NewGrant, NewService, Reaches,
    WhoList,
};
use pic_engine::{ChangeError, Current};
use pic_model::desired::{Allow, Port, Protocol};
use pic_model::name::SubjectName;
use pic_model::policy::{self, Target};
use pic_model::reach::Host;
use pic_model::{Desired, Problem, ProblemCode, edit};
use pic_plan::compile::policy::{By, Terms, who};

use super::page::{Window, link};
use crate::http::call::{Call, Cell};
use crate::http::change::Wish;
use crate::http::failure::{Failure, field, from_edit, invalid};
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

const LIMIT_MAX: usize = 10_000;

pub(crate) async fn grants(call: Call) -> Outcome {
    let window = Window::of(&call, LIMIT_MAX)?;
    let q = call.query.get("q").cloned().unwrap_or_default();
    let cell = call.cell()?;
    // Ten thousand peers are a matter of some milliseconds, which other requests need not wait for.
    let page = aside(move || page(&cell, &q, &window)).await?;
    let reply = Reply::json(&page)?;
    Ok(link(&call, "/api/grants", page.next.as_deref(), reply))
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::internal(error.to_string()))
}

fn page(cell: &Cell, q: &str, window: &Window) -> GrantList {
    let has = |texts: &[String]| texts.iter().any(|text| text.contains(q));
    let is_meant = |grant: &Grant| has(&grant.from) || has(&grant.to) || grant.by.contains(q);
    let mut items: Vec<Grant> = written(cell).chain(short(&cell.desired)).filter(is_meant).collect();
    let (total, next) = window.cut(&mut items);
    GrantList { items, total, next }
}

fn written(cell: &Cell) -> impl Iterator<Item = Grant> {
    let terms = Terms::new(&cell.desired, cell.facts.now);
    cell.desired.grants.iter().enumerate().map(move |(at, grant)| Grant {
        by: By::Grant(at, grant.name.as_ref()).to_string(),
        name: grant.name.as_ref().map(ToString::to_string),
        from: grant.from.iter().map(ToString::to_string).collect(),
        to: grant.to.iter().map(ToString::to_string).collect(),
        when: grant.when.as_ref().map(ToString::to_string),
        expires: grant.expires.and_then(view::time),
        in_force: terms.holds(at),
    })
}

/// What `allow` says.
fn short(desired: &Desired) -> impl Iterator<Item = Grant> {
    let one = |by: By<'_>, name: String, allow: &BTreeSet<Allow>, in_force| Grant {
        by: by.to_string(),
        name: None,
        from: vec![name],
        to: allow.iter().map(|allow| allow.as_str().to_owned()).collect(),
        when: None,
        expires: None,
        in_force,
    };
    let peers = desired.peers.iter();
    let peers = peers.map(move |(name, peer)| {
        let expires = peer.expires.and_then(view::time);
        Grant { expires, ..one(By::Peer(name), name.to_string(), &peer.allow, peer.enabled) }
    });
    let lans = desired.lans.iter().filter(|(_, lan)| !lan.uplink);
    let lans = lans.map(move |(name, lan)| one(By::Lan(name), name.to_string(), &lan.allow, true));
    let subnets = desired.subnets.iter();
    let subnets = subnets.map(move |(name, net)| one(By::Lan(name), name.to_string(), &net.allow, true));
    peers.chain(lans).chain(subnets).filter(|grant| !grant.to.is_empty())
}

pub(crate) async fn grant(call: Call) -> Outcome {
    let new: NewGrant = call.json()?;
    let mut read = Read::default();
    let grant = policy::Grant {
        name: new.name.as_deref().and_then(|text| read.one("name", text)),
        from: read.all("from", &new.from),
        to: read.all("to", &new.to),
        when: new.when.as_deref().and_then(|text| read.one("when", text)),
        expires: new.expires.as_deref().and_then(|text| read.expiry(text)),
    };
    read.needed("from", new.from.len());
    read.needed("to", new.to.len());
    let reason = format!("grant {} to {}", shown(&new.to), shown(&new.from));
    change(call, read, reason, Some(grant), |current, grant| Ok(edit::add_grant(&current.text, grant))).await
}

pub(crate) async fn revoke(call: Call) -> Outcome {
    let text = |name: &str| {
        call.query.get(name).cloned().ok_or_else(|| Failure::bad(format!("{name} says what to revoke")))
    };
    let (from, to) = (text("from")?, text("to")?);
    let mut read = Read::default();
    let subject: Option<policy::Subject> = read.one("from", &from);
    let ends = subject.zip(read.one::<Target>("to", &to));
    let reason = format!("revoke {} from {}", shown(&[to]), shown(&[from]));
    change(call, read, reason, ends, |current, (subject, target)| {
        edit::revoke(&current.text, subject, target).map_err(from_edit)
    })
    .await
}

pub(crate) async fn who_may(call: Call) -> Outcome {
    let text = call.query.get("to").ok_or_else(|| Failure::bad("to is missing"))?;
    let target: Target = text.parse().map_err(|error: policy::PolicyError| {
        let shown: String = text.chars().take(80).collect();
        Failure::bad(format!("to: {shown:?} {error}"))
    })?;
    let cell = call.cell()?;
    let list = aside(move || {
        let found = who(&cell.desired, &cell.facts, &target).into_iter();
        let items =
            found.map(|one| Reaches { subject: one.subject, target: one.target, by: one.by, when: one.when });
        WhoList { to: target.to_string(), items: items.collect() }
    });
    Reply::json(&list.await?)
}

pub(crate) fn services(call: &Call) -> Outcome {
    let cell = call.cell()?;
    let zone = cell.desired.cell.name.zone();
    let one = |(name, service): (&SubjectName, &policy::Service)| NamedService {
        name: name.to_string(),
        host: service.host.to_string(),
        ports: service.ports.iter().map(ToString::to_string).collect(),
        fqdn: format!("{name}.{zone}"),
    };
    Reply::json(&NamedServiceList { items: cell.desired.services.iter().map(one).collect() })
}

pub(crate) async fn add_service(call: Call) -> Outcome {
    let new: NewService = call.json()?;
    let mut read = Read::default();
    let name: Option<SubjectName> = read.one("name", &new.name);
    let host: Option<Host> = read.one("host", &new.host);
    let ports = new.ports.iter().enumerate();
    let ports = ports.filter_map(|(at, text)| read.one(&format!("ports[{at}]"), text)).collect();
    let reason = format!("add service {}", shown(std::slice::from_ref(&new.name)));
    let service = name.zip(host).map(|(name, host)| (name, policy::Service { host, ports }));
    change(call, read, reason, service, |current, (name, service)| {
        Ok(edit::add_service(&current.text, name, service))
    })
    .await
}

pub(crate) async fn remove_service(call: Call) -> Outcome {
    let text = call.parameter("name").to_owned();
    let mut read = Read::default();
    let name: Option<SubjectName> = read.one("name", &text);
    let reason = format!("remove service {}", shown(&[text]));
    change(call, read, reason, name, |current, name| {
        edit::remove_service(&current.text, name).map_err(from_edit)
    })
    .await
}

pub(crate) fn forwards(call: &Call) -> Outcome {
    let one = |forward: &policy::Forward| Forward {
        listen: words(forward.listen),
        to: format!("{}:{}", bracketed(&forward.host), forward.port),
        from: forward.from.iter().map(ToString::to_string).collect(),
    };
    Reply::json(&ForwardList { items: call.cell()?.desired.forwards.iter().map(one).collect() })
}

fn bracketed(host: &Host) -> String {
    match host {
        Host::Address(address) if address.is_ipv6() => format!("[{address}]"),
        host => host.to_string(),
    }
}

fn words(port: Port) -> String {
    match port.protocol {
        Protocol::Tcp => format!("tcp/{}", port.number),
        Protocol::Udp => format!("udp/{}", port.number),
    }
}

pub(crate) async fn add_forward(call: Call) -> Outcome {
    let new: Forward = call.json()?;
    let mut read = Read::default();
    let listen = read.port("listen", &new.listen);
    let to = read.end("to", &new.to);
    let from = new.from.iter().enumerate();
    let from = from.filter_map(|(at, text)| read.network(&format!("from[{at}]"), text)).collect();
    let forward = listen.zip(to).map(|(listen, (host, port))| policy::Forward { listen, host, port, from });
    let reason = format!("forward {}", shown(std::slice::from_ref(&new.listen)));
    change(call, read, reason, forward, |current, forward| Ok(edit::add_forward(&current.text, forward)))
        .await
}

pub(crate) async fn remove_forward(call: Call) -> Outcome {
    let text = call.query.get("listen").cloned();
    let text = text.ok_or_else(|| Failure::bad("listen says which forward to remove"))?;
    let mut read = Read::default();
    let listen = read.port("listen", &text);
    let reason = format!("no longer forward {}", shown(&[text]));
    change(call, read, reason, listen, |current, listen| {
        edit::remove_forward(&current.text, *listen).map_err(from_edit)
    })
    .await
}

/// Makes a change of what was read; refused where something of it could not be.
async fn change<T: Send + 'static>(
    call: Call,
    read: Read,
    reason: String,
    value: Option<T>,
    edit: impl FnOnce(&Current, &T) -> Result<String, ChangeError> + Send + 'static,
) -> Outcome {
    let (Some(value), true) = (value, read.problems.is_empty()) else {
        return Err(invalid(read.problems).into());
    };
    let wish = Wish::new(reason, move |current| {
        current.desired.as_ref().ok_or(ChangeError::NoCell)?;
        edit(current, &value)
    });
    call.make(wish).await?.reply()
}

/// Foreign texts for a reason.
fn shown(texts: &[String]) -> String {
    let all: String = texts.join(", ").chars().take(60).collect();
    all.escape_debug().to_string()
}

/// Reads texts of a request and collects what is wrong with them.
#[derive(Default)]
struct Read {
    problems: Vec<Problem>,
}

impl Read {
    fn bad(&mut self, path: &str, message: String) {
        self.problems.push(field(path, ProblemCode::BadValue, message, ""));
    }

    fn one<T: FromStr<Err: std::fmt::Display>>(&mut self, path: &str, text: &str) -> Option<T> {
        text.parse().map_err(|error: T::Err| self.bad(path, format!("{} {error}", quoted(text)))).ok()
    }

    fn all<T: FromStr<Err: std::fmt::Display> + Ord>(&mut self, path: &str, texts: &[String]) -> BTreeSet<T> {
        let one = |(at, text): (usize, &String)| self.one(&format!("{path}[{at}]"), text);
        texts.iter().enumerate().filter_map(one).collect()
    }

    fn needed(&mut self, path: &str, count: usize) {
        if count == 0 {
            self.problems.push(field(path, ProblemCode::Missing, "this is missing".to_owned(), ""));
        }
    }

    fn expiry(&mut self, text: &str) -> Option<i64> {
        let date = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
        let at = text.parse::<jiff::Timestamp>().ok().or_else(|| Some(date()?.timestamp()));
        if at.is_none() {
            self.bad("expires", format!("{} is no date and no time with its zone", quoted(text)));
        }
        at.map(|at| at.as_second())
    }

    fn port(&mut self, path: &str, text: &str) -> Option<Port> {
        let ports: Option<policy::Ports> =
            text.parse().ok().filter(|ports: &policy::Ports| ports.first == ports.last);
        if ports.is_none() {
            self.bad(path, format!("{} is no port: write tcp/8443", quoted(text)));
        }
        ports.map(|ports| Port { protocol: ports.protocol, number: ports.first })
    }

    fn end(&mut self, path: &str, text: &str) -> Option<(Host, u16)> {
        let split = text.rsplit_once(':');
        let read = split.and_then(|(host, port)| Some((host.parse().ok()?, port.parse::<u16>().ok()?)));
        if read.is_none() {
            self.bad(path, format!("{} is no host with a port: write nas:443", quoted(text)));
        }
        read
    }

    fn network(&mut self, path: &str, text: &str) -> Option<ipnet::IpNet> {
        let address = || text.parse().ok().map(|address: std::net::IpAddr| ipnet::IpNet::from(address));
        let read = text.parse().ok().or_else(address);
        if read.is_none() {
            self.bad(path, format!("{} is no address or network", quoted(text)));
        }
        read
    }
}

fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    format!("\"{}\"", cut.escape_debug())
}
