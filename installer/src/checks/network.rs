//! Way out, networks and ports.

use std::net::IpAddr;

use pic_model::desired::Protocol;

use super::{Cell, Check, Level};
use crate::choice::{Choice, has_public_address, name_of, private_address, tunnels};
use crate::facts::{Facts, Listener};
use crate::options::port_words;

const DNS: u16 = 53;

pub(super) fn checks(facts: &Facts, choice: &Choice, cell: Cell) -> Vec<Check> {
    let mut checks = vec![uplink(facts, choice)];
    checks.extend(endpoint(choice));
    checks.extend(ipv6(facts));
    checks.push(network(facts, choice, cell));
    if cell == Cell::New {
        checks.push(port(facts, choice));
    }
    checks.push(names(facts));
    checks.extend(others(facts, choice));
    checks.push(ssh(facts, choice));
    checks.extend(outside(facts, choice, cell));
    checks
}

/// WireGuard of the host's own.
fn others(facts: &Facts, choice: &Choice) -> Option<Check> {
    let open: Vec<String> = tunnels(facts)
        .iter()
        .filter(|(port, _)| choice.open.contains(port))
        .map(|(port, name)| format!("{} ({name})", port_words(*port)))
        .collect();
    let stays = "another WireGuard is there already and stays as it is";
    match (open.is_empty(), facts.wireguard.is_empty()) {
        (true, true) => None,
        (true, false) => Some(Check::note("wireguard", format!("{}: {stays}", facts.wireguard.join(", ")))),
        (false, _) => {
            Some(Check::note("wireguard", format!("{stays}, open to outside: {}", open.join(", "))))
        }
    }
}

fn uplink(facts: &Facts, choice: &Choice) -> Check {
    let Some(uplink) = &facts.host.uplink else {
        let words = "there is no default route, so devices reach the cell but not the internet";
        return Check::new("uplink", Level::Warn, words, "connect this host; the cell takes it up by itself");
    };
    let v4 = uplink.ipv4.map(|ip| format!(", {ip}")).unwrap_or_default();
    let v6 = uplink.ipv6.map(|ip| format!(", {ip}")).unwrap_or_default();
    let words = format!("{}{v4}{v6}", uplink.interface);
    if has_public_address(facts) {
        return Check::ok("uplink", words);
    }
    let fix = format!(
        "in the router, forward udp/{} to this host; then give its public name or address by --endpoint",
        choice.port
    );
    let level = if choice.endpoint.is_some() || choice.domain.is_some() { Level::Ok } else { Level::Note };
    Check::new("uplink", level, words + ": behind a router", fix)
}

/// An endpoint that was asked for and is of no use outside.
fn endpoint(choice: &Choice) -> Option<Check> {
    let ip = choice.endpoint.as_deref().and_then(private_address)?;
    let words = format!("{ip} is a private address: devices outside cannot dial it");
    let fix =
        "give the router's public name or address by --endpoint, unless devices are to connect at home only";
    Some(Check::new("endpoint", Level::Warn, words, fix))
}

fn ipv6(facts: &Facts) -> Option<Check> {
    let uplink = facts.host.uplink.as_ref()?;
    match uplink.ipv6 {
        Some(ip) if !ip.is_unique_local() => None,
        _ => Some(Check::note(
            "ipv6",
            "there is no IPv6 to the internet here; devices use it inside the cell only",
        )),
    }
}

