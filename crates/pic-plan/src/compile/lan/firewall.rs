//! What packets of LANs may do: the same two layers as for peers, with the interface in the place of the tunnel.

use ipnet::{Ipv4Net, Ipv6Net};
use pic_model::desired::Inbound;
use pic_model::{Desired, address};

use super::Resolved;
use crate::compile::firewall::{Scope, granted, neighbours, rule};
use crate::compile::policy::Right;
use crate::compile::{dns, time};
use crate::target::nft::{CT_ESTABLISHED, CT_RELATED, Chain, Expr, Is, L4, Rule};
use crate::target::rule::Family;

const DHCP_PORT: u16 = 67;
const DHCP6_PORT: u16 = 547;

fn from(lan: &Resolved<'_>) -> Expr {
    Expr::Iif(Is::In, lan.device.clone())
}

fn to(lan: &Resolved<'_>) -> Expr {
    Expr::Oif(Is::In, lan.device.clone())
}

fn own4() -> Ipv4Net {
    Ipv4Net::new_assert([0, 0, 0, 0].into(), 32)
}

/// Sources that are not of the LAN.
pub(in crate::compile) fn foreign(lans: &[Resolved<'_>]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for lan in lans {
        let foreign = "a source that is not of this LAN";
        // Clients without an address have the unspecified one (RFC 2131, 4862).
        let v4 = [lan.net4(), own4()].into_iter().chain(lan.subnets.iter().map(|(_, subnet)| subnet.ipv4));
        let v4: Vec<_> = v4.map(|net| Expr::Source4(Is::NotIn, net)).collect();
        let v6 = [[0xfe80, 0, 0, 0, 0, 0, 0, 0], [0; 8]].into_iter().zip([10, 128]);
        let v6 = v6.map(|(net, length)| Ipv6Net::new_assert(net.into(), length)).chain(lan.nets6());
        let v6 = v6.chain(lan.pools6.iter().map(|pool| pool.net));
        let v6: Vec<_> = v6.map(|net| Expr::Source6(Is::NotIn, net)).collect();
        for (family, matches) in [(Family::V4, v4), (Family::V6, v6)] {
            let exprs = [from(lan), Expr::Family(family)].into_iter().chain(matches);
            rules.push(rule(foreign, exprs.chain([Expr::Counter, Expr::Drop])));
        }
    }
    rules
}

/// From LANs to the cell itself.
pub(in crate::compile) fn input(scope: &Scope<'_>) -> Chain {
    let mut rules = neighbours();
    for lan in scope.lans {
        rules.extend(addresses(lan));
        rules.extend(names(lan, scope.desired));
        if scope.with_time() {
            rules.extend(own(lan).map(|(family, at)| time::accept([from(lan), Expr::Family(family)], at)));
        }
        rules.extend(admin(lan));
        let answers = [Expr::CtState(CT_ESTABLISHED | CT_RELATED), Expr::CtReply, Expr::Accept];
        rules.push(rule("answers to the cell", std::iter::once(from(lan)).chain(answers)));
    }
    // A host's own rights go before those of its network, which may end in a refusal.
    rules.extend(granted(scope));
    for lan in scope.lans {
        rules.extend(grants(lan, scope));
    }
    rules.push(rule("everything else from LANs", [Expr::Counter, Expr::Reject]));
    Chain { name: "input_lans".to_owned(), base: None, rules }
}

/// DHCP, which clients ask before they have an address.
fn addresses(lan: &Resolved<'_>) -> Vec<Rule> {
    let port = |family, port| {
        let exprs =
            [from(lan), Expr::Family(family), Expr::L4(L4::Udp), Expr::DestinationPort(port), Expr::Accept];
        rule("addresses", exprs)
    };
    let v4 = lan.lan.dhcp.as_ref().map(|_| port(Family::V4, DHCP_PORT));
    // An app has its addresses from a file.
    let v6 = lan.net6.filter(|_| lan.lan.app.is_none()).map(|_| port(Family::V6, DHCP6_PORT));
    v4.into_iter().chain(v6).collect()
}

/// To the cell's own addresses in this LAN.
fn own(lan: &Resolved<'_>) -> impl Iterator<Item = (Family, Expr)> {
    let v4 = Expr::Destination4(Is::In, lan.lan.ipv4.addr().into());
    let v6 = lan.net6.map(|net| Expr::Destination6(Is::In, address::cell_v6(net).into()));
    std::iter::once((Family::V4, v4)).chain(v6.map(|v6| (Family::V6, v6)))
}

