//! Networks of LANs out of prefixes of the uplink: a /64 each, always the same one out of the same prefix.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};
use pic_model::desired::{Ipv6Choice, UplinkPrefix};
use pic_model::lan::Lan;
use pic_model::snapshot::dhcp::PrefixPool;
use pic_model::{Desired, address};

use super::{Borrowed, Pool, Resolved};
use crate::compile::Network;
use crate::facts::{DelegatedPrefix, Facts};

/// Prefixes of the uplink that LANs may have networks out of: what it delegates, as far as that can be true, or what is
/// written down.
pub(in crate::compile) fn prefixes(desired: &Desired, facts: &Facts) -> Vec<(DelegatedPrefix, bool)> {
    let own: Vec<IpNet> = own_networks(desired, facts);
    let is_free = |prefix: &Ipv6Net| !own.iter().any(|net| address::overlap(net, &IpNet::V6(*prefix)));
    let given = match desired.uplink.prefix {
        UplinkPrefix::Off => Vec::new(),
        UplinkPrefix::Net(prefix) => vec![(DelegatedPrefix { prefix, current: true }, true)],
        UplinkPrefix::Auto | UplinkPrefix::Ask => {
            facts.delegated.iter().map(|delegated| (*delegated, false)).collect()
        }
    };
    let mut seen = BTreeSet::new();
    let mut is_apart = |prefix: Ipv6Net| {
        !seen.iter().any(|other: &Ipv6Net| other.contains(&prefix) || prefix.contains(other))
            && seen.insert(prefix)
    };
    let sound = |prefix: Ipv6Net| address::is_delegable(prefix) && is_free(&prefix);
    given.into_iter().filter(|(one, _)| sound(one.prefix) && is_apart(one.prefix)).collect()
}

fn own_networks(desired: &Desired, facts: &Facts) -> Vec<IpNet> {
    let site = IpNet::V6(address::ula_site(&facts.private_key.public()));
    let tunnel = Network::new(desired, facts).net6.map(IpNet::V6);
    let written = desired.lans.values().flat_map(|lan| lan.written_networks());
    std::iter::once(site).chain(tunnel).chain(written).collect()
}

/// What LANs have of the uplink's prefixes, by their names: networks, and parts for routers among their hosts.
pub(super) type Shares = (BTreeMap<String, Vec<Borrowed>>, BTreeMap<String, Vec<Pool>>);

/// The networks of each LAN that leaves them to the cell. Which of a prefix's /64s is found from the LAN's name; where two
/// meet, the one that comes later in the alphabet goes on to the next free one. What routers are given comes behind, so
/// that it moves no LAN; a LAN that is new may move it.
pub(super) fn split(desired: &Desired, facts: &Facts) -> Shares {
    // An app is no router's customer: it leaves under an address of the host's own.
    let wants = |lan: &Lan| lan.ipv6 == Ipv6Choice::Auto && lan.app.is_none();
    let lans: Vec<_> = desired.lans.iter().filter(|(_, lan)| wants(lan)).collect();
    let devices: BTreeSet<String> = desired.lans.values().map(|lan| lan.device()).collect();
    // A network of the uplink's own link may lie in the prefix.
    let near = facts.host_networks.iter().filter(|net| !devices.contains(&net.interface));
    let near: Vec<IpNet> = near.map(|net| net.network).filter(|net| net.prefix_len() >= 64).collect();
    let (mut all, mut pools) = Shares::default();
    for (DelegatedPrefix { prefix, current }, lasting) in prefixes(desired, facts) {
        let mut taken = near.clone();
        for (name, _) in &lans {
            let Some(net) = place(prefix, 64, name.as_str(), &taken) else { continue };
            taken.push(IpNet::V6(net));
            all.entry(name.to_string()).or_default().push(Borrowed { net, current, lasting });
        }
        for (name, lan) in &lans {
            let wanted = lan.dhcp6.as_ref().map(|dhcp6| dhcp6.delegate).filter(|length| *length > 0);
            let Some((net, length)) = wanted.and_then(|wanted| pool(prefix, wanted, name.as_str(), &taken))
            else {
                continue;
            };
            taken.push(IpNet::V6(net));
            pools.entry(name.to_string()).or_default().push(Pool { net, length, lasting });
        }
    }
    (all, pools)
}

