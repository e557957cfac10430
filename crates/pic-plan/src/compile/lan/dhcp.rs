//! What the DHCP service hands out and advertises.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::Ipv4Net;
use pic_model::desired::{Allow, Ipv6Choice, UplinkPrefix};
use pic_model::dhcp_option as option;
use pic_model::lan::{Dhcp, Dhcp6, Reservation, Subnet};
use pic_model::policy::{Grant, Subject, Target, Where};
use pic_model::snapshot::dhcp::{
    Dhcp6Lan, DhcpLan, DhcpSnapshot, Ipv6Lan, LanSnapshot, ReservationSnapshot, UplinkSnapshot, VERSION, Wire,
};
use pic_model::time::TimeHost;
use pic_model::{Desired, address};

use super::{Resolved, delegated};
use crate::compile::time::is_served;
use crate::facts::Facts;
use crate::marks;
use crate::target::file::File;

/// The service's snapshot; none where it has nothing to do.
pub(in crate::compile) fn file(
    desired: &Desired,
    facts: &Facts,
    lans: &[Resolved<'_>],
) -> Option<(String, File)> {
    let mut all = Vec::new();
    for lan in lans.iter().filter(|lan| lan.lan.app.is_none()) {
        all.push(snapshot(desired, facts, lan));
        all.extend(lan.subnets.iter().map(|(name, subnet)| behind(desired, facts, lan, name, subnet)));
    }
    if all.iter().all(|lan| lan.dhcp.is_none() && lan.ipv6.is_none()) {
        return None;
    }
    let duid = address::duid(&facts.private_key.public());
    // A map with plain data always serialises; an empty file would be refused by the service.
    let content = serde_json::to_vec(&DhcpSnapshot {
        version: VERSION,
        duid: Some(Wire(duid.to_vec())),
        uplink: uplink(desired, facts),
        lans: all,
    })
    .unwrap_or_default();
    Some((marks::FILE_DHCP.to_owned(), File { content, mode: 0o644 }))
}

fn snapshot(desired: &Desired, facts: &Facts, lan: &Resolved<'_>) -> LanSnapshot {
    let zone = desired.cell.name.zone();
    // In the uplink's own network the time is the router's affair.
    let with_time = is_served(desired, facts) && !lan.lan.uplink;
    // A default route that leads nowhere would make every connection wait.
    let has_more = lan.more6.iter().any(|more| more.current);
    let leads_out =
        facts.uplink.as_ref().is_some_and(|uplink| uplink.routes6 && (uplink.ipv6.is_some() || has_more));
    LanSnapshot {
        name: lan.name.to_owned(),
        interface: lan.device.clone(),
        address: lan.lan.ipv4,
        behind: None,
        dhcp: lan.lan.dhcp.as_ref().map(|dhcp| served(dhcp, lan.lan.ipv4, lan.lan.ipv4, &zone, with_time)),
        reservations: reservations(desired, lan.name),
        ipv6: lan.net6.map(|prefix| Ipv6Lan {
            prefix,
            router: leads_out && may(desired, lan, Allow::Internet),
            dns: vec![address::cell_v6(prefix)],
            search: vec![zone.clone()],
            routed: lan.more6.iter().filter(|more| more.lasting).map(|more| more.net).collect(),
            delegated: lan.more6.iter().filter(|more| !more.lasting).map(|more| more.net).collect(),
            // Other networks of the cell, also where it leads nowhere else.
            routes: may(desired, lan, Allow::Cell)
                .then(|| address::ula_site(&facts.private_key.public()))
                .into_iter()
                .collect(),
            mtu: mtu(lan.lan.dhcp.as_ref()),
            ntp: time_servers(lan.lan.dhcp6.as_ref(), address::cell_v6(prefix), with_time),
            captive_portal: captive_portal(lan.lan.dhcp.as_ref()),
            dhcp6: lan.lan.dhcp6.as_ref().map(|dhcp6| Dhcp6Lan {
                pools: dhcp6.pools.clone(),
                lease: dhcp6.lease,
                slaac: dhcp6.slaac,
                preference: dhcp6.preference,
                delegate: delegated::parts(lan),
            }),
        }),
    }
}

/// Whether any of a LAN's hosts may ever reach the internet, or the cell's own networks: a schedule is no reason to take
/// a router away and give it back.
fn may(desired: &Desired, lan: &Resolved<'_>, what: Allow) -> bool {
    let is_here = |kept: &Reservation, name: &str| {
        kept.lan.as_str() == lan.name
            && (kept.name.as_ref().is_some_and(|own| own.as_str() == name)
                || kept.groups.iter().any(|group| group.as_str() == name))
    };
    let is_meant = |subject: &Subject| match subject {
        Subject::Peers => false,
        Subject::Named(name) => {
            name.as_str() == lan.name || desired.reservations.iter().any(|kept| is_here(kept, name.as_str()))
        }
    };
    let leads = |target: &Target| (target.to == Where::Internet) == (what == Allow::Internet);
    let granted = |grant: &Arc<Grant>| grant.from.iter().any(is_meant) && grant.to.iter().any(leads);
    lan.lan.allow.contains(&what) || desired.grants.iter().any(granted)
}

fn behind(desired: &Desired, facts: &Facts, lan: &Resolved<'_>, name: &str, subnet: &Subnet) -> LanSnapshot {
    let zone = desired.cell.name.zone();
    LanSnapshot {
        name: name.to_owned(),
        interface: lan.device.clone(),
        address: lan.lan.ipv4,
        behind: Some(subnet.ipv4),
        dhcp: subnet
            .dhcp
            .as_ref()
            .map(|dhcp| served(dhcp, lan.lan.ipv4, subnet.ipv4, &zone, is_served(desired, facts))),
        reservations: reservations(desired, name),
        ipv6: None,
    }
}

fn served(dhcp: &Dhcp, own: Ipv4Net, network: Ipv4Net, zone: &str, time: bool) -> DhcpLan {
    DhcpLan {
        pools: dhcp.pools.clone(),
        lease: dhcp.lease,
        options: options(dhcp, own, network, zone, time),
        next_server: dhcp.next_server,
        boot: dhcp.boot.clone(),
        beside_another: dhcp.beside_another,
    }
}

fn reservations(desired: &Desired, lan: &str) -> Vec<ReservationSnapshot> {
    let kept = desired.reservations.iter().filter(|kept| kept.lan.as_str() == lan);
    let one = |kept: &Reservation| ReservationSnapshot {
        mac: kept.mac,
        client_id: kept.client_id.clone(),
        duid: kept.duid.as_ref().map(|duid| Wire(duid.as_bytes().to_vec())),
        address: kept.address,
        address6: kept.address6,
        name: kept.name.as_ref().map(ToString::to_string),
    };
    kept.map(one).collect()
}

/// Where a prefix is asked for: by the uplink, if a LAN wants one.
fn uplink(desired: &Desired, facts: &Facts) -> Option<UplinkSnapshot> {
    let beside_another = match desired.uplink.prefix {
        UplinkPrefix::Auto => false,
        UplinkPrefix::Ask => true,
        UplinkPrefix::Off | UplinkPrefix::Net(_) => return None,
    };
    let is_wanted = desired.lans.values().any(|lan| lan.ipv6 == Ipv6Choice::Auto && lan.app.is_none());
    let found = || facts.uplink.as_ref().map(|uplink| &uplink.interface);
    let interface = desired.uplink.interface.as_ref().or_else(found).filter(|_| is_wanted)?;
    Some(UplinkSnapshot { interface: interface.to_string(), beside_another })
}

/// What hosts are told by DHCPv4 about their packets' size, if v6 can have it, too (RFC 8200 section 5).
fn mtu(dhcp: Option<&Dhcp>) -> Option<u32> {
    let bytes = dhcp?.options.get(&option::MTU)?.first_chunk::<2>()?;
    Some(u32::from(u16::from_be_bytes(*bytes))).filter(|mtu| *mtu >= 1280)
}

/// What hosts are told of time servers by DHCPv6: what the file says, else the cell where it serves the time.
fn time_servers(dhcp6: Option<&Dhcp6>, own: Ipv6Addr, with_time: bool) -> Vec<TimeHost> {
    let written = dhcp6.and_then(|dhcp6| dhcp6.ntp.clone());
    let cell = || with_time.then_some(TimeHost::Address(own.into())).into_iter().collect();
    written.unwrap_or_else(cell)
}

/// The portal that hosts are told of by DHCPv4; there is one for both families.
fn captive_portal(dhcp: Option<&Dhcp>) -> Option<String> {
    let uri = dhcp?.options.get(&option::CAPTIVE_PORTAL)?;
    String::from_utf8(uri.clone()).ok().filter(|uri| !uri.is_empty())
}

/// What the file says over what the cell would say by itself. An option written empty is not sent.
fn options(dhcp: &Dhcp, own: Ipv4Net, network: Ipv4Net, zone: &str, time: bool) -> BTreeMap<u8, Wire> {
    let cell = own.addr().octets().to_vec();
    let mut all = BTreeMap::from([
        (option::MASK, network.netmask().octets().to_vec()),
        (option::BROADCAST, network.broadcast().octets().to_vec()),
        (option::ROUTER, cell.clone()),
        (option::DNS, cell.clone()),
        (option::NTP, if time { cell } else { Vec::new() }),
        (option::DOMAIN, zone.as_bytes().to_vec()),
        (option::SEARCH, option::wire_name(zone)),
    ]);
    all.extend(dhcp.options.iter().map(|(code, value)| (*code, value.clone())));
    let router = all.get(&option::ROUTER).and_then(|all| all.first_chunk::<4>().copied());
    if let (Some(routes), Some(router)) = (all.get_mut(&option::CLASSLESS_ROUTES), router) {
        // RFC 3442: a client that takes these routes ignores the router option. A default route has length 0.
        let default = option::classless_route(Ipv4Net::default(), router.into());
        if !routes.is_empty() && !has_default(routes) {
            routes.extend(default);
        }
    }
    all.retain(|_, value| !value.is_empty());
    all.into_iter().map(|(code, value)| (code, Wire(value))).collect()
}

fn has_default(routes: &[u8]) -> bool {
    let mut rest = routes;
    while let Some(length) = rest.first() {
        if *length == 0 {
            return true;
        }
        rest = rest.get(1 + usize::from(length.div_ceil(8)) + 4..).unwrap_or_default();
    }
    false
}

/// The cell's addresses at which a LAN's hosts ask for names.
pub(in crate::compile) fn resolvers(lans: &[Resolved<'_>]) -> impl Iterator<Item = IpAddr> {
    lans.iter().flat_map(|lan| lan.cell_addresses().map(|net| net.addr()).collect::<Vec<_>>())
}