/// Names at the cell's own addresses.
fn names(lan: &Resolved<'_>, desired: &Desired) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (family, at) in own(lan) {
        for (transport, port) in dns::ports(desired) {
            let (l4, port) = (Expr::L4(transport), Expr::DestinationPort(port));
            let exprs = [from(lan), Expr::Family(family), at.clone(), l4, port, Expr::Accept];
            rules.push(rule("granted: names", exprs));
        }
    }
    rules
}

/// What the cell serves in the uplink's own network: addresses, and names to its hosts.
pub(in crate::compile) fn served(outside: &[Resolved<'_>], desired: &Desired) -> Vec<Rule> {
    let mut rules = Vec::new();
    for lan in outside {
        rules.extend(addresses(lan));
        let near = Expr::Source4(Is::In, lan.net4());
        rules.extend(names(lan, desired).into_iter().map(|mut names| {
            names.exprs.insert(1, near.clone());
            names
        }));
    }
    rules
}

fn admin(lan: &Resolved<'_>) -> Vec<Rule> {
    let one = |(family, set): (Family, &str)| {
        let source = [from(lan), Expr::Family(family), Expr::SourceIn(Is::In, set.to_owned())];
        let ssh = [Expr::L4(L4::Tcp), Expr::DestinationPortIn("ssh".to_owned()), Expr::Accept];
        rule("admin's ssh", source.into_iter().chain(ssh))
    };
    [(Family::V4, "admin4"), (Family::V6, "admin6")].into_iter().map(one).collect()
}

/// Who may reach the cell: a subnet's own grants go before those of the LAN that it comes in by.
fn grants(lan: &Resolved<'_>, scope: &Scope<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (name, subnet) in &lan.subnets {
        let source = vec![from(lan), Expr::Family(Family::V4), Expr::Source4(Is::In, subnet.ipv4)];
        rules.extend(rights(name, &source, scope));
        let rest = source.into_iter().chain([Expr::Counter, Expr::Reject]);
        rules.push(rule("everything else from subnets", rest));
    }
    rules.extend(rights(lan.name, &[from(lan)], scope));
    rules
}

/// What a whole network may do at the cell.
fn rights(name: &str, source: &[Expr], scope: &Scope<'_>) -> Vec<Rule> {
    let rights = scope.policy.lans.iter().find(|(lan, _)| lan.as_str() == name).map(|(_, rights)| rights);
    let one = |right: &Right| match right {
        Right::Cell => cell(source, scope.desired),
        Right::Ssh => ssh(source),
        Right::Ping => ping(source),
        // Names and the time are every LAN's, the internet is not the cell.
        Right::Internet | Right::Any | Right::Dns | Right::Time => Vec::new(),
    };
    rights.into_iter().flatten().flat_map(one).collect()
}

fn ping(source: &[Expr]) -> Vec<Rule> {
    let one = |(l4, kind)| {
        let echo = [Expr::L4(l4), Expr::IcmpType(kind), Expr::Accept];
        rule("granted: ping", source.iter().cloned().chain(echo))
    };
    [(L4::Icmp, 8), (L4::Icmp6, 128)].into_iter().map(one).collect()
}

fn ssh(source: &[Expr]) -> Vec<Rule> {
    let ssh = [Expr::L4(L4::Tcp), Expr::DestinationPortIn("ssh".to_owned()), Expr::Accept];
    vec![rule("granted: ssh", source.iter().cloned().chain(ssh))]
}

/// Whoever may reach the cell reaches at least what the outside does.
fn cell(source: &[Expr], desired: &Desired) -> Vec<Rule> {
    let granted =
        |exprs: Vec<Expr>| rule("granted: cell", source.iter().cloned().chain(exprs).chain([Expr::Accept]));
    if desired.firewall.inbound == Inbound::Open {
        return vec![granted(Vec::new())];
    }
    let tcp = |set: &str| vec![Expr::L4(L4::Tcp), Expr::DestinationPortIn(set.to_owned())];
    let mut rules = ping(source);
    rules.extend(ssh(source));
    rules.extend([
        granted(tcp("open_tcp")),
        granted(vec![Expr::L4(L4::Udp), Expr::DestinationPortIn("open_udp".to_owned())]),
        granted(vec![Expr::L4(L4::Udp), Expr::DestinationPort(desired.wireguard.port)]),
    ]);
    rules
}

