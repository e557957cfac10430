//! `[[lan]]`, `[[subnet]]` and `[[reservation]]`: reading them. What must hold between them is in [`check`].

mod boot;
pub(super) mod check;
mod dhcp6;
mod options;
mod subnet;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::ops::Range;

use ipnet::Ipv4Net;

use super::exit;
use super::group;
use super::reader::{At, Reader};
use super::sections::allow;
use super::values::{self, Bad, Value, parsed, quoted};
use crate::desired::{Allow, Ipv6Choice};
use crate::lan::{Dhcp, Lan, Reservation};
use crate::name::{GroupName, InterfaceName, LanName};
pub(super) use subnet::subnets;

/// Something read, with the place it stands at.
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) path: String,
    pub(super) span: Range<usize>,
}

/// The lease of a network that does not say one.
const LEASE: u32 = 12 * 3600;
/// Addresses in the pools of one network: a /12, which nobody's hosts fill.
const MAX_POOL: u32 = 1 << 20;

/// Every `[[lan]]`, each right by itself.
pub(super) fn lans(root: &mut Reader<'_, '_>) -> Vec<Placed<(LanName, Lan)>> {
    root.tables("lan", |t, span| {
        let name = t.needed("name", "write name = \"lan\"", |s| parsed(s, "a name"));
        let interface = t.needed("interface", "write interface = \"eth1\"", interface);
        let vlan = t.integer("vlan").and_then(|at| match u16::try_from(at.value) {
            Ok(id) if (1..=4094).contains(&id) => Some(id),
            _ => {
                let message = format!("{} is not a VLAN's number", at.value);
                t.bad(&at, Bad { message, hint: "write a number from 1 to 4094" });
                None
            }
        });
        let ipv4 = t.needed("ipv4", "write ipv4 = \"192.168.40.1/24\"", own_address);
        let ipv6 = t.string("ipv6");
        let mut ipv6 = t.value(ipv6, values::ipv6_choice).unwrap_or(Ipv6Choice::Auto);
        let mut allow = allow(t).unwrap_or_else(everything);
        let exit = exit::ways(t).unwrap_or_default();
        let dhcp = t.has("dhcp").then(|| t.table("dhcp", |d| dhcp(d, ipv4))).flatten();
        let uplink = t.boolean("uplink").filter(|at| at.value);
        if let Some(at) = &uplink {
            for field in ["vlan", "ipv6", "allow", "exit"] {
                if !t.has(field) {
                    continue;
                }
                let message = format!("the network of the uplink has no {field}: its router decides that");
                t.bad(at, Bad { message, hint: "remove one of the two" });
            }
            (ipv6, allow) = (Ipv6Choice::Off, BTreeSet::new());
        }
        let uplink = uplink.is_some();
        let dhcp6 = t.has("dhcp6").then(|| dhcp6::read(t, ipv6)).flatten();
        let lan = Lan {
            interface: interface?,
            vlan,
            ipv4: ipv4?,
            ipv6,
            allow,
            exit,
            dhcp,
            dhcp6,
            uplink,
            app: None,
        };
        Some(Placed { value: (name?, lan), path: t.path().to_owned(), span })
    })
}

/// Every `[[reservation]]`, each right by itself.
pub(super) fn reservations(
    root: &mut Reader<'_, '_>,
    groups: &BTreeSet<GroupName>,
) -> Vec<Placed<Reservation>> {
    root.tables("reservation", |t, span| {
        let lan = t.needed("lan", "write the name of a [[lan]]", |s| parsed(s, "a name"));
        let mac = t.string("mac");
        let mac = t.value(mac, |s| parsed(s, "a hardware address"));
        let client_id = t.string("client_id");
        let client_id = t.value(client_id, |s| parsed(s, "a client identifier"));
        let address = t.needed("address", "write address = \"192.168.40.10\"", values::ipv4);
        let duid = t.string("duid");
        let duid = t.value(duid, |s| parsed(s, "a DUID"));
        let address6 = t.string("address6");
        let address6 = t.value(address6, dhcp6::host_part);
        let name = t.string("name");
        let name = t.value(name, |s| parsed(s, "a name"));
        if !t.has("mac") && !t.has("client_id") {
            t.missing("mac", "write the device's hardware address, or its client_id");
        }
        let groups = group::members(t, groups);
        let value =
            Reservation { lan: lan?, mac, client_id, duid, address: address?, address6, name, groups };
        Some(Placed { value, path: t.path().to_owned(), span })
    })
}

