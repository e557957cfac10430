//! Answers to anybody on the internet, where the owner wants them: at the uplink's addresses, and through the firewall.

use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};
use pic_model::Desired;

use super::PORT;
use crate::compile::firewall::rule;
use crate::facts::Facts;
use crate::target::nft::{Expr, Is, L4, Rule};
use crate::target::rule::Family;

/// Where they ask.
pub(super) fn addresses(desired: &Desired, facts: &Facts) -> Vec<IpAddr> {
    let uplink = facts.uplink.as_ref().filter(|_| desired.dns.outside);
    let both = uplink.map(|uplink| [uplink.ipv4.map(IpAddr::V4), uplink.ipv6.map(IpAddr::V6)]);
    both.into_iter().flatten().flatten().collect()
}

/// Lets them.
pub(in crate::compile) fn accept(desired: &Desired, facts: &Facts) -> Vec<Rule> {
    let mut rules = Vec::new();
    for address in addresses(desired, facts) {
        let (family, at) = match address {
            IpAddr::V4(ip) => (Family::V4, Expr::Destination4(Is::In, Ipv4Net::from(ip))),
            IpAddr::V6(ip) => (Family::V6, Expr::Destination6(Is::In, Ipv6Net::from(ip))),
        };
        for transport in [L4::Udp, L4::Tcp] {
            let ask = [Expr::Family(family), at.clone(), Expr::L4(transport), Expr::DestinationPort(PORT)];
            rules.push(rule("names for outside", ask.into_iter().chain([Expr::Accept])));
        }
    }
    rules
}