/// Through the host to LANs, from elsewhere than the cell's own networks.
pub(in crate::compile) fn toward(lans: &[Resolved<'_>]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for lan in lans {
        let answers = Expr::CtState(CT_ESTABLISHED | CT_RELATED);
        let exprs = [to(lan), answers, Expr::CtReply, Expr::Counter, Expr::Accept];
        rules.push(rule("answers to LANs", exprs));
        rules.push(rule("nothing begins toward LANs", [to(lan), Expr::Counter, Expr::Drop]));
    }
    rules
}

/// LANs leave by the cell's address.
pub(in crate::compile) fn postrouting(lans: &[Resolved<'_>], uplink: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    for lan in lans {
        let out = || Expr::Oif(Is::In, uplink.to_owned());
        for net in std::iter::once(lan.net4()).chain(lan.subnets.iter().map(|(_, subnet)| subnet.ipv4)) {
            let v4 = [out(), Expr::Family(Family::V4), Expr::Source4(Is::In, net), Expr::Masquerade];
            rules.push(rule("LANs leave by the cell's address", v4));
        }
        if let Some(net6) = lan.translates6() {
            let v6 = [out(), Expr::Family(Family::V6), Expr::Source6(Is::In, net6), Expr::Masquerade];
            rules.push(rule("LANs leave by the cell's address", v6));
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use crate::compile::compile;
    use crate::facts::Facts;

    fn chain(text: &str, name: &str) -> String {
        let desired = pic_model::config::parse(&format!("[cell]\nname = \"home\"\n{text}")).unwrap();
        let facts = Facts {
            uplink: Some(crate::facts::UplinkFacts {
                interface: "eth0".parse().unwrap(),
                ipv4: None,
                ipv6: None,
                routes6: false,
            }),
            ..crate::memory::facts()
        };
        let table = compile(Some(&desired), &facts).nft.unwrap();
        format!("{:?}", table.chains.iter().find(|chain| chain.name == name).unwrap().rules)
    }

    #[test]
    fn a_guest_lan_gets_addresses_names_and_the_internet_only() {
        let guest = "[[lan]]\nname=\"g\"\ninterface=\"eth1\"\nipv4=\"192.168.41.1/24\"\nallow=[\"internet\"]\n[lan.dhcp]\npool=\"192.168.41.5-192.168.41.9\"\n";
        let input = chain(guest, "input_lans");
        assert!(input.contains("DestinationPort(67)") && input.contains("DestinationPort(53)"));
        assert!(!input.contains("granted: cell"));
        assert!(chain(guest, "postrouting").contains("192.168.41.0/24"));
        let forward = chain(guest, "forward");
        assert!(
            forward.contains("everything else from LANs") && forward.contains("nothing begins toward LANs")
        );
        // Who is let out stands in sets: the chains are the same for a network that nothing is granted to.
        let nothing = guest.replace("\"internet\"", "");
        for name in ["grants", "forward", "prerouting"] {
            assert_eq!(chain(guest, name), chain(&nothing, name));
        }
    }

    #[test]
    fn a_subnet_has_its_own_grants_and_the_uplinks_network_no_more_than_it_is_served() {
        let text = "[[lan]]\nname=\"l\"\ninterface=\"eth1\"\nipv4=\"192.168.41.1/24\"\n\
            [[subnet]]\nname=\"s\"\nlan=\"l\"\nvia=\"192.168.41.2\"\nipv4=\"10.5.0.0/24\"\nallow=[\"internet\"]\n\
            [[lan]]\nname=\"u\"\ninterface=\"eth0\"\nipv4=\"192.168.1.5/24\"\nuplink=true\n\
            dhcp={pool=\"192.168.1.9-192.168.1.20\", options={router=\"192.168.1.1\"}}\n";
        let input = chain(text, "input_lans");
        let (subnet, lan) = (input.find("everything else from subnets"), input.find("granted: cell"));
        assert!(subnet.is_some() && subnet < lan, "refused before the LAN's grant: {input}");
        assert!(chain(text, "postrouting").contains("10.5.0.0/24"));
        assert!(chain(text, "prerouting").contains("Source4(NotIn, 10.5.0.0/24)"));
        let outside = chain(text, "input_outside");
        assert!(outside.contains("DestinationPort(67)") && outside.contains("192.168.1.5/32"), "{outside}");
        for chain in ["prerouting", "forward", "input_lans"].map(|name| chain(text, name)) {
            assert!(!chain.contains("Iif(In, \"eth0\")") && !chain.contains("192.168.1."), "{chain}");
        }
    }
}
