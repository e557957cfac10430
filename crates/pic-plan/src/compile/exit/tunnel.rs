//! What leads through an exit that has an interface, whoever said it: a provider's file, or the server itself.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::exit::provider::Provider;
use pic_model::snapshot::dns::Upstream;

use crate::facts::Facts;

const PORT_DNS: u16 = 53;

/// Both ends of a tunnel, as this host sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// Our addresses in it; none while nobody gave one.
    pub addresses: BTreeSet<IpAddr>,
    /// Resolvers at its other end, in order.
    pub dns: Vec<IpAddr>,
    /// Bytes per packet.
    pub mtu: u16,
    /// What it carries, in families in which there is an address.
    pub carried: Vec<IpNet>,
}

impl From<&Provider> for Tunnel {
    fn from(provider: &Provider) -> Self {
        Self {
            addresses: provider.addresses.clone(),
            dns: provider.dns.clone(),
            mtu: provider.mtu,
            carried: provider.carried().collect(),
        }
    }
}

/// Whom to ask for names through an exit: the provider's own resolvers, else those of the cell that are on the internet; in
/// both cases as far as the exit carries them.
pub fn upstreams(desired: &Desired, facts: &Facts, tunnel: &Tunnel) -> Vec<Upstream> {
    let is_carried = |ip: &IpAddr| tunnel.carried.iter().any(|net| net.contains(ip));
    let plain = |ip: &IpAddr| Upstream::Plain { address: SocketAddr::new(*ip, PORT_DNS) };
    let own: Vec<_> = tunnel.dns.iter().filter(|ip| is_carried(ip)).map(plain).collect();
    if !own.is_empty() {
        return own;
    }
    let fits = |upstream: &Upstream| {
        let ip = upstream.address().ip();
        is_public(ip) && is_carried(&ip)
    };
    resolvers(desired, facts).into_iter().filter(fits).collect()
}

/// The cell's own resolvers.
pub(super) fn resolvers(desired: &Desired, facts: &Facts) -> Vec<Upstream> {
    let plain = |ip: &IpAddr| Upstream::Plain { address: SocketAddr::new(*ip, PORT_DNS) };
    let written = desired.dns.upstreams.clone();
    written.unwrap_or_else(|| facts.resolvers.iter().map(plain).collect())
}

pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_private() && !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unique_local() && !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}