fn everything() -> BTreeSet<Allow> {
    BTreeSet::from([Allow::Internet, Allow::Cell])
}

fn interface(text: &str) -> Value<InterfaceName> {
    let ours = text.strip_prefix("pic").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    if text == "lo" || ours {
        return Err(Bad {
            message: format!("{} cannot carry a LAN", quoted(text)),
            hint: "write an interface of the host itself; for a VLAN its parent, and vlan = 20 beside it",
        });
    }
    parsed(text, "an interface")
}

/// The cell's own address with the length of the network.
fn own_address(text: &str) -> Value<Ipv4Net> {
    const HINT: &str = "write the cell's own address there with the network's length, as \"192.168.40.1/24\"";
    let bad = |what: &str| Bad { message: format!("{} is not {what}", quoted(text)), hint: HINT };
    let net: Ipv4Net = text.parse().map_err(|_| bad("an address with the length of its network"))?;
    if !(8..=30).contains(&net.prefix_len()) {
        return Err(bad("in a network of /8 to /30"));
    }
    if net.addr() == net.network() || net.addr() == net.broadcast() {
        return Err(bad("the address of a host"));
    }
    let shared = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);
    if !net.addr().is_private() && !shared.contains(&net.addr()) {
        return Err(bad("a private address"));
    }
    Ok(net)
}

fn dhcp(t: &mut Reader<'_, '_>, ipv4: Option<Ipv4Net>) -> Option<Dhcp> {
    if !t.has("pool") {
        t.missing("pool", "write pool = \"192.168.40.100-192.168.40.199\"");
    }
    let pools: Vec<_> = t.one_or_more("pool").unwrap_or_default();
    let pools: Vec<_> = pools.into_iter().filter_map(|at| pool(t, at, ipv4)).collect();
    let pools = apart(t, pools);
    let lease = t.string("lease");
    let lease = t.value(lease, values::seconds).unwrap_or(LEASE);
    let beside_another = t.boolean("beside_another").is_some_and(|at| at.value);
    let boot = boot::read(t);
    let (options, next_server) = t.table("options", options::read);
    (!pools.is_empty()).then_some(Dhcp { pools, lease, options, next_server, boot, beside_another })
}

type Pool = At<(Ipv4Addr, Ipv4Addr)>;

fn pool(t: &mut Reader<'_, '_>, at: At<String>, ipv4: Option<Ipv4Net>) -> Option<Pool> {
    let bad = |what: String| Bad {
        message: format!("{} {what}", quoted(&at.value)),
        hint: "write the first and the last address, as \"192.168.40.100-192.168.40.199\"",
    };
    let range = at.value.split_once('-').and_then(|(first, last)| {
        Some((first.trim().parse::<Ipv4Addr>().ok()?, last.trim().parse::<Ipv4Addr>().ok()?))
    });
    let wrong = match range {
        None => Some(bad("is not a range of addresses".to_owned())),
        Some((first, last)) if first > last => Some(bad("ends before it begins".to_owned())),
        Some((first, last)) if last.to_bits() - first.to_bits() >= MAX_POOL => {
            Some(bad(format!("has more than {MAX_POOL} addresses")))
        }
        Some((first, last)) => ipv4.and_then(|net| {
            let inside = first > net.network() && last < net.broadcast() && net.contains(&first);
            if !inside {
                Some(bad(format!("is not inside {}", net.trunc())))
            } else if (first..=last).contains(&net.addr()) {
                Some(bad(format!("contains {}, the cell's own address", net.addr())))
            } else {
                None
            }
        }),
    };
    match (wrong, range) {
        (None, Some(value)) => Some(At { value, span: at.span, path: at.path }),
        (Some(wrong), _) => {
            t.bad(&at, wrong);
            None
        }
        (None, None) => None,
    }
}

/// The ranges in order, those that overlap another one refused.
fn apart<A: Copy + Ord + Display>(t: &mut Reader<'_, '_>, mut pools: Vec<At<(A, A)>>) -> Vec<(A, A)> {
    pools.sort_by_key(|at| at.value);
    let mut out: Vec<(A, A)> = Vec::new();
    for at in pools {
        match out.last() {
            Some((first, last)) if at.value.0 <= *last => {
                let message = format!("this pool overlaps {first}-{last}");
                t.bad(&at, Bad { message, hint: "write each address into one pool only" });
            }
            _ => out.push(at.value),
        }
    }
    out
}
