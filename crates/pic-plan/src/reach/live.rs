//! A real packet beside the simulated one: which packets to follow, and whether the kernel did with one what was foretold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pic_model::desired::{Desired, Protocol};
use pic_model::reach::{Host, Service, Target};

use super::ends::Way;
use super::packet::{Step, Trace, Verdict};
use crate::compile::ResolvedLan;
use crate::facts::Facts;
use crate::marks::{MARK_MASK, NFT_TABLE};
use crate::target::Targets;
use crate::target::nft::{Base, CT_NEW, Chain, ChainKind, Elements, Expr, Hook, Is, L4, Rule, Table};
use crate::target::rule::Family;

/// Right behind the kernel's knowledge of connections (`NF_IP_PRI_CONNTRACK` is -200), before all chains of the cell.
const PRIORITY: i32 = -199;
/// What the rules are for, one for each way.
pub const WAYS: [&str; 2] = ["the first way", "the second way"];

/// What came of a packet at one station, as the kernel told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Table.
    pub table: String,
    /// Chain of it.
    pub chain: String,
    /// What the rule that matched is for; `None`: the chain's end.
    pub why: Option<String>,
    /// Whether the packet was let pass by the chain, stopped, or looked at further.
    pub passed: Option<bool>,
    /// Interface that it leaves by, where that was known there.
    pub out: Option<String>,
    /// Its mark.
    pub mark: u32,
}

/// What the kernel did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// What decided, in order.
    pub steps: Vec<Step>,
    /// How it ended, as far as firewalls and routes go.
    pub verdict: Verdict,
    /// In what it differs from the simulation; empty where they agree.
    pub differs: Vec<String>,
}

/// The rules that catch the first packets of connections on these ways, each with its word of [`WAYS`].
pub fn catching(
    desired: &Desired,
    facts: &Facts,
    targets: &Targets,
    (from, to): (&Host, &Target),
    ways: &[Way],
) -> Table {
    let lans = ResolvedLan::all(desired, facts);
    let is_lan =
        |host: &Host| matches!(host, Host::Named(name) if lans.iter().any(|lan| lan.name == name.as_str()));
    let mut sets = BTreeMap::new();
    for (name, none) in
        [("private4", Elements::Net4(BTreeSet::new())), ("private6", Elements::Net6(BTreeSet::new()))]
    {
        let own = targets.nft.as_ref().and_then(|table| table.sets.get(name)).cloned();
        sets.insert(name.to_owned(), own.unwrap_or(none));
    }
    let (mut coming, mut sent) = (Vec::new(), Vec::new());
    for (way, why) in ways.iter().zip(WAYS) {
        let packet = &way.packet;
        let family = packet.family();
        let mut exprs = vec![Expr::Family(family)];
        exprs.extend(packet.iif.clone().map(|iif| Expr::Iif(Is::In, iif)));
        if *from != Host::Internet && !is_lan(from) && packet.iif.is_some() {
            exprs.push(address(packet.source, true, None));
        }
        match &to.host {
            Host::Internet => {
                let digit = if family == Family::V4 { '4' } else { '6' };
                exprs.push(Expr::DestinationIn(Is::NotIn, format!("private{digit}")));
            }
            host if is_lan(host) => {
                let net =
                    lans.iter().flat_map(ResolvedLan::networks).find(|net| net.contains(&packet.destination));
                exprs.push(address(packet.destination, false, net.map(|net| net.prefix_len())));
            }
            _ => exprs.push(address(packet.destination, false, None)),
        }
        exprs.extend(service(packet.service, family));
        exprs.push(Expr::CtState(CT_NEW));
        let rules = if packet.iif.is_some() { &mut coming } else { &mut sent };
        rules.push(Rule { exprs, why });
    }
    let chain = |name: &str, hook, rules: Vec<Rule>| Chain {
        name: name.to_owned(),
        base: Some(Base { kind: ChainKind::Filter, hook, priority: PRIORITY, accept: true }),
        rules,
    };
    let chains = [("coming", Hook::Prerouting, coming), ("sent", Hook::Output, sent)];
    let chains = chains.into_iter().filter(|(.., rules)| !rules.is_empty());
    Table { sets, chains: chains.map(|(name, hook, rules)| chain(name, hook, rules)).collect() }
}

fn address(address: IpAddr, is_source: bool, length: Option<u8>) -> Expr {
    match address {
        IpAddr::V4(ip) => {
            let net = ipnet::Ipv4Net::new(ip, length.unwrap_or(32)).unwrap_or(ip.into()).trunc();
            if is_source { Expr::Source4(Is::In, net) } else { Expr::Destination4(Is::In, net) }
        }
        IpAddr::V6(ip) => {
            let net = ipnet::Ipv6Net::new(ip, length.unwrap_or(128)).unwrap_or(ip.into()).trunc();
            if is_source { Expr::Source6(Is::In, net) } else { Expr::Destination6(Is::In, net) }
        }
    }
}

