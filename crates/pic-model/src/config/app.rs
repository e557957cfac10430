//! `[apps]` and `[[app]]`: programs of this host, each at the end of a cable of its own.
//!
//! To everything behind the file an app is a network of two hosts, the cell and the app, with a kept address in it: so what
//! holds for LANs holds for apps. Which four addresses it has and which interface follows from its name alone, so that no
//! other app that comes or goes gives it others.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::exit;
use super::lan::Placed;
use super::reader::Reader;
use super::values::{self, Bad, Value, parsed, quoted};
use crate::address;
use crate::desired::Ipv6Choice;
use crate::lan::{APP_HOST6, App, Lan, Reservation};
use crate::name::{GroupName, HostName, InterfaceName, LanName};

/// Where nothing else is said. Beside the peers' own.
const NETWORK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 79, 0, 0), 16);
/// Addresses of one app: its network, the cell, itself, broadcast.
const EACH: u32 = 4;
/// Interfaces of apps are `pic` and this with the place in the network added: above those of VLANs and exits.
const INTERFACES: u32 = 6000;

/// An app's network, and its address there.
type Both = (Placed<(LanName, Lan)>, Placed<Reservation>);

/// Every `[[app]]`, each right by itself.
pub(super) fn apps(root: &mut Reader<'_, '_>) -> Vec<Both> {
    let all = root.table("apps", |t| {
        let ipv4 = t.string("ipv4");
        t.value(ipv4, network).unwrap_or(NETWORK)
    });
    root.tables("app", |t, span| {
        let name = t.needed("name", "write name = \"torrent\"", name);
        let address = t.string("address");
        let address = t.value(address, |text| own_address(text, all));
        let ipv6 = t.string("ipv6");
        let ipv6 = t.value(ipv6, values::ipv6_choice).unwrap_or(Ipv6Choice::Auto);
        let exit = exit::ways(t).unwrap_or_default();
        let enabled = t.boolean("enabled").is_none_or(|at| at.value);
        let (lan, host) = name?;
        let slot = address.map_or_else(|| slot(lan.as_str(), all), |address| slot_of(address, all));
        let first = all.network().to_bits() + slot * EACH;
        let [cell, address] = [first + 1, first + 2].map(Ipv4Addr::from_bits);
        let kept = Reservation {
            lan: lan.clone(),
            mac: None,
            client_id: None,
            duid: None,
            address,
            address6: (ipv6 != Ipv6Choice::Off).then_some(APP_HOST6),
            name: Some(host),
            groups: BTreeSet::new(),
        };
        let network = Lan {
            interface: interface(slot)?,
            vlan: None,
            ipv4: Ipv4Net::new(cell, 30).ok()?,
            ipv6,
            allow: BTreeSet::new(),
            exit,
            dhcp: None,
            dhcp6: None,
            uplink: false,
            app: Some(App { address, enabled }),
        };
        let path = t.path().to_owned();
        let network = Placed { value: (lan, network), path: path.clone(), span: span.clone() };
        Some((network, Placed { value: kept, path, span }))
    })
}

/// No word of the file's, and one that a host may have.
fn name(text: &str) -> Value<(LanName, HostName)> {
    parsed::<GroupName>(text, "a name")?;
    Ok((parsed(text, "a name")?, parsed(text, "a name")?))
}

fn network(text: &str) -> Value<Ipv4Net> {
    let bad = || Bad {
        message: format!("{} is not a private network of /16 to /28", quoted(text)),
        hint: "write its first address and its length, as \"10.79.0.0/16\"",
    };
    let net: Ipv4Net = text.parse().map_err(|_| bad())?;
    let is_right = (16..=28).contains(&net.prefix_len()) && net.addr() == net.network();
    if is_right && net.addr().is_private() { Ok(net) } else { Err(bad()) }
}

fn own_address(text: &str, all: Ipv4Net) -> Value<Ipv4Addr> {
    let address = values::ipv4(text)?;
    let place = address.to_bits().wrapping_sub(all.network().to_bits());
    if all.contains(&address) && place % EACH == 2 {
        return Ok(address);
    }
    Err(Bad {
        message: format!("{address} is not the second host of four addresses of {all}"),
        hint: "write one such as 10.79.0.2, 10.79.0.6 or 10.79.0.10, inside apps.ipv4",
    })
}

/// Which four addresses an app of this name has.
fn slot(name: &str, all: Ipv4Net) -> u32 {
    let slots = (1_u32 << (32 - u32::from(all.prefix_len()))) / EACH;
    u32::from(address::subnet_id(name)) % slots
}

