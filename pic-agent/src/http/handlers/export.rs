//! `/api/export`: the whole desired state as data, defaults filled in: all that `cell.toml` says, and over it what it comes to.

use std::collections::BTreeSet;

use pic_model::Desired;
use pic_model::desired::{
    Audience, Dns, DnsBlocklist, DnsForward, DnsRecord, DnsTls, EndpointHost, Inbound, Ipv6Choice, Peer,
    Port, Protocol, ReachTest,
};
use pic_model::exit::WayOut;
use pic_model::lan::Reservation;
use pic_model::limit::Limit;
use pic_model::name::{GroupName, PeerName};
use pic_plan::compile::{Network, ResolvedLan};
use serde_json::{Value, json};

use crate::http::call::{Call, Cell};
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

pub(crate) fn export(call: &Call) -> Outcome {
    let cell = call.cell()?;
    let etag = cell.report.current.etag.clone();
    let mut all = document(&cell);
    // It was read before; only memory that is broken gets here.
    let written = toml_edit::de::from_str(&cell.report.current.text)
        .map_err(|error| Failure::internal(format!("cell.toml in force cannot be read: {error}")))?;
    complete(&mut all, written);
    Ok(Reply::json(&all)?.etag(&etag))
}

/// Puts in what is written and not there. Entries of a list are the same where they have the same name.
fn complete(all: &mut Value, written: Value) {
    match (all, written) {
        (Value::Object(all), Value::Object(written)) => {
            for (key, value) in written {
                match all.get_mut(&key) {
                    Some(there) => complete(there, value),
                    None => drop(all.insert(key, value)),
                }
            }
        }
        (Value::Array(all), Value::Array(written)) => {
            for value in written.into_iter().filter(|value| value["name"].is_string()) {
                let mut same = all.iter_mut().filter(|there| there["name"] == value["name"]);
                // Records of a zone share names; all that they can say is there.
                if let (Some(there), None) = (same.next(), same.next()) {
                    complete(there, value);
                }
            }
        }
        _ => {}
    }
}

fn document(cell: &Cell) -> Value {
    let desired = &cell.desired;
    let network = Network::new(desired, &cell.facts);
    let lans = ResolvedLan::all(desired, &cell.facts);
    json!({
        "version": pic_model::config::VERSION,
        "generation": cell.report.current.generation,
        "cell": {
            "name": desired.cell.name,
            "domain": desired.cell.domain,
            "timezone": desired.cell.timezone,
        },
        "uplink": { "interface": desired.uplink.interface.as_ref().map_or("auto", |name| name.as_str()) },
        "wireguard": wireguard(desired, &network),
        "group": desired.groups.iter().map(|name| group(name, desired)).collect::<Vec<_>>(),
        "peer": desired.peers.iter().map(|(name, peer)| self::peer(name, peer, &network)).collect::<Vec<_>>(),
        "lan": lans.iter().filter(|lan| lan.lan.app.is_none()).map(lan).collect::<Vec<_>>(),
        "reservation": desired.kept_on_lans().map(reservation).collect::<Vec<_>>(),
        "app": lans.iter().filter_map(app).collect::<Vec<_>>(),
        "dns": dns(&desired.dns),
        "time": { "upstreams": desired.time.upstreams, "serve": desired.time.serve },
        "firewall": firewall(desired),
        "test": desired.tests.iter().map(test).collect::<Vec<_>>(),
    })
}

fn group(name: &GroupName, desired: &Desired) -> Value {
    let limits = desired.group_limits.get(name).copied().unwrap_or_default();
    json!({
        "name": name,
        "quota": limits.quota.map(|quota| quota.to_string()),
        "rate": limits.rate.map(|rate| rate.to_string()),
    })
}

fn test(test: &ReachTest) -> Value {
    json!({ "from": test.from.to_string(), "to": test.to.to_string(), "expect": test.expect.as_str() })
}

fn wireguard(desired: &Desired, network: &Network) -> Value {
    let endpoint = desired.wireguard.endpoint.as_ref().map(|endpoint| {
        let host = match &endpoint.host {
            EndpointHost::Name(name) => name.to_string(),
            EndpointHost::Address(address) => address.to_string(),
        };
        json!({ "host": host, "port": endpoint.port.unwrap_or(desired.wireguard.port) })
    });
    let ipv6 = match desired.wireguard.ipv6 {
        Ipv6Choice::Off => None,
        Ipv6Choice::Auto | Ipv6Choice::Net(_) => network.net6,
    };
    json!({
        "port": desired.wireguard.port,
        "ipv4": desired.wireguard.ipv4,
        "ipv6": ipv6,
        "endpoint": endpoint,
        "mtu": desired.wireguard.mtu,
    })
}

