//! Real packets, counted in the kernel for a moment: by which ways the users' own leave, and that what counts them sees.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use pic_drivers::nft::Live;
use pic_model::chain;
use pic_model::snapshot::dns::DnsProbe;
use pic_plan::compile::exit::{self, egress};
use pic_plan::marks::WIREGUARD_INTERFACE;
use pic_plan::target::nft::{Base, Chain, ChainKind, Elements, Expr, Hook, Is, L4, Rule, Table};
use pic_plan::target::rule::Family;

use super::{Came, Finding, Knock, Scope};

const TABLE: &str = "pic_leaks";
const BY_EXIT: &str = "users by the exit";
const ELSEWHERE: &str = "users by another way";
const OWN_BY_EXIT: &str = "our own by the exit";
const OWN_ELSEWHERE: &str = "our own by the uplink";
/// Where our own two packets would go if they were not dropped: addresses that nobody has (RFC 5737, 3849), to the port for
/// what is thrown away (RFC 863).
const NOBODY4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);
const NOBODY6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9);

/// Counts for so long.
pub(super) fn watch(scope: &Scope<'_>, time: Duration, knock: &Knock) -> [Finding; 2] {
    let unproven = |name, words: String| Finding { name, came: Came::Unproven, words };
    let counted = Live::start(TABLE, &table(scope), false).and_then(|mut live| {
        let sent = ways(scope).into_iter().map(|(_, interface)| {
            [NOBODY4, NOBODY6].map(|target| knock(DnsProbe { interface: interface.clone(), target }))
        });
        let sent: Vec<_> = sent.collect();
        // Lets the users send something. Whoever was waited for here before may have left a call to wake up.
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
        Ok((live.counters()?, sent))
    });
    let (counters, sent) = match counted {
        Ok(counted) => counted,
        Err(error) => {
            let words = format!("real packets could not be counted: {}", chain(&error));
            return [unproven("control", words.clone()), unproven("traffic", words)];
        }
    };
    let seen = |what: &str| counters.get(what).copied().unwrap_or_default();
    [control(scope, &counters, &sent), {
        let (by_exit, elsewhere) = (seen(BY_EXIT), seen(ELSEWHERE));
        let came = if elsewhere > 0 { Came::Leak } else { Came::Ok };
        let words = format!(
            "of the users' own packets {by_exit} left by {} within {} ms, and {elsewhere} another way",
            scope.interface,
            time.as_millis()
        );
        Finding { name: "traffic", came, words }
    }]
}

/// The ways that packets of our own are sent by: Tor carries none of the kind, and has no interface.
fn ways(scope: &Scope<'_>) -> Vec<(&'static str, String)> {
    let by_exit = exit::has_interface(scope.exit).then(|| (OWN_BY_EXIT, scope.interface.clone()));
    by_exit.into_iter().chain(scope.uplink().map(|uplink| (OWN_ELSEWHERE, uplink))).collect()
}

/// Of each family.
type Sent = [Result<(), String>; 2];

/// Whether the counters saw what we sent ourselves.
fn control(scope: &Scope<'_>, counters: &BTreeMap<String, u64>, sent: &[Sent]) -> Finding {
    let name = "control";
    let mut told = Vec::new();
    for ((what, interface), sent) in ways(scope).into_iter().zip(sent) {
        let left = sent.iter().filter(|result| result.is_ok()).count();
        let counted = counters.get(what).copied().unwrap_or_default();
        if left == 0 {
            let why = sent.iter().find_map(|result| result.as_ref().err());
            let words = format!(
                "no packet of our own could be sent by {interface} ({})",
                why.map_or("no route", String::as_str)
            );
            return Finding { name, came: Came::Unproven, words };
        }
        if counted == 0 {
            let words = format!(
                "{left} packets of our own by {interface} were not counted: a leak would not have been either"
            );
            return Finding { name, came: Came::Unproven, words };
        }
        told.push(format!("{counted} by {interface}"));
    }
    Finding {
        name,
        came: Came::Ok,
        words: format!("packets of our own were counted, and dropped: {}", told.join(", ")),
    }
}

