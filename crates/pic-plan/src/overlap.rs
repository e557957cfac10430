//! What a right `cell.toml` may still not be on this host: networks that the host already uses for something else
//! (their packets would be lost to one of the two), and the cell as its own peer.

mod proxies;

use pic_model::exit::provider::Provider;
use pic_model::exit::{Exit, Kind as ExitKind};
use pic_model::name::ExitName;
use pic_model::{Desired, Problem, ProblemCode, Problems, address};

use crate::Facts;
use crate::compile::{Network, ResolvedLan};

/// Refuses networks that overlap the host's own, unless they are the ones in force: a host that moves into an
/// overlapping network later must not lose the power to change its cell.
pub fn check(from: Option<&Desired>, to: &Desired, facts: &Facts) -> Result<(), Problems> {
    let own_key = facts.private_key.public();
    if let Some((name, _)) = to.peers.iter().find(|(_, peer)| peer.public_key == own_key) {
        return Err(Problems(vec![Problem {
            line: 0,
            column: 0,
            path: format!("peer {name}"),
            code: ProblemCode::Duplicate,
            message: format!("peer {name} has the cell's own public key"),
            hint: "write the device's public key".to_owned(),
        }]));
    }
    lans(from, to, facts)?;
    exits(from, to, facts)?;
    let same =
        |from: &Desired| (from.wireguard.ipv4, from.wireguard.ipv6) == (to.wireguard.ipv4, to.wireguard.ipv6);
    if from.is_some_and(same) {
        return Ok(());
    }
    let networks: Vec<_> = Network::new(to, facts).networks().collect();
    let mut problems = Vec::new();
    for (own, field) in networks.iter().zip(["ipv4", "ipv6"]) {
        // Halves of everything are how VPN clients write a default route.
        let clashes = |net: &&crate::facts::HostNetwork| {
            let is_lan = to.lans.values().any(|lan| lan.device() == net.interface);
            !is_lan && net.network.prefix_len() > 1 && address::overlap(own, &net.network)
        };
        if let Some(other) = facts.host_networks.iter().find(clashes) {
            problems.push(Problem {
                line: 0,
                column: 0,
                path: format!("wireguard.{field}"),
                code: ProblemCode::Overlap,
                message: format!(
                    "{own} overlaps {}, which this host reaches by {}",
                    other.network, other.interface
                ),
                hint: format!("write another network into wireguard.{field}"),
            });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// The same for LANs that are new or have changed: their interface is there, is not the way out, and its network is not
/// in use elsewhere.
fn lans(from: Option<&Desired>, to: &Desired, facts: &Facts) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for lan in ResolvedLan::all(to, facts) {
        if from.is_some_and(|from| {
            from.lans.iter().any(|(name, old)| (name.as_str(), old) == (lan.name, lan.lan))
        }) {
            continue;
        }
        let mut refuse = |field: &str, code, message: String, hint: &str| {
            let path = format!("{} {}.{field}", lan.lan.word().to_lowercase(), lan.name);
            problems.push(Problem { line: 0, column: 0, path, code, message, hint: hint.to_owned() });
        };
        let interface = lan.lan.interface.as_str();
        if lan.lan.app.is_none() && !facts.interfaces.contains(interface) {
            let message = format!("this host has no interface {interface}");
            refuse("interface", ProblemCode::BadValue, message, "see `ip link` for the interfaces there are");
        }
        if lan.lan.uplink {
            let own = lan.lan.ipv4;
            let has = |uplink: &crate::facts::UplinkFacts| {
                uplink.interface.as_str() == interface && uplink.ipv4 == Some(own.addr())
            };
            if !facts.uplink.as_ref().is_some_and(has) {
                let message = format!("{} is not this host's address on its uplink", own.addr());
                refuse(
                    "ipv4",
                    ProblemCode::BadValue,
                    message,
                    "write the one that `ip route get 9.9.9.9` shows",
                );
            }
            continue;
        }
        let is_uplink = |uplink: &crate::facts::UplinkFacts| uplink.interface.as_str() == interface;
        if lan.lan.vlan.is_none() && facts.uplink.as_ref().is_some_and(is_uplink) {
            let message = format!("{interface} is this host's way to the internet");
            let hint = "write the interface of the LAN; to hand out addresses on this one, uplink = true";
            refuse("interface", ProblemCode::Overlap, message, hint);
        }
        for (own, field) in lan.networks().zip(["ipv4", "ipv6"]) {
            let clashes = |net: &&crate::facts::HostNetwork| {
                net.network.prefix_len() > 1
                    && net.interface != lan.device
                    && address::overlap(&own, &net.network)
            };
            if let Some(other) = facts.host_networks.iter().find(clashes) {
                let (net, by) = (other.network, &other.interface);
                let message = format!("{own} overlaps {net}, which this host reaches by {by}");
                let hint = match (lan.lan.app, field) {
                    (Some(_), "ipv4") => "write a network that this host does not reach into apps.ipv4",
                    _ => "write another network",
                };
                refuse(field, ProblemCode::Overlap, message, hint);
            }
        }
    }
    let is_new = |name, subnet| from.is_none_or(|from| from.subnets.get(name) != Some(subnet));
    for (name, subnet) in to.subnets.iter().filter(|(name, subnet)| is_new(*name, *subnet)) {
        let device = to.lans.get(&subnet.lan).map(pic_model::lan::Lan::device);
        let own = ipnet::IpNet::V4(subnet.ipv4);
        let clashes = |net: &&crate::facts::HostNetwork| {
            net.network.prefix_len() > 1
                && Some(&net.interface) != device.as_ref()
                && address::overlap(&own, &net.network)
        };
        if let Some(other) = facts.host_networks.iter().find(clashes) {
            problems.push(Problem {
                line: 0,
                column: 0,
                path: format!("subnet {name}.ipv4"),
                code: ProblemCode::Overlap,
                message: format!(
                    "{own} overlaps {}, which this host reaches by {}",
                    other.network, other.interface
                ),
                hint: "write another network".to_owned(),
            });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// Networks that addresses at the other side of an exit must not be in.
fn own_networks(of: &Desired, facts: &Facts) -> Vec<ipnet::IpNet> {
    let lans = ResolvedLan::all(of, facts);
    Network::new(of, facts).networks().chain(lans.iter().flat_map(ResolvedLan::reached)).collect()
}

/// That an address of an exit's other side is in a network of this cell.
fn clash(name: &ExitName, kind: &ExitKind, provider: &Provider, own: &[ipnet::IpNet]) -> Option<String> {
    let net = own.iter().find(|net| provider.addresses.iter().any(|address| net.contains(address)))?;
    let what = match kind {
        ExitKind::Cell { .. } => "; one of the two cells needs another wireguard.ipv4",
        _ => "",
    };
    Some(format!("the other side's address of exit {name} is in {net}, a network of this cell{what}"))
}

/// Exits that stay as they are where the cell's own networks become others.
fn kept_exits(from: &Desired, to: &Desired, facts: &Facts) -> Vec<Problem> {
    let before = own_networks(from, facts);
    let new: Vec<_> = own_networks(to, facts).into_iter().filter(|net| !before.contains(net)).collect();
    let stays = |(name, exit): &(&ExitName, &Exit)| from.exits.get(*name) == Some(*exit);
    let clashes = to.exits.iter().filter(stays).filter_map(|(name, exit)| {
        let (ExitKind::Wireguard { file } | ExitKind::Cell { file, .. }) = &exit.kind else { return None };
        let provider = facts.exits.files.get(file)?.as_ref().ok()?;
        Some(Problem {
            line: 0,
            column: 0,
            path: format!("exit {name}.file"),
            code: ProblemCode::Overlap,
            message: clash(name, &exit.kind, provider, &new)?,
            hint: "write another network, or remove the exit first".to_owned(),
        })
    });
    clashes.collect()
}

/// Exits that are new or have another file: it can be read, and no address in it is of the cell's own networks.
fn exits(from: Option<&Desired>, to: &Desired, facts: &Facts) -> Result<(), Problems> {
    let is_new = |name, exit| from.is_none_or(|from| from.exits.get(name) != Some(exit));
    let own = || own_networks(to, facts);
    let mut problems = Vec::new();
    for (name, exit) in to.exits.iter().filter(|(name, exit)| is_new(*name, *exit)) {
        let file = match &exit.kind {
            ExitKind::Wireguard { file } | ExitKind::Openvpn { file } | ExitKind::Cell { file, .. } => file,
            ExitKind::Tor => {
                problems.extend((!facts.exits.tor).then(|| no_tor(name)));
                continue;
            }
            ExitKind::Proxy(proxy) => {
                problems.extend(proxies::needs(name, proxy, to, facts));
                continue;
            }
        };
        let is_openvpn = matches!(exit.kind, ExitKind::Openvpn { .. });
        if is_openvpn && !facts.exits.openvpn {
            problems.push(no_openvpn(name));
            continue;
        }
        let known = if is_openvpn {
            facts.exits.profiles.get(file).map(|read| read.as_ref().map(|_| None))
        } else {
            facts.exits.files.get(file).map(|read| read.as_ref().map(Some))
        };
        let message = match known {
            Some(Ok(None)) => continue,
            None => format!("there is no file {file} in the folder of exits"),
            Some(Err(words)) => format!("{file} cannot be used: {words}"),
            Some(Ok(Some(provider))) if provider.endpoint.is_none() && exit.kind.listen().is_none() => {
                format!("{file} says no Endpoint, and exit {name} does not listen")
            }
            Some(Ok(Some(provider))) => match clash(name, &exit.kind, provider, &own()) {
                Some(words) => words,
                None => continue,
            },
        };
        problems.push(Problem {
            line: 0,
            column: 0,
            path: format!("exit {name}.file"),
            code: ProblemCode::BadValue,
            message,
            hint: format!("run `picctl exit add {name} --file FILE` with a file of the provider"),
        });
    }
    problems.extend(from.into_iter().flat_map(|from| kept_exits(from, to, facts)));
    problems.extend(proxies::loops(from, to, facts));
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// An exit by OpenVPN where the program for it is not installed.
fn no_openvpn(name: &ExitName) -> Problem {
    Problem {
        line: 0,
        column: 0,
        path: format!("exit {name}.kind"),
        code: ProblemCode::BadValue,
        message: "Debian's openvpn is not installed on this host".to_owned(),
        hint: "run `apt-get install openvpn`; its own openvpn.service does nothing without files in /etc/openvpn"
            .to_owned(),
    }
}

/// An exit into the Tor network where the program for it is not installed.
fn no_tor(name: &ExitName) -> Problem {
    Problem {
        line: 0,
        column: 0,
        path: format!("exit {name}.kind"),
        code: ProblemCode::BadValue,
        message: "Debian's tor is not installed on this host".to_owned(),
        hint: "run `apt-get install tor`; the cell needs no tor.service: `systemctl disable --now tor`"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {

    use pic_model::config::parse;

    use super::*;
    use crate::facts::HostNetwork;

    fn facts(networks: &[&str]) -> Facts {
        let near = |net: &&str| HostNetwork { network: net.parse().unwrap(), interface: "eth0".into() };
        Facts { host_networks: networks.iter().map(near).collect(), ..crate::memory::facts() }
    }

    #[test]
    fn refuses_what_the_host_uses_and_only_when_it_is_new() {
        let cell = parse("[cell]\nname = \"home\"\n").unwrap();
        for clash in ["10.77.0.0/16", "10.77.3.0/24", "10.0.0.0/8"] {
            let found = check(None, &cell, &facts(&[clash])).unwrap_err();
            assert_eq!(found.0[0].code, ProblemCode::Overlap);
            assert_eq!(check(Some(&cell), &cell, &facts(&[clash])), Ok(()));
        }
        assert_eq!(check(None, &cell, &facts(&["192.168.1.0/24", "0.0.0.0/1", "2001:db8::/64"])), Ok(()));
    }

    #[test]
    fn what_an_exit_has_at_its_other_side_never_becomes_a_network_of_ours() {
        let key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
        let file = format!(
            "[Interface]\nPrivateKey = {key}\nAddress = 10.77.0.9/32\n[Peer]\nPublicKey = {key}\n\
             AllowedIPs = 0.0.0.0/0\nEndpoint = 203.0.113.20:51820\n"
        );
        let mut facts = facts(&[]);
        let read = pic_model::exit::provider::read(&file).map_err(|error| error.to_string());
        facts.exits.files.insert("far.conf".to_owned(), read);
        let exit = "[[exit]]\nname = \"far\"\nkind = \"cell\"\nfile = \"far.conf\"\n";
        let cell = |network: &str| {
            parse(&format!("[cell]\nname = \"home\"\n[wireguard]\nipv4 = \"{network}\"\n{exit}")).unwrap()
        };
        let (same, other) = (cell("10.77.0.0/16"), cell("10.88.0.0/16"));
        // Of two cells that nobody told otherwise, and of one that is told so later.
        for before in [None, Some(&other)] {
            let found = check(before, &same, &facts).unwrap_err().to_string();
            assert!(found.contains("10.77.0.0/16") && found.contains("another wireguard.ipv4"), "{found}");
        }
        assert_eq!(check(None, &other, &facts), Ok(()));
        assert_eq!(check(Some(&same), &same, &facts), Ok(()), "who is in such a state can still change it");
    }
}
