//! A client's configuration, in the form of `wg-quick`(8).

use std::net::IpAddr;

use pic_model::Desired;
use pic_model::desired::{EndpointHost, Peer};
use pic_model::key::PrivateKey;

use super::{Network, policy};
use crate::facts::Facts;

/// What a client sends into the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnel {
    /// Everything.
    Full,
    /// What is behind the cell: its peers, and the networks in which it may reach something.
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

/// The template that the package brings; the owner's own version takes its place.
pub const TEMPLATE: &str = include_str!("../../../../templates/client.conf");

/// Steps a template may take: the shipped one takes a few dozen. Ends one that loops.
const FUEL: u64 = 20_000;
/// Bytes of a rendered configuration.
const MAX_BYTES: usize = 64 << 10;

/// Why a template gives no configuration. Holds no value of the template's variables: some are secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Line in the template, 0 if unknown.
    pub line: usize,
    /// Kind of error, in the template engine's words.
    pub words: String,
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.words)
    }
}

impl std::error::Error for TemplateError {}

/// The whole configuration. Without the private key a comment stands in its place. Holds secrets: handed to its
/// owner, never logged or kept.
pub fn config(
    template: &str,
    desired: &Desired,
    facts: &Facts,
    peer: &Peer,
    key: Option<&PrivateKey>,
    tunnel: Tunnel,
) -> Result<String, TemplateError> {
    let network = Network::new(desired, facts);
    let addresses = std::iter::once(format!("{}/32", peer.address))
        .chain(network.peer6(peer).map(|a| format!("{a}/128")));
    let dns = std::iter::once(network.cell4.to_string())
        .chain(network.cell6().map(|a| a.to_string()))
        .chain([desired.cell.name.zone()]);
    let routed = match tunnel {
        Tunnel::Full => vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()],
        Tunnel::Split => {
            let granted = policy::networks_for(desired, facts, peer);
            network.networks().chain(granted).map(|net| net.to_string()).collect()
        }
    };
    let preshared = peer.preshared.then(|| facts.preshared_seed.derive(&peer.public_key));
    let values = minijinja::context! {
        private_key => key.map(|key| key.expose_base64().to_string()),
        addresses => addresses.collect::<Vec<_>>(),
        dns => dns.collect::<Vec<_>>(),
        mtu => desired.wireguard.mtu,
        public_key => facts.private_key.public().to_string(),
        preshared_key => preshared.map(|key| key.expose_base64().to_string()),
        allowed_ips => routed,
        // Whom the cell dials listens instead.
        endpoint => endpoint(desired, facts).filter(|_| peer.endpoint.is_none()),
        listen_port => peer.endpoint.as_ref().map(|endpoint| endpoint.port.unwrap_or(desired.wireguard.port)),
    };
    render(template, values)
}

fn render(template: &str, values: minijinja::Value) -> Result<String, TemplateError> {
    let mut environment = minijinja::Environment::empty();
    environment.add_filter("join", minijinja::filters::join);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    // Only kind and line: the detail may repeat a value.
    let error = |error: minijinja::Error| TemplateError {
        line: error.line().unwrap_or(0),
        words: error.kind().to_string(),
    };
    // The engine drops the last newline of a template.
    let text = environment.render_str(template, values).map_err(error)? + "\n";
    if text.len() > MAX_BYTES {
        return Err(TemplateError { line: 0, words: format!("gives more than {MAX_BYTES} bytes") });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[expect(clippy::unwrap_in_result, reason = "a test that cannot go on has failed")]
    fn rendered(template: &str, mtu: u16, with_key: bool) -> Result<String, TemplateError> {
        let text =
            format!("[cell]\nname = \"home\"\ndomain = \"vpn.example.org\"\n[wireguard]\nmtu = {mtu}\n");
        let key = PrivateKey::from_random([9; 32]);
        let peer = format!(
            "[[peer]]\nname = \"phone\"\npublic_key = \"{}\"\naddress = \"10.77.0.2\"\n",
            key.public()
        );
        let desired = pic_model::config::parse(&format!("{text}{peer}")).unwrap();
        let facts = crate::memory::facts();
        let peer = desired.peers.values().next().unwrap();
        config(template, &desired, &facts, peer, with_key.then_some(&key), Tunnel::Full)
    }

    #[test]
    fn the_shipped_template() {
        insta::assert_snapshot!(rendered(TEMPLATE, 1420, true).unwrap());
        insta::assert_snapshot!(rendered(TEMPLATE, 1300, false).unwrap());
    }

    #[test]
    fn a_bad_template_is_refused_and_tells_no_secret() {
        for bad in
            ["{{ nothing }}", "{% for a in range(99999999) %}x{% endfor %}", "{{", "{{ private_key | nope }}"]
        {
            let error = rendered(bad, 1420, true).unwrap_err();
            assert!(!error.to_string().contains("AAAA") && error.to_string().len() < 100, "{error}");
        }
    }
}
