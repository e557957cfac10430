//! Exits by a proxy. Like Tor they have no interface: TCP of whoever leaves by one is led to a relay on this host
//! ([`super::firewall`]), all else finds nothing but the unreachable default in the exit's table.
//!
//! What the relay itself sends to the proxy has no mark: it leaves as the host's own packets do, by the uplink, and never by
//! another exit.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use pic_model::Desired;
use pic_model::desired::EndpointHost;
use pic_model::exit::WayOut;
use pic_model::exit::proxy::Proxy;
use pic_model::name::ExitName;
use pic_model::snapshot::dns::Upstream;
use pic_model::snapshot::exit::names_at;
use pic_model::snapshot::proxy::{Login, ProxySnapshot, VERSION};

use super::tunnel::{is_public, resolvers};
use super::{Resolved, of_lan, of_peer, taken_in};
use crate::compile::{Network, ResolvedLan};
use crate::facts::Facts;
use crate::marks;
use crate::target::file::File;

/// What a relay works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Where the proxy is.
    pub at: SocketAddr,
    /// Who is asked for names.
    pub resolver: Upstream,
    /// Who we are at the proxy.
    pub login: Option<Login>,
}

/// What the relay of an exit works with, or why there can be none, in words.
///
/// # Errors
/// The proxy's name does not resolve, or leads back here; nobody is there to ask for names; the credentials are not there.
pub fn ready(exit: &Resolved<'_>, proxy: &Proxy, desired: &Desired, facts: &Facts) -> Result<Ready, String> {
    let login = proxy.credentials.as_deref().map(|file| login(file, facts)).transpose()?;
    let resolver = resolver(proxy, desired, facts).ok_or(NO_RESOLVER)?;
    let at = exit.endpoint.ok_or("the proxy's name does not resolve")?;
    match leads_back(desired, facts, exit.name, at.ip()) {
        Some(words) => Err(words),
        None => Ok(Ready { at, resolver, login }),
    }
}

/// Why there is no way to names.
pub const NO_RESOLVER: &str =
    "none of the cell's resolvers is on the internet, so that nobody can be asked through the proxy";

/// User and password of a file in the folder of exits.
fn login(file: &str, facts: &Facts) -> Result<Login, String> {
    match facts.exits.credentials.get(file) {
        Some(Ok(known)) => Ok(Login { user: known.user.clone(), password: known.password.expose().clone() }),
        Some(Err(words)) => Err(format!("{file} cannot be used: {words}")),
        None => Err(format!("its file {file} is not there; add the exit again with --credentials")),
    }
}

/// Who is asked for names through a proxy: who is written, else the first of the cell's own that is on the internet.
pub fn resolver(proxy: &Proxy, desired: &Desired, facts: &Facts) -> Option<Upstream> {
    let written = proxy.dns.as_ref().map(|dns| dns.upstream.clone());
    written.or_else(|| resolvers(desired, facts).into_iter().find(|one| is_public(one.address().ip())))
}

/// Why an address cannot be that of a proxy, in words: what is sent there would come back to the same relay.
pub fn leads_back(desired: &Desired, facts: &Facts, name: &ExitName, address: IpAddr) -> Option<String> {
    let address = address.to_canonical();
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return Some(format!("{address} is the address of no other host"));
    }
    let network = Network::new(desired, facts);
    let lans = ResolvedLan::all(desired, facts);
    let uplink = facts.uplink.as_ref();
    let own = network.cell_addresses().map(|net| net.addr());
    let own = own.chain(lans.iter().flat_map(|lan| lan.cell_addresses().map(|net| net.addr())));
    let mut own = own
        .chain(uplink.and_then(|uplink| uplink.ipv4).map(IpAddr::V4))
        .chain(uplink.and_then(|uplink| uplink.ipv6).map(IpAddr::V6));
    if own.any(|own| own == address) {
        return Some(format!("the proxy at {address} is this cell itself"));
    }
    let uses = |ways: &[WayOut]| ways.contains(&WayOut::Exit(name.clone()));
    let is_peer = |peer| {
        let v6 = network.peer6(peer).map(IpAddr::V6);
        IpAddr::V4(peer.address) == address || v6 == Some(address)
    };
    let mut peers = desired.peers.iter().filter(|(_, peer)| is_peer(peer) && uses(of_peer(desired, peer)));
    if let Some((peer, _)) = peers.next() {
        return Some(format!("the proxy at {address} is {peer}, which leaves by {name} itself"));
    }
    let holds =
        |lan: &&ResolvedLan<'_>| lan.reached().any(|net| net.contains(&address)) && uses(of_lan(lan.lan));
    let lan = lans.iter().find(holds)?;
    Some(format!("the proxy at {address} is in LAN {}, which leaves by {name} itself", lan.name))
}

/// The same for what the file says, where it says an address.
pub fn loops(desired: &Desired, facts: &Facts, name: &ExitName, proxy: &Proxy) -> Option<String> {
    let address = match &proxy.host {
        EndpointHost::Address(address) => Some(*address),
        EndpointHost::Name(host) => facts.exits.endpoints.get(host).copied(),
    };
    leads_back(desired, facts, name, address?)
}

/// How the cell's name server asks: at the relay, which has the resolver at its other end.
pub(super) fn names(exit: &Resolved<'_>, proxy: &Proxy, desired: &Desired, facts: &Facts) -> Vec<Upstream> {
    let address = names_at(exit.name.number());
    let asked = ready(exit, proxy, desired, facts).map(|ready| match ready.resolver {
        Upstream::Plain { .. } => Upstream::Plain { address },
        Upstream::Tls { name, .. } => Upstream::Tls { address, name },
        Upstream::Https { name, path, .. } => Upstream::Https { address, name, path },
    });
    asked.into_iter().collect()
}

/// Snapshots of the relays.
pub(in crate::compile) fn files(
    exits: &[Resolved<'_>],
    desired: &Desired,
    facts: &Facts,
    network: &Network,
) -> BTreeMap<String, File> {
    let one = |exit: &Resolved<'_>| {
        let proxy = exit.exit.kind.proxy()?;
        let transparent = Some(taken_in(exit, desired, facts, network)).filter(|all| !all.is_empty())?;
        let ready = ready(exit, proxy, desired, facts).ok()?;
        let snapshot = ProxySnapshot {
            version: VERSION,
            transparent,
            names: names_at(exit.name.number()),
            resolver: ready.resolver.address(),
            plain: matches!(ready.resolver, Upstream::Plain { .. }),
            protocol: proxy.protocol,
            proxy: ready.at,
            login: ready.login,
        };
        // Plain data always serialises; an empty file would be refused by the service.
        let content = serde_json::to_vec(&snapshot).unwrap_or_default();
        Some((marks::PROXY.file(&exit.interface()), File { content, mode: 0o640 }))
    };
    exits.iter().filter_map(one).collect()
}
