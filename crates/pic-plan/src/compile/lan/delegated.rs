//! Networks of LANs out of prefixes of the uplink: a /64 each, always the same one out of the same prefix.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};
use pic_model::desired::{Ipv6Choice, UplinkPrefix};
use pic_model::{Desired, address};

use super::Borrowed;
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

/// The networks of each LAN that leaves them to the cell. Which of a prefix's /64s is found from the LAN's name; where two
/// meet, the one that comes later in the alphabet goes on to the next free one.
pub(super) fn split(desired: &Desired, facts: &Facts) -> BTreeMap<String, Vec<Borrowed>> {
    let lans: Vec<&str> = desired
        .lans
        .iter()
        .filter(|(_, lan)| lan.ipv6 == Ipv6Choice::Auto)
        .map(|(name, _)| name.as_str())
        .collect();
    let devices: BTreeSet<String> = desired.lans.values().map(|lan| lan.device()).collect();
    // A network of the uplink's own link may lie in the prefix.
    let near = facts.host_networks.iter().filter(|net| !devices.contains(&net.interface));
    let near: Vec<IpNet> = near.map(|net| net.network).filter(|net| net.prefix_len() >= 64).collect();
    let mut all: BTreeMap<String, Vec<Borrowed>> = BTreeMap::new();
    for (DelegatedPrefix { prefix, current }, lasting) in prefixes(desired, facts) {
        let slots = 1_u64 << (64 - prefix.prefix_len()).min(16);
        let mut taken = BTreeSet::new();
        for name in &lans {
            let start = u64::from(address::subnet_id(name));
            let places = (0..slots).map(|step| subnet(prefix, (start + step) % slots));
            let is_free = |net: &Ipv6Net| {
                !taken.contains(net) && !near.iter().any(|near| address::overlap(near, &IpNet::V6(*net)))
            };
            let Some(net) = places.into_iter().find(is_free) else { continue };
            taken.insert(net);
            all.entry((*name).to_owned()).or_default().push(Borrowed { net, current, lasting });
        }
    }
    all
}

fn subnet(prefix: Ipv6Net, number: u64) -> Ipv6Net {
    let bits = prefix.network().to_bits() | (u128::from(number) << 64);
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), 64)
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

    #[test]
    fn each_lan_has_its_own_and_keeps_it() {
        let facts = facts(&[("2001:db8:a00::/56", true), ("2001:db8:b00::/56", false)]);
        let one = split(&desired(&["lan"]), &facts)["lan"].clone();
        let two = split(&desired(&["guests", "lan"]), &facts);
        assert_eq!(two["lan"], one, "another LAN moves nobody");
        assert_ne!(two["guests"][0].net, one[0].net);
        assert_eq!(one.iter().map(|more| more.current).collect::<Vec<_>>(), [true, false]);
        assert_eq!(split(&desired(&["lan"]), &facts)["lan"], one);
    }

    #[test]
    fn what_cannot_be_is_not_believed_and_a_small_prefix_serves_the_first() {
        let own = address::ula_site(&facts(&[]).private_key.public()).to_string();
        let bad = ["2000::/3", "2001:db8::/32", "fe80::/64", "ff02::/64", "2001:db8:1::/65", &own];
        let bad: Vec<_> = bad.into_iter().map(|prefix| (prefix, true)).collect();
        assert_eq!(split(&desired(&["lan"]), &facts(&bad)), BTreeMap::new());
        let small = split(&desired(&["a", "b", "c"]), &facts(&[("2001:db8:1:2::/64", true)]));
        assert_eq!(small.keys().collect::<Vec<_>>(), ["a"]);
        // A network that the uplink itself has is left out.
        let mut facts = facts(&[("2001:db8:1:2::/63", true)]);
        facts.host_networks =
            vec![HostNetwork { network: "2001:db8:1:2::/64".parse().unwrap(), interface: "eth0".to_owned() }];
        let nets: Vec<_> =
            split(&desired(&["a", "b"]), &facts).into_values().flatten().map(|more| more.net).collect();
        assert_eq!(nets, ["2001:db8:1:3::/64".parse().unwrap()]);
    }
}