fn service(service: Service, family: Family) -> Vec<Expr> {
    match (service, family) {
        (Service::Ping, Family::V4) => vec![Expr::L4(L4::Icmp), Expr::IcmpType(8)],
        (Service::Ping, Family::V6) => vec![Expr::L4(L4::Icmp6), Expr::IcmpType(128)],
        (Service::Port(port), _) => {
            let l4 = if port.protocol == Protocol::Tcp { L4::Tcp } else { L4::Udp };
            vec![Expr::L4(l4), Expr::DestinationPort(port.number)]
        }
    }
}

/// Compares what the kernel told of one packet, in order, with what was simulated.
pub fn compare(targets: &Targets, trace: &Trace, stations: &[Station]) -> Live {
    let hooks = hooks(targets);
    let hook = |station: &&Station| {
        (station.table == NFT_TABLE).then(|| hooks.get(station.chain.as_str())).flatten()
    };
    let stopped = stations.iter().find(|station| station.passed == Some(false));
    let reached = |wanted: Hook| stations.iter().any(|station| hook(&station) == Some(&wanted));
    let verdict = match stopped {
        Some(_) => Verdict::Dropped,
        None if reached(Hook::Input) || reached(Hook::Postrouting) => Verdict::Allowed,
        None => Verdict::Unreachable,
    };
    let mut steps: Vec<Step> = stations.iter().filter_map(step).collect();
    let out =
        stations.iter().rev().find_map(|station| station.out.clone()).filter(|_| verdict == Verdict::Allowed);
    if let Some(out) = &out {
        steps.push(Step { place: "routing".to_owned(), words: format!("left by {out}") });
    } else if verdict == Verdict::Unreachable {
        steps.push(Step { place: "routing".to_owned(), words: "there was no way for it".to_owned() });
    }
    let mut differs = Vec::new();
    // What a tunnel does with a packet that leaves by it, no firewall is told.
    let by_tunnel = trace.steps.last().is_some_and(|step| step.place == "tunnel");
    let arrives = trace.verdict == Verdict::Allowed || by_tunnel;
    if arrives != (verdict == Verdict::Allowed) {
        differs.push(format!(
            "the simulation says {}, the kernel {}",
            trace.verdict.as_str(),
            verdict.as_str()
        ));
    }
    if let (Some(told), Some(out)) = (&trace.out, &out)
        && told != out
    {
        differs.push(format!("the simulation sends it by {told}, the kernel by {out}"));
    }
    let forwarded = stations.iter().rfind(|station| hook(station) == Some(&Hook::Forward));
    if let Some(mark) = forwarded.map(|station| station.mark & MARK_MASK).filter(|mark| *mark != trace.mark) {
        differs.push(format!("the simulation marks it {:#x}, the kernel {mark:#x}", trace.mark));
    }
    differs.extend(rules(&hooks, trace, stations));
    Live { steps, verdict, differs }
}

/// Base chains of our table.
fn hooks(targets: &Targets) -> BTreeMap<&str, Hook> {
    let chains = targets.nft.iter().flat_map(|table| &table.chains);
    chains.filter_map(|chain| Some((chain.name.as_str(), chain.base?.hook))).collect()
}

/// A station as a step, if it decided anything.
fn step(station: &Station) -> Option<Step> {
    let is_ours = station.table == NFT_TABLE;
    let place = if is_ours { station.chain.clone() } else { format!("{}/{}", station.table, station.chain) };
    let why = station.why.as_deref().unwrap_or("end of the chain");
    let words = match (station.passed, is_ours) {
        (Some(false), _) => format!("{why}: stopped"),
        (Some(true), true) if station.why.is_some() => format!("{why}: passes"),
        (None, true) if station.why.is_some() && station.mark & MARK_MASK != 0 => {
            format!("{why}: marked {:#x}", station.mark & MARK_MASK)
        }
        _ => return None,
    };
    Some(Step { place, words })
}

/// Rules that decided in one of both and not in the other.
fn rules(hooks: &BTreeMap<&str, Hook>, trace: &Trace, stations: &[Station]) -> Vec<String> {
    let ours = || stations.iter().filter(|station| station.table == NFT_TABLE);
    let mut differs = Vec::new();
    let is_chain = |step: &&Step| step.place != "routing" && step.place != "tunnel";
    for step in trace.steps.iter().filter(is_chain) {
        let is_it = |station: &Station| {
            let why = station.why.as_deref();
            station.chain == step.place && why.is_some_and(|why| step.words.starts_with(&format!("{why}:")))
        };
        if !ours().any(is_it) {
            differs.push(format!("only simulated: {}: {}", step.place, step.words));
        }
    }
    for station in ours().filter(|station| station.passed.is_some()) {
        let Some(why) = &station.why else { continue };
        let is_it = |step: &Step| step.place == station.chain && step.words.starts_with(&format!("{why}:"));
        if !trace.steps.iter().any(is_it) {
            let hook = if hooks.contains_key(station.chain.as_str()) { "" } else { " (called)" };
            differs.push(format!("only in the kernel: {}{hook}: {why}", station.chain));
        }
    }
    let foreign =
        stations.iter().filter(|station| station.table != NFT_TABLE && station.passed == Some(false));
    differs.extend(foreign.map(|station| {
        format!("not simulated: chain {} of somebody's table {} stops it", station.chain, station.table)
    }));
    differs
}

#[cfg(test)]
mod tests;