/// A part of a prefix with this length that overlaps nothing taken, searched from where the name points.
fn place(prefix: Ipv6Net, length: u8, name: &str, taken: &[IpNet]) -> Option<Ipv6Net> {
    let slots = 1_u64 << length.checked_sub(prefix.prefix_len())?.min(16);
    let start = u64::from(address::subnet_id(name));
    let mut places = (0..slots).map(|step| part(prefix, length, (start + step) % slots));
    places.find(|net| !taken.iter().any(|taken| address::overlap(taken, &IpNet::V6(*net))))
}

fn part(prefix: Ipv6Net, length: u8, number: u64) -> Ipv6Net {
    let bits = prefix.network().to_bits() | (u128::from(number) << (128 - u32::from(length)));
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), length)
}

/// A part for up to 16 routers and the length of what one of them is given: of a small prefix less than was wanted, and
/// never more than a quarter for all.
fn pool(prefix: Ipv6Net, wanted: u8, name: &str, taken: &[IpNet]) -> Option<(Ipv6Net, u8)> {
    let least = prefix.prefix_len() + 2;
    let length = wanted.max(least);
    let mut lengths = (length.saturating_sub(4).max(least)..=length).filter(|_| length <= 64);
    lengths.find_map(|whole| Some((place(prefix, whole, name, taken)?, length)))
}

