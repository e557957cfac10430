//! Exits by OpenVPN. A unit of ours makes the interface and keeps Debian's openvpn beneath it; what the server gives, its
//! addresses and resolvers, is a fact that `pic-exit` tells, and counts only where it takes nothing from this host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::Desired;
use pic_model::desired::EndpointHost;
use pic_model::exit::openvpn::Profile;
use pic_model::exit::{Exit, Kind};
use pic_model::snapshot::openvpn::{OpenvpnGiven, OpenvpnRemote, OpenvpnSnapshot, VERSION};

use super::{Resolved, Tunnel};
use crate::compile::{Network, ResolvedLan};
use crate::facts::Facts;
use crate::marks;
use crate::target::file::File;

/// What the file of an exit says, if it is one by OpenVPN and the file can be read.
pub(super) fn profile<'d>(exit: &Exit, facts: &'d Facts) -> Option<&'d Profile> {
    let Kind::Openvpn { file } = &exit.kind else { return None };
    facts.exits.profiles.get(file)?.as_ref().ok()
}

/// Its tunnel: there is one as soon as openvpn can run, without addresses until the server gave some.
pub(super) fn tunnel(desired: &Desired, facts: &Facts, exit: &Resolved<'_>) -> Option<Tunnel> {
    let profile = exit.profile.filter(|_| is_ready(facts, exit))?;
    let addresses: BTreeSet<_> = given(facts, exit)
        .into_iter()
        .flat_map(|given| &given.addresses)
        .copied()
        .filter(|address| clash(desired, facts, *address).is_none())
        .collect();
    let everything = [
        IpNet::from(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
        IpNet::from(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
    ];
    let has_family = |net: &IpNet| addresses.iter().any(|ip| ip.is_ipv4() == matches!(net, IpNet::V4(_)));
    let carried = everything.into_iter().filter(has_family).collect();
    let dns = given(facts, exit).map(|given| given.dns.clone()).unwrap_or_default();
    Some(Tunnel { addresses, dns, mtu: profile.mtu, carried })
}

/// What the server gave that this exit's file leads to.
fn given<'f>(facts: &'f Facts, exit: &Resolved<'_>) -> Option<&'f OpenvpnGiven> {
    facts
        .exits
        .given
        .get(&exit.interface())
        .filter(|given| exit.exit.kind.file() == Some(given.file.as_str()))
}

/// Why an address that a server gives cannot be one of this host, in words. It would lead what is meant for another to us.
pub fn clash(desired: &Desired, facts: &Facts, address: IpAddr) -> Option<String> {
    let is_odd = match address {
        IpAddr::V4(ip) => !is_private_kind(ip),
        IpAddr::V6(ip) => {
            ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() || ip.is_unicast_link_local()
        }
    };
    if is_odd {
        return Some(format!(
            "the server gives the address {address}, which is not one of a private network"
        ));
    }
    let uplink = facts.uplink.iter().flat_map(|uplink| {
        [uplink.ipv4.map(IpAddr::from), uplink.ipv6.map(IpAddr::from)].into_iter().flatten().map(IpNet::from)
    });
    let lans = ResolvedLan::all(desired, facts);
    let own = Network::new(desired, facts);
    let mut taken = own
        .networks()
        .chain(lans.iter().flat_map(ResolvedLan::reached))
        .chain(facts.host_networks.iter().map(|host| host.network).filter(|net| net.prefix_len() > 0))
        .chain(uplink);
    taken.find(|net| net.contains(&address)).map(|net| {
        format!("the server gives the address {address}, which is in {net}, a network of this host")
    })
}

/// Private (RFC 1918), or of a provider's inner network (RFC 6598).
fn is_private_kind(ip: Ipv4Addr) -> bool {
    ip.is_private() || (ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64)
}

/// Whether openvpn can run: it is installed, and the provider's place and all that it asks for are known.
fn is_ready(facts: &Facts, exit: &Resolved<'_>) -> bool {
    facts.exits.openvpn
        && exit.profile.is_some_and(|profile| {
            (profile.credentials.is_some() || !profile.asks) && !remotes(facts, profile).is_empty()
        })
}

/// Where the provider is, as far as that is known.
fn remotes(facts: &Facts, profile: &Profile) -> Vec<OpenvpnRemote> {
    let one = |remote: &pic_model::exit::openvpn::Remote| {
        let (name, address) = match &remote.host {
            EndpointHost::Address(address) => (None, *address),
            EndpointHost::Name(name) => (Some(name.to_string()), facts.exits.endpoints.get(name).copied()?),
        };
        Some(OpenvpnRemote { name, at: SocketAddr::new(address, remote.port), tcp: remote.tcp })
    };
    profile.remotes.iter().filter_map(one).collect()
}

/// Snapshots of exits that can run.
pub(in crate::compile) fn files(exits: &[Resolved<'_>], facts: &Facts) -> BTreeMap<String, File> {
    let one = |exit: &Resolved<'_>| {
        let profile = exit.profile.filter(|_| exit.exit.enabled && is_ready(facts, exit))?;
        let snapshot = OpenvpnSnapshot {
            version: VERSION,
            interface: exit.interface(),
            file: exit.exit.kind.file()?.to_owned(),
            remotes: remotes(facts, profile),
            options: profile.options.clone(),
            blocks: profile.blocks.clone(),
            credentials: profile.credentials.clone(),
        };
        // Plain data always serialises; an empty file would be refused by the service.
        let content = serde_json::to_vec(&snapshot).unwrap_or_default();
        Some((marks::OPENVPN.file(&exit.interface()), File { content, mode: 0o640 }))
    };
    exits.iter().filter_map(one).collect()
}
