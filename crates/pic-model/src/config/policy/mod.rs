//! `[[service]]`, `[[grant]]` and `[[forward]]`, each right by itself.

pub(super) mod check;

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;

use super::dns::blocklist::when;
use super::lan::Placed;
use super::reader::{At, Reader};
use super::values::{self, Bad, Value, quoted};
use crate::name::SubjectName;
use crate::policy::{Forward, Grant, PolicyError, Ports, Service};
use crate::reach;

/// The three tables with their places.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) services: Vec<Placed<(SubjectName, Service)>>,
    pub(super) grants: Vec<Placed<Arc<Grant>>>,
    pub(super) forwards: Vec<Placed<Forward>>,
}

pub(super) fn read(root: &mut Reader<'_, '_>) -> Marks {
    Marks {
        services: root.tables("service", |t, span| {
            let value = service(t)?;
            Some(Placed { value, path: t.path().to_owned(), span })
        }),
        grants: grants(root),
        forwards: root.tables("forward", |t, span| {
            let value = forward(t)?;
            Some(Placed { value, path: t.path().to_owned(), span })
        }),
    }
}

/// Every `[[grant]]`, each right by itself.
pub(super) fn grants(root: &mut Reader<'_, '_>) -> Vec<Placed<Arc<Grant>>> {
    root.tables("grant", |t, span| {
        let value = Arc::new(grant(t)?);
        Some(Placed { value, path: t.path().to_owned(), span })
    })
}

fn service(t: &mut Reader<'_, '_>) -> Option<(SubjectName, Service)> {
    let name = t.needed("name", "write name = \"nas-files\"", |s| values::parsed(s, "a name"));
    let host = t.needed("host", "write host = \"nas\", or an address", host);
    let ports = t.strings("ports");
    let ports = t.each(ports, ports_of).unwrap_or_default();
    Some((name?, Service { host: host?, ports }))
}

fn grant(t: &mut Reader<'_, '_>) -> Option<Grant> {
    let name = t.string("name");
    let name = t.value(name, |s| values::parsed(s, "a name"));
    let from = ends(t, "from", "write from = [\"phone\"], with names of peers, groups or LANs");
    let to = ends(t, "to", "write to = [\"nas:445\"], or [\"internet\"]");
    let when = if t.has("when") { when(t) } else { None };
    let expires = t.string("expires");
    let expires = t.value(expires, values::expires);
    Some(Grant { name, from: from?, to: to?, when, expires })
}

/// One end of a grant: at least one text of it. `None` after a problem.
fn ends<T: FromStr<Err = PolicyError> + Ord>(
    t: &mut Reader<'_, '_>,
    key: &str,
    hint: &str,
) -> Option<BTreeSet<T>> {
    if !t.has(key) {
        t.missing(key, hint);
    }
    let items: Vec<At<String>> = t.one_or_more(key)?;
    if items.is_empty() {
        t.missing(key, hint);
    }
    let count = items.len();
    let read: BTreeSet<T> = items.into_iter().filter_map(|at| t.value(Some(at), word)).collect();
    (count > 0).then_some(read)
}

fn word<T: FromStr<Err = PolicyError>>(text: &str) -> Value<T> {
    text.parse().map_err(|error: PolicyError| Bad {
        message: format!("{} {error}", quoted(text)),
        hint: match error {
            PolicyError::Where => {
                "write a name, an address, a network as \"10.0.0.0/8\", or one of the words"
            }
            PolicyError::Bits => "write the network by its first address",
            PolicyError::Everything => {
                "write \"internet\" for the internet, and each network of the cell by name"
            }
            PolicyError::Ports => "write nas:445, nas:udp/53 or nas:tcp/5000-5010",
            PolicyError::NoPorts => {
                "leave the port out; only hosts, networks, peers and the cell have ports here"
            }
            PolicyError::TooMany => "leave the ports out to grant the whole host, or write several ranges",
            PolicyError::FromInternet => "write [[forward]] with listen = \"tcp/8443\" and to = \"nas:443\"",
        },
    })
}

fn ports_of(text: &str) -> Value<Ports> {
    word(text)
}

fn host(text: &str) -> Value<reach::Host> {
    let host: Option<reach::Host> = text.parse().ok();
    host.filter(|host| !matches!(host, reach::Host::Internet | reach::Host::Outside(_))).ok_or_else(|| Bad {
        message: format!("{} is no host", quoted(text)),
        hint: "write the name of a peer or reservation, an address, or \"cell\"",
    })
}

fn forward(t: &mut Reader<'_, '_>) -> Option<Forward> {
    let listen = t.needed("listen", "write listen = \"tcp/8443\"", values::port);
    let to = t.needed("to", "write to = \"nas:443\"", target);
    let from = t.strings("from");
    let from = t.each(from, source).unwrap_or_default().into_iter().collect();
    let (host, port) = to?;
    Some(Forward { listen: listen?, host, port, from })
}

/// A host with a number behind it; the transport is that of `listen`.
fn target(text: &str) -> Value<(reach::Host, u16)> {
    let split = text.rsplit_once(':').and_then(|(to, port)| Some((to, port.parse::<u16>().ok()?)));
    let (to, port) = split.filter(|(_, port)| *port > 0).ok_or_else(|| Bad {
        message: format!("{} is no host with a port", quoted(text)),
        hint: "write \"nas:443\"; the protocol is that of listen",
    })?;
    Ok((host(to)?, port))
}

fn source(text: &str) -> Value<IpNet> {
    let address = || text.parse().ok().map(|ip: std::net::IpAddr| IpNet::from(ip));
    let net = text.parse::<IpNet>().ok().or_else(address).filter(|net| net.addr() == net.network());
    net.ok_or_else(|| Bad {
        message: format!("{} is no address or network", quoted(text)),
        hint: "write \"203.0.113.0/24\" or \"2001:db8::/32\"",
    })
}
