//! `lan.dhcp6`: addresses of v6 that are handed out.

use std::net::{IpAddr, Ipv6Addr};

use crate::config::reader::{At, Reader};
use crate::config::values::{self, Bad, Value, quoted};
use crate::desired::Ipv6Choice;
use crate::lan::Dhcp6;
use crate::time::TimeHost;

/// The lease of a network that does not say one.
const LEASE: u32 = 12 * 3600;
/// The pool of a network that does not say one: apart from what people write by hand, and from what hosts make.
const POOL: (u128, u128) = (0x1000, 0xffff);

/// What a router is given where nothing else is said: four networks.
const DELEGATE: u8 = 62;

pub(super) fn read(lan: &mut Reader<'_, '_>, ipv6: Ipv6Choice) -> Option<Dhcp6> {
    lan.table("dhcp6", |t| {
        if ipv6 == Ipv6Choice::Off {
            t.missing("pool", "ipv6 is \"off\" on this LAN: remove that, or dhcp6");
        }
        let written = t.one_or_more("pool");
        let pools = written.map_or_else(
            || vec![(Ipv6Addr::from_bits(POOL.0), Ipv6Addr::from_bits(POOL.1))],
            |written| {
                let pools = written.into_iter().filter_map(|at| pool(t, at)).collect();
                super::apart(t, pools)
            },
        );
        let lease = t.string("lease");
        let lease = t.value(lease, values::seconds).unwrap_or(LEASE);
        let slaac = t.boolean("slaac").is_none_or(|at| at.value);
        let preference = t.integer("preference").and_then(|at| match u8::try_from(at.value) {
            Ok(preference) => Some(preference),
            Err(_) => {
                let message = format!("{} is not a preference", at.value);
                t.bad(&at, Bad { message, hint: "write a number from 0 to 255" });
                None
            }
        });
        let ntp = t.one_or_more("ntp");
        let ntp = ntp.map(|all| all.into_iter().filter_map(|at| t.value(Some(at), time_server)).collect());
        let delegate = delegate(t);
        Some(Dhcp6 { pools, lease, slaac, preference: preference.unwrap_or(0), ntp, delegate })
    })
}

fn delegate(t: &mut Reader<'_, '_>) -> u8 {
    let Some(at) = t.integer("delegate") else { return DELEGATE };
    match u8::try_from(at.value).ok().filter(|length| *length == 0 || (48..=64).contains(length)) {
        Some(length) => length,
        None => {
            let message = format!("{} is no length of a prefix for a router", at.value);
            t.bad(&at, Bad { message, hint: "write 48 to 64, or 0 to give none" });
            0
        }
    }
}

fn time_server(text: &str) -> Value<TimeHost> {
    let host = text.parse().ok().filter(|host| !matches!(host, TimeHost::Address(IpAddr::V4(_))));
    host.ok_or_else(|| Bad {
        message: format!("{} is no time server for IPv6", quoted(text)),
        hint: "write an IPv6 address or a full name, as \"time.example.org\"",
    })
}

/// What follows the 64 bits of a prefix, written as an address that begins with zeros; not the cell's own `::1`.
pub(super) fn host_part(text: &str) -> Value<Ipv6Addr> {
    let address = text.parse::<Ipv6Addr>().ok().filter(|address| {
        let bits = address.to_bits();
        bits > 1 && bits <= u128::from(u64::MAX)
    });
    address.ok_or_else(|| Bad {
        message: format!("{} is not what follows a prefix", quoted(text)),
        hint: "write it as \"::10\": the device then has it in each prefix of the LAN; \"::1\" is the cell",
    })
}

fn pool(t: &mut Reader<'_, '_>, at: At<String>) -> Option<At<(Ipv6Addr, Ipv6Addr)>> {
    let range = at.value.split_once('-').and_then(|(first, last)| {
        Some((host_part(first.trim()).ok()?, host_part(last.trim()).ok()?))
            .filter(|(first, last)| first <= last)
    });
    match range {
        Some(value) => Some(At { value, span: at.span, path: at.path }),
        None => {
            let message = format!("{} is not a range", quoted(&at.value));
            t.bad(&at, Bad { message, hint: "write what follows the prefix, as \"::1000-::ffff\"" });
            None
        }
    }
}