fn network(facts: &Facts, choice: &Choice, cell: Cell) -> Check {
    let Some(chosen) = choice.network else {
        let words =
            "every private network overlaps one that this host routes, so none is left for the devices";
        return Check::new("network", Level::Stop, words, "remove a route that is wider than it must be");
    };
    let usual = "10.77.0.0/16".parse().ok();
    let chosen_net = ipnet::IpNet::V4(chosen);
    let clash = |ours: &ipnet::IpNet| {
        let overlap =
            |other: &ipnet::IpNet| ours.contains(&other.network()) || other.contains(&ours.network());
        facts
            .host
            .host_networks
            .iter()
            .find(|n| n.network.addr().is_ipv4() && overlap(&n.network) && n.network.prefix_len() > 1)
    };
    if cell == Cell::Existing {
        return match clash(&chosen_net) {
            Some(other) => {
                let words =
                    format!("the cell's {chosen} overlaps {}, which is {}'s", other.network, other.interface);
                Check::new(
                    "network",
                    Level::Warn,
                    words,
                    "picctl config set wireguard.ipv4 with another one, and add the devices again",
                )
            }
            None => Check::ok("network", format!("{chosen} for devices")),
        };
    }
    match usual.as_ref().and_then(clash) {
        Some(other) if Some(chosen_net) != usual => {
            let words = format!("{chosen} for devices, as {} is {}'s", other.network, other.interface);
            Check::note("network", words)
        }
        _ => Check::ok("network", format!("{chosen} for devices, overlaps nothing here")),
    }
}

fn port(facts: &Facts, choice: &Choice) -> Check {
    let words = format!("udp/{}", choice.port);
    let holder = facts.listeners.iter().find(|l| l.port.protocol == Protocol::Udp && l.port.number == 51820);
    match holder {
        Some(holder) if choice.port != 51820 => {
            Check::note("port", format!("{words} for WireGuard, as {} has udp/51820", who(holder)))
        }
        _ => Check::ok("port", format!("{words} for WireGuard is free")),
    }
}

/// Who holds a socket. The kernel's own have no process, and are WireGuard's as a rule.
fn who(listener: &Listener) -> String {
    listener.owner.as_ref().map_or_else(
        || "the kernel (another WireGuard, most likely)".to_owned(),
        |owner| format!("{} (process {})", owner.name, owner.pid),
    )
}

/// The cell's name server has one address; a program that takes port 53 of all addresses takes that one, too.
fn names(facts: &Facts) -> Check {
    let takes_all = |listener: &&Listener| {
        listener.port.number == DNS
            && listener.address.is_unspecified()
            && !name_of(listener).starts_with("pic-")
    };
    let Some(holder) = facts.listeners.iter().find(takes_all) else {
        return Check::ok("names", "port 53 is free for the cell's own address");
    };
    let any = if holder.address == IpAddr::from([0; 4]) { "0.0.0.0" } else { "::" };
    let words = format!(
        "{} has {} on all addresses ({any}), and the cell's name server needs it on the cell's own",
        who(holder),
        port_words(holder.port)
    );
    let fix = "have it listen on its own addresses only (dnsmasq: bind-dynamic and except-interface=pic0; unbound: \
               interface; BIND: listen-on), then run this again";
    Check::new("names", Level::Stop, words, fix)
}

fn ssh(facts: &Facts, choice: &Choice) -> Check {
    let ports: Vec<String> = choice.ssh.iter().map(|port| format!("tcp/{port}")).collect();
    let from =
        facts.session.map(|session| format!("; {} (you) always comes in", session.from)).unwrap_or_default();
    Check::ok("ssh", format!("{} stays open{from}", ports.join(", ")))
}

fn outside(facts: &Facts, choice: &Choice, cell: Cell) -> Option<Check> {
    let cut = choice.cut(facts);
    // A cell that is there closed them long ago.
    if cut.is_empty() || cell == Cell::Existing {
        return None;
    }
    let list: Vec<String> =
        cut.iter().map(|(port, name)| format!("{} ({name})", port_words(*port))).collect();
    let keep: Vec<String> = cut.keys().map(|port| format!("--open {}", port_words(*port))).collect();
    let words = format!("no longer reachable from outside, as this host gets closed: {}", list.join(", "));
    Some(Check::new(
        "outside",
        Level::Warn,
        words,
        format!("to keep them: {}; or --inbound open", keep.join(" ")),
    ))
}