fn slot_of(address: Ipv4Addr, all: Ipv4Net) -> u32 {
    address.to_bits().wrapping_sub(all.network().to_bits()) / EACH
}

fn interface(slot: u32) -> Option<InterfaceName> {
    format!("pic{}", INTERFACES + slot).parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::config::parse;
    use crate::desired::{Desired, Subject};
    use crate::lan::Lan;

    const CELL: &str = "[cell]\nname = \"home\"\n";

    fn cell(more: &str) -> Desired {
        parse(&format!("{CELL}{more}")).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn refused(more: &str) -> String {
        parse(&format!("{CELL}{more}")).unwrap_err().to_string()
    }

    fn app<'d>(desired: &'d Desired, name: &str) -> &'d Lan {
        &desired.lans[&name.parse().unwrap()]
    }

    #[test]
    fn an_app_has_a_network_of_its_own_that_no_other_one_moves() {
        let alone = cell("[[app]]\nname = \"torrent\"\n");
        let both = cell("[[app]]\nname = \"files\"\nenabled = false\n[[app]]\nname = \"torrent\"\n");
        assert_eq!(app(&alone, "torrent"), app(&both, "torrent"));
        let torrent = app(&alone, "torrent");
        let own = torrent.app.unwrap();
        assert!(own.enabled && !app(&both, "files").app.unwrap().enabled);
        assert!(torrent.is_host(own.address) && torrent.ipv4.prefix_len() == 30 && torrent.allow.is_empty());
        assert!(torrent.ipv4.to_string().starts_with("10.79."), "{}", torrent.ipv4);
        let number: u32 = torrent.device().strip_prefix("pic").unwrap().parse().unwrap();
        assert!((6000..6000 + 16384).contains(&number));
        let kept = &alone.reservations[0];
        assert_eq!((kept.address, kept.name.as_ref().unwrap().as_str()), (own.address, "torrent"));
        assert!(matches!(alone.subject("torrent"), Some(Subject::Lan(_))));
    }

    #[test]
    fn addresses_are_chosen_where_the_owner_does_not() {
        let text = "[apps]\nipv4 = \"10.5.0.0/24\"\n[[app]]\nname = \"a\"\naddress = \"10.5.0.10\"\n";
        let one = app(&cell(text), "a").clone();
        assert_eq!((one.ipv4.to_string(), one.device()), ("10.5.0.9/30".to_owned(), "pic6002".to_owned()));
        for bad in ["10.5.0.9", "10.5.0.11", "10.6.0.10", "x"] {
            assert!(!refused(&text.replace("10.5.0.10", bad)).is_empty(), "{bad}");
        }
        let again = format!("{text}[[app]]\nname = \"b\"\naddress = \"10.5.0.10\"\n");
        assert!(refused(&again).contains("overlaps 10.5.0.8/30 of app a"), "{}", refused(&again));
        assert!(refused("[apps]\nipv4 = \"10.77.4.0/24\"\n[[app]]\nname = \"a\"\n").contains("of wireguard"));
        assert!(refused("[apps]\nipv4 = \"8.8.8.0/24\"\n").contains("private"));
    }

    #[test]
    fn names_and_exits_are_those_that_there_may_be() {
        for bad in ["internet", "peers", "ns", "A", "a.b"] {
            assert!(!refused(&format!("[[app]]\nname = \"{bad}\"\n")).is_empty(), "{bad}");
        }
        let lan = "[[lan]]\nname = \"a\"\ninterface = \"eth1\"\nipv4 = \"192.168.40.1/24\"\n";
        assert!(refused(&format!("{lan}[[app]]\nname = \"a\"\n")).contains("another LAN or app"));
        let kept = "[[reservation]]\nlan = \"l\"\nmac = \"00:11:22:33:44:55\"\naddress = \"192.168.40.9\"\nname = \"a\"\n";
        let lan = lan.replace("\"a\"", "\"l\"");
        assert!(refused(&format!("{lan}{kept}[[app]]\nname = \"a\"\n")).contains("same name"));
        assert!(refused("[[app]]\nname = \"a\"\nexit = [\"nl\"]\n").contains("no exit named \"nl\""));
        let grant = "[[grant]]\nfrom = [\"a\"]\nto = [\"internet\"]\n[[test]]\nfrom = \"a\"\nto = \"internet:443\"\nexpect = \"allowed\"\n";
        cell(&format!("[[app]]\nname = \"a\"\n{grant}"));
        assert!(refused(grant).contains("\"a\""));
    }
}
