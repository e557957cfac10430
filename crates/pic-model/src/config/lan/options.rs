//! `lan.dhcp.options`: from words to bytes on the wire.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::config::reader::{At, Reader};
use crate::config::values::{self, Bad, Value, quoted};
use crate::dhcp_option as option;
use crate::lan::bytes_from_hex;
use crate::name::DomainName;

/// Longest option: what fits a packet of 1500 bytes beside the others.
const MAX: usize = 1024;
/// Options that the server itself must decide.
const OWN: [u8; 11] = [0, 1, 50, 51, 52, 53, 54, 55, 57, 61, 82];

type Options = BTreeMap<u8, Vec<u8>>;

pub(super) fn read(t: &mut Reader<'_, '_>) -> (Options, Option<Ipv4Addr>) {
    let mut out = Options::new();
    for (key, code) in [("router", option::ROUTER), ("dns", option::DNS), ("ntp", option::NTP)] {
        if let Some(list) = t.one_or_more(key) {
            out.insert(code, each(t, list, values::ipv4).iter().flat_map(Ipv4Addr::octets).collect());
        }
    }
    for (key, code) in [("tftp-server", option::TFTP_SERVER), ("boot-file", option::BOOT_FILE)]
        .into_iter()
        .chain([("captive-portal", option::CAPTIVE_PORTAL), ("vendor-class", option::VENDOR_CLASS)])
    {
        let at = t.string(key);
        out.extend(t.value(at, text).map(|bytes| (code, bytes)));
    }
    let domain = t.string("domain");
    out.extend(t.value(domain, domain_text).map(|bytes| (option::DOMAIN, bytes)));
    if let Some(list) = t.one_or_more("search") {
        let names = each(t, list, |s| values::parsed::<DomainName>(s, "a domain"));
        out.insert(option::SEARCH, names.iter().flat_map(|name| option::wire_name(name.as_str())).collect());
    }
    if let Some(list) = t.one_or_more("routes") {
        out.insert(option::CLASSLESS_ROUTES, each(t, list, route).concat());
    }
    let vendor = t.string("vendor");
    out.extend(t.value(vendor, hexadecimal).map(|bytes| (option::VENDOR, bytes)));
    if let Some(at) = t.integer("mtu") {
        match u16::try_from(at.value) {
            Ok(mtu) if mtu >= 68 => drop(out.insert(option::MTU, mtu.to_be_bytes().to_vec())),
            _ => {
                let message = format!("{} is not a size of 68 to 65535 bytes", at.value);
                t.bad(&at, Bad { message, hint: "write mtu = 1500, or leave it out" });
            }
        }
    }
    numbered(t, &mut out);
    let next_server = t.string("next-server");
    let next_server = t.value(next_server, values::ipv4);
    (out, next_server)
}

fn each<T>(t: &mut Reader<'_, '_>, list: Vec<At<String>>, read: fn(&str) -> Value<T>) -> Vec<T> {
    list.into_iter().filter_map(|at| t.value(Some(at), read)).collect()
}

/// `224 = "text:…"`: any option by its number.
fn numbered(t: &mut Reader<'_, '_>, out: &mut Options) {
    for (key, at) in t.numbered() {
        let code = u8::try_from(key).ok().filter(|code| *code != 255 && !OWN.contains(code));
        let Some(code) = code else {
            let message = format!("option {key} is not one to set");
            t.bad(&at, Bad { message, hint: "write a number from 2 to 254 that is not the server's own" });
            continue;
        };
        match out.entry(code) {
            Entry::Occupied(_) => {
                let message = format!("option {code} is set twice");
                t.bad(&at, Bad { message, hint: "set it by its name or by its number" });
            }
            Entry::Vacant(place) => drop(t.value(Some(at), raw).map(|bytes| place.insert(bytes))),
        }
    }
}

fn raw(value: &str) -> Value<Vec<u8>> {
    let error = || Bad {
        message: format!("{} is no value of an option", quoted(value)),
        hint: "write \"text:…\", \"hex:01:02\", \"ip:192.168.40.5,192.168.40.6\", \"u8:1\", \"u16:1\" or \"u32:1\"",
    };
    let (kind, rest) = value.split_once(':').ok_or_else(error)?;
    let bytes = match kind {
        "text" => Some(rest.as_bytes().to_vec()),
        "hex" => bytes_from_hex(rest),
        "ip" => rest
            .split(',')
            .map(|ip| ip.trim().parse::<Ipv4Addr>().ok().map(|ip| ip.octets()))
            .collect::<Option<Vec<_>>>()
            .map(|ips| ips.concat()),
        "u8" => rest.parse::<u8>().ok().map(|n| vec![n]),
        "u16" => rest.parse::<u16>().ok().map(|n| n.to_be_bytes().to_vec()),
        "u32" => rest.parse::<u32>().ok().map(|n| n.to_be_bytes().to_vec()),
        _ => None,
    };
    bytes.filter(|bytes| bytes.len() <= MAX).ok_or_else(error)
}

fn text(value: &str) -> Value<Vec<u8>> {
    let is_plain = value.len() <= 255 && !value.chars().any(char::is_control);
    is_plain.then(|| value.as_bytes().to_vec()).ok_or_else(|| Bad {
        message: format!("{} cannot be sent", quoted(value)),
        hint: "write at most 255 characters without control characters",
    })
}

fn domain_text(value: &str) -> Value<Vec<u8>> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    values::parsed::<DomainName>(value, "a domain").map(|name| name.as_str().as_bytes().to_vec())
}

fn hexadecimal(value: &str) -> Value<Vec<u8>> {
    bytes_from_hex(value).filter(|bytes| bytes.len() <= MAX).ok_or_else(|| Bad {
        message: format!("{} is not bytes", quoted(value)),
        hint: "write two hexadecimal digits for each, as \"01:04:c0:a8:28:05\"",
    })
}

/// `10.0.0.0/8 via 192.168.40.2`
fn route(value: &str) -> Value<Vec<u8>> {
    let read = value.split_once(" via ").and_then(|(net, via)| {
        Some((net.trim().parse::<Ipv4Net>().ok()?, via.trim().parse::<Ipv4Addr>().ok()?))
    });
    read.map(|(net, via)| option::classless_route(net, via)).ok_or_else(|| Bad {
        message: format!("{} is not a route", quoted(value)),
        hint: "write \"10.0.0.0/8 via 192.168.40.2\"",
    })
}
