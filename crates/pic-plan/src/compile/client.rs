//! A client's configuration, in the form of `wg-quick`(8).

use std::net::IpAddr;

use pic_model::Desired;
use pic_model::desired::{EndpointHost, Peer};
use pic_model::key::PrivateKey;

use super::Network;
use crate::facts::Facts;

/// What a client sends into the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnel {
    /// Everything.
    Full,
    /// What is behind the cell.
    Split,
}

/// What the client dials, as `host:port`: the endpoint set, else the domain, else the uplink's address.
pub fn endpoint(desired: &Desired, facts: &Facts) -> Option<String> {
    let port = desired.wireguard.port;
    let address = |ip: IpAddr, port: u16| std::net::SocketAddr::new(ip, port).to_string();
    if let Some(endpoint) = &desired.wireguard.endpoint {
        let port = endpoint.port.unwrap_or(port);
        return Some(match &endpoint.host {
            EndpointHost::Name(name) => format!("{name}:{port}"),
            EndpointHost::Address(ip) => address(*ip, port),
        });
    }
    if let Some(domain) = &desired.cell.domain {
        return Some(format!("{domain}:{port}"));
    }
    let uplink = facts.uplink.as_ref()?;
    uplink.ipv4.map(IpAddr::V4).or(uplink.ipv6.map(IpAddr::V6)).map(|ip| address(ip, port))
}

/// The whole configuration. Without the private key a comment stands in its place. Holds secrets: handed to its
/// owner, never logged or kept.
pub fn config(desired: &Desired, facts: &Facts, peer: &Peer, key: Option<&PrivateKey>, tunnel: Tunnel) -> String {
    let network = Network::new(desired, facts);
    let list = |items: Vec<String>| items.join(", ");
    let addresses = std::iter::once(format!("{}/32", peer.address)).chain(network.peer6(peer).map(|a| format!("{a}/128")));
    let dns = std::iter::once(network.cell4.to_string())
        .chain(network.cell6().map(|a| a.to_string()))
        .chain([desired.cell.name.zone()]);
    let routed = match tunnel {
        Tunnel::Full => vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
        Tunnel::Split => network.networks().map(|net| net.to_string()).collect(),
    };
    let mut out = String::from("[Interface]\n");
    match key {
        Some(key) => out.push_str(&format!("PrivateKey = {}\n", key.expose_base64().as_str())),
        None => out.push_str("# PrivateKey = the device's own private key; the cell does not know it\n"),
    }
    out.push_str(&format!("Address = {}\n", list(addresses.collect())));
    out.push_str(&format!("DNS = {}\n", list(dns.collect())));
    if desired.wireguard.mtu != 1420 {
        out.push_str(&format!("MTU = {}\n", desired.wireguard.mtu));
    }
    out.push_str(&format!("\n[Peer]\nPublicKey = {}\n", facts.private_key.public()));
    if peer.preshared {
        let preshared = facts.preshared_seed.derive(&peer.public_key);
        out.push_str(&format!("PresharedKey = {}\n", preshared.expose_base64().as_str()));
    }
    out.push_str(&format!("AllowedIPs = {}\n", list(routed)));
    match endpoint(desired, facts) {
        Some(endpoint) => out.push_str(&format!("Endpoint = {endpoint}\n")),
        None => out.push_str("# Endpoint = HOST:PORT; set wireguard.endpoint in cell.toml\n"),
    }
    out.push_str("PersistentKeepalive = 25\n");
    out
}