fn table(scope: &Scope<'_>) -> Table {
    let mut sets = BTreeMap::new();
    for name in ["private4", "private6"] {
        let own = scope.targets.nft.as_ref().and_then(|table| table.sets.get(name)).cloned();
        let none = if name.ends_with('4') {
            Elements::Net4(BTreeSet::new())
        } else {
            Elements::Net6(BTreeSet::new())
        };
        sets.insert(name.to_owned(), own.unwrap_or(none));
    }
    let of_peers = || {
        scope
            .probes
            .iter()
            .map(|probe| &probe.packet)
            .filter(|packet| packet.iif.as_deref() == Some(WIREGUARD_INTERFACE))
    };
    let users4 =
        of_peers().filter_map(|packet| if let IpAddr::V4(ip) = packet.source { Some(ip) } else { None });
    let users6 =
        of_peers().filter_map(|packet| if let IpAddr::V6(ip) = packet.source { Some(ip) } else { None });
    sets.insert("users4".to_owned(), Elements::V4(users4.collect()));
    sets.insert("users6".to_owned(), Elements::V6(users6.collect()));
    let others = scope.targets.nft.as_ref().map(egress::destinations).unwrap_or_default();
    sets.extend(others.iter().map(|(name, _, elements)| (name.clone(), elements.clone())));
    let chain = |name: &str, hook, priority, rules| Chain {
        name: name.to_owned(),
        base: Some(Base { kind: ChainKind::Filter, hook, priority, accept: true }),
        rules,
    };
    Table {
        sets,
        // Behind all that decides, and before the source is translated.
        chains: vec![
            chain("passing", Hook::Forward, 300, passing(scope, &others)),
            chain("own", Hook::Postrouting, 99, own(scope)),
        ],
    }
}

/// What users send to the internet, but for destinations with a way of their own.
fn passing(scope: &Scope<'_>, others: &[(String, Family, Elements)]) -> Vec<Rule> {
    let lans: BTreeSet<&str> = scope
        .probes
        .iter()
        .filter_map(|probe| probe.packet.iif.as_deref())
        .filter(|iif| *iif != WIREGUARD_INTERFACE)
        .collect();
    let mut rules = Vec::new();
    for (family, digit) in [(Family::V4, '4'), (Family::V6, '6')] {
        let peers = vec![Expr::Family(family), Expr::SourceIn(Is::In, format!("users{digit}"))];
        let lans = lans.iter().map(|lan| vec![Expr::Family(family), Expr::Iif(Is::In, (*lan).to_owned())]);
        for from in std::iter::once(peers).chain(lans) {
            for (is, why) in [(Is::In, BY_EXIT), (Is::NotIn, ELSEWHERE)] {
                let mut exprs = from.clone();
                exprs.extend([
                    Expr::DestinationIn(Is::NotIn, format!("private{digit}")),
                    // What answers somebody outside goes back to them.
                    Expr::CtOriginal,
                    Expr::Oif(is, scope.interface.clone()),
                ]);
                let others = others.iter().filter(|(_, of, _)| *of == family && is == Is::NotIn);
                exprs.extend(others.map(|(set, ..)| Expr::DestinationIn(Is::NotIn, set.clone())));
                exprs.push(Expr::Counter);
                rules.push(Rule { exprs, why });
            }
        }
    }
    rules
}

/// Our own two packets for each way, which go nowhere.
fn own(scope: &Scope<'_>) -> Vec<Rule> {
    let ways = [(Some(scope.interface.clone()), OWN_BY_EXIT), (scope.uplink(), OWN_ELSEWHERE)];
    let mut rules = Vec::new();
    for (interface, why) in ways {
        let Some(interface) = interface else { continue };
        let out = || Expr::Oif(Is::In, interface.clone());
        let to = [NOBODY4, NOBODY6].map(|to| match to.ip() {
            IpAddr::V4(ip) => Expr::Destination4(Is::In, ip.into()),
            IpAddr::V6(ip) => Expr::Destination6(Is::In, ip.into()),
        });
        for to in to {
            let exprs = vec![
                out(),
                to,
                Expr::L4(L4::Udp),
                Expr::DestinationPort(NOBODY4.port()),
                Expr::Counter,
                Expr::Drop,
            ];
            rules.push(Rule { exprs, why });
        }
    }
    rules
}