fn peer(name: &PeerName, peer: &Peer, network: &Network) -> Value {
    json!({
        "name": name,
        "public_key": peer.public_key,
        "address": peer.address,
        "address6": network.peer6(peer),
        "groups": peer.groups,
        "quota": peer.limits.quota.map(|quota| quota.to_string()),
        "rate": peer.limits.rate.map(|rate| rate.to_string()),
        "allow": peer.allow.iter().map(|allow| allow.as_str()).collect::<Vec<_>>(),
        "expires": peer.expires.and_then(view::time),
        "enabled": peer.enabled,
        "preshared": peer.preshared,
    })
}

fn lan(lan: &ResolvedLan<'_>) -> Value {
    let hex =
        |bytes: &Vec<u8>| format!("hex:{}", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>());
    let dhcp = lan.lan.dhcp.as_ref().map(|dhcp| {
        let pools = dhcp.pools.iter().map(|(first, last)| format!("{first}-{last}"));
        let options = dhcp.options.iter().map(|(code, value)| (code.to_string(), json!(hex(value))));
        json!({
            "pool": pools.collect::<Vec<_>>(),
            "lease": format!("{}s", dhcp.lease),
            "beside_another": dhcp.beside_another,
            "options": options.collect::<serde_json::Map<_, _>>(),
            "next-server": dhcp.next_server,
        })
    });
    json!({
        "name": lan.name,
        "interface": lan.lan.interface,
        "vlan": lan.lan.vlan,
        "ipv4": lan.lan.ipv4,
        "ipv6": lan.net6,
        "allow": lan.lan.allow.iter().map(|allow| allow.as_str()).collect::<Vec<_>>(),
        "dhcp": dhcp,
    })
}

fn app(lan: &ResolvedLan<'_>) -> Option<Value> {
    let app = lan.lan.app?;
    Some(json!({
        "name": lan.name,
        "address": app.address,
        "ipv6": lan.net6,
        "exit": lan.lan.exit.iter().map(WayOut::as_str).collect::<Vec<_>>(),
        "enabled": app.enabled,
    }))
}

fn reservation(kept: &Reservation) -> Value {
    json!({
        "lan": kept.lan,
        "mac": kept.mac,
        "client_id": kept.client_id,
        "duid": kept.duid,
        "address": kept.address,
        "address6": kept.address6,
        "name": kept.name,
        "groups": kept.groups,
    })
}

fn audience(audience: Option<&BTreeSet<Audience>>) -> Value {
    json!(audience.map(|all| all.iter().map(Audience::as_str).collect::<Vec<_>>()))
}

fn blocklist(list: &DnsBlocklist) -> Value {
    json!({
        "name": list.name,
        "source": list.source,
        "for": audience(list.audience.as_ref()),
        "when": list.when,
    })
}

fn dns(dns: &Dns) -> Value {
    let record = |record: &DnsRecord| {
        json!({
            "name": record.name.to_string(),
            "type": record.rtype.as_str(),
            "value": record.data.text,
            "ttl": record.ttl,
            "for": audience(record.audience.as_ref()),
        })
    };
    let forward =
        |forward: &DnsForward| json!({ "zone": forward.zone.to_string(), "upstreams": forward.upstreams });
    json!({
        "upstreams": dns.upstreams,
        "dnssec": dns.dnssec,
        "trust_anchor": dns.trust_anchor,
        "query_log": dns.query_log,
        "outside": dns.outside,
        "tls": dns.tls.as_ref().map(tls),
        "private": dns.private.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "record": dns.records.iter().map(|one| record(one)).collect::<Vec<_>>(),
        "blocklist": dns.blocklists.iter().map(blocklist).collect::<Vec<_>>(),
        "allow": dns.allow.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "forward": dns.forwards.iter().map(forward).collect::<Vec<_>>(),
    })
}

fn tls(tls: &DnsTls) -> Value {
    json!({
        "certificate": tls.certificate,
        "key": tls.key,
        "https": tls.https_port.is_some(),
        "https_port": tls.https_port,
    })
}

fn firewall(desired: &Desired) -> Value {
    let inbound = match desired.firewall.inbound {
        Inbound::Closed => "closed",
        Inbound::Open => "open",
    };
    let port = |port: &Port| match port.protocol {
        Protocol::Tcp => format!("tcp/{}", port.number),
        Protocol::Udp => format!("udp/{}", port.number),
    };
    let limit = |limit: Option<Limit>| limit.map_or_else(|| "off".to_owned(), |limit| limit.to_string());
    json!({
        "inbound": inbound,
        "ssh": desired.firewall.ssh,
        "admin": desired.firewall.admin,
        "open": desired.firewall.open.iter().map(port).collect::<Vec<_>>(),
        "limit": limit(desired.firewall.limit),
        "limit_ssh": limit(desired.firewall.limit_ssh),
    })
}