/// The same for the service that hands them out.
pub(super) fn parts(lan: &Resolved<'_>) -> Vec<PrefixPool> {
    let one = |pool: &Pool| PrefixPool { pool: pool.net, length: pool.length, lasting: pool.lasting };
    lan.pools6.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{HostNetwork, UplinkFacts};

    fn facts(delegated: &[(&str, bool)]) -> Facts {
        Facts {
            uplink: Some(UplinkFacts {
                interface: "eth0".parse().unwrap(),
                ipv4: None,
                ipv6: None,
                routes6: true,
            }),
            interfaces: ["eth0", "eth1", "eth2"].map(str::to_owned).into(),
            delegated: delegated
                .iter()
                .map(|(prefix, current)| DelegatedPrefix {
                    prefix: prefix.parse().unwrap(),
                    current: *current,
                })
                .collect(),
            ..crate::memory::facts()
        }
    }

    fn desired(names: &[&str]) -> Desired {
        let lan = |(at, name): (usize, &&str)| {
            format!("[[lan]]\nname=\"{name}\"\ninterface=\"eth{}\"\nipv4=\"192.168.{at}.1/24\"\n", at + 1)
        };
        let lans: String = names.iter().enumerate().map(lan).collect();
        pic_model::config::parse(&format!("[cell]\nname = \"home\"\n{lans}")).unwrap()
    }

    fn nets(names: &[&str], facts: &Facts) -> BTreeMap<String, Vec<Borrowed>> {
        split(&desired(names), facts).0
    }

    fn with_routers(names: &[&str], length: u8) -> Desired {
        let mut desired = desired(names);
        for lan in desired.lans.values_mut() {
            let text = format!(
                "[cell]\nname=\"h\"\n[[lan]]\nname=\"l\"\ninterface=\"e\"\nipv4=\"10.1.1.1/24\"\ndhcp6={{delegate={length}}}\n"
            );
            let read = pic_model::config::parse(&text).unwrap();
            lan.dhcp6 = read.lans.into_values().next().unwrap().dhcp6;
        }
        desired
    }

    #[test]
    fn routers_have_parts_of_what_no_lan_has() {
        let facts = facts(&[("2001:db8:a00::/56", true)]);
        for names in [&["lan"][..], &["a", "b", "c", "d", "e", "f"]] {
            let (lans, pools) = split(&with_routers(names, 62), &facts);
            assert_eq!(lans, nets(names, &facts), "nobody moves for them");
            let mut all: Vec<IpNet> = lans.values().flatten().map(|more| IpNet::V6(more.net)).collect();
            assert_eq!(pools.len(), names.len());
            for pool in pools.values().flatten() {
                assert!((58..=62).contains(&pool.net.prefix_len()) && pool.length == 62, "{pool:?}");
                assert!(!all.iter().any(|net| address::overlap(net, &IpNet::V6(pool.net))), "{pool:?}");
                all.push(IpNet::V6(pool.net));
            }
        }
        let of = |prefix: &str, length| {
            let (_, pools) = split(&with_routers(&["lan"], length), &self::facts(&[(prefix, true)]));
            pools.get("lan").map(|pools| (pools[0].net.prefix_len(), pools[0].length))
        };
        assert_eq!(of("2001:db8:a00::/56", 60), Some((58, 60)));
        assert_eq!(of("2001:db8:a00::/60", 62), Some((62, 62)));
        assert_eq!(of("2001:db8:a00::/62", 62), Some((64, 64)), "what is left of a small one");
        assert_eq!(of("2001:db8:a00::/63", 62), None);
        assert_eq!(of("2001:db8:a00::/56", 0), None);
    }

    #[test]
    fn routes_lead_to_routers_that_can_be() {
        use crate::target::route::RouteKind;
        let mut facts = facts(&[("2001:db8:a00::/56", true)]);
        let desired = with_routers(&["lan"], 62);
        let pool = split(&desired, &facts).1["lan"][0];
        let routed = |prefix: Ipv6Net, via: &str, interface: &str| crate::facts::RoutedPrefix {
            prefix,
            via: via.parse().unwrap(),
            interface: interface.to_owned(),
        };
        let given = part(pool.net, 62, 1);
        facts.routed = vec![
            routed(given, "fe80::9", "eth1"),
            routed(given, "fe80::8", "eth1"),
            routed(part(pool.net, 62, 2), "2001:db8::1", "eth1"),
            routed(part(pool.net, 62, 3), "fe80::9", "eth2"),
            routed("2001:db8:b00::/62".parse().unwrap(), "fe80::9", "eth1"),
            routed("::/0".parse().unwrap(), "fe80::9", "eth1"),
        ];
        let targets = crate::compile::compile(Some(&desired), &facts);
        let by_router = |kind: &RouteKind| matches!(kind, RouteKind::Gateway { .. });
        let found: Vec<_> = targets.routes.iter().filter(|route| by_router(&route.kind)).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].destination, IpNet::V6(given));
        assert_eq!(
            found[0].kind,
            RouteKind::Gateway { device: "eth1".to_owned(), via: "fe80::9".parse().unwrap() }
        );
        let table = format!("{:?}", targets.nft.unwrap().chains);
        assert!(table.contains(&format!("Source6(NotIn, {})", pool.net)), "its hosts are of this LAN");
    }

    #[test]
    fn each_lan_has_its_own_and_keeps_it() {
        let facts = facts(&[("2001:db8:a00::/56", true), ("2001:db8:b00::/56", false)]);
        let one = nets(&["lan"], &facts)["lan"].clone();
        let two = nets(&["guests", "lan"], &facts);
        assert_eq!(two["lan"], one, "another LAN moves nobody");
        assert_ne!(two["guests"][0].net, one[0].net);
        assert_eq!(one.iter().map(|more| more.current).collect::<Vec<_>>(), [true, false]);
        assert_eq!(nets(&["lan"], &facts)["lan"], one);
    }

    #[test]
    fn what_cannot_be_is_not_believed_and_a_small_prefix_serves_the_first() {
        let own = address::ula_site(&facts(&[]).private_key.public()).to_string();
        let bad = ["2000::/3", "2001:db8::/32", "fe80::/64", "ff02::/64", "2001:db8:1::/65", &own];
        let bad: Vec<_> = bad.into_iter().map(|prefix| (prefix, true)).collect();
        assert_eq!(nets(&["lan"], &facts(&bad)), BTreeMap::new());
        let small = nets(&["a", "b", "c"], &facts(&[("2001:db8:1:2::/64", true)]));
        assert_eq!(small.keys().collect::<Vec<_>>(), ["a"]);
        // A network that the uplink itself has is left out.
        let mut facts = facts(&[("2001:db8:1:2::/63", true)]);
        facts.host_networks =
            vec![HostNetwork { network: "2001:db8:1:2::/64".parse().unwrap(), interface: "eth0".to_owned() }];
        let found: Vec<_> = nets(&["a", "b"], &facts).into_values().flatten().map(|more| more.net).collect();
        assert_eq!(found, ["2001:db8:1:3::/64".parse().unwrap()]);
    }
}
