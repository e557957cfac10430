//! `[[exit]]`, and who goes out by which.

use std::collections::BTreeMap;

use super::fields;
use super::group::Group;
use super::lan::Placed;
use super::place::Places;
use super::proxy;
use super::reader::Reader;
use super::values::{self, Bad, parsed, quoted};
use crate::desired::{self, Desired, Port};
use crate::exit::proxy::Protocol;
use crate::exit::{self, Exit, Kind, WayOut};
use crate::name::ExitName;
use crate::problem::{Problem, ProblemCode};

/// `kind`, before what belongs to it is read.
enum Written {
    Wireguard,
    Openvpn,
    Tor,
    Cell,
    Proxy(Protocol),
}

/// Every `[[exit]]`, each right by itself.
pub(super) fn exits(root: &mut Reader<'_, '_>) -> Vec<Placed<(ExitName, Exit)>> {
    root.tables("exit", |t, span| {
        let name = t.needed("name", "write name = \"nl\"", |s| parsed(s, "a name"));
        let kind = t.needed("kind", "write kind = \"wireguard\"", |text| match text {
            "wireguard" => Ok(Written::Wireguard),
            "openvpn" => Ok(Written::Openvpn),
            "tor" => Ok(Written::Tor),
            "cell" => Ok(Written::Cell),
            "socks5" => Ok(Written::Proxy(Protocol::Socks5)),
            "http" => Ok(Written::Proxy(Protocol::Http)),
            _ => Err(Bad {
                message: format!("{} is no kind of exit", quoted(text)),
                hint: "write \"wireguard\", \"openvpn\", \"tor\", \"socks5\", \"http\" or \"cell\"",
            }),
        });
        let kind = match kind {
            Some(Written::Tor) => absent(t, &["file", "proxy", "credentials", "dns"]).then_some(Kind::Tor),
            Some(Written::Cell) => {
                let fits = absent(t, &["proxy", "credentials", "dns"]);
                let listen = listen(t);
                file(t).map(|file| Kind::Cell { file, listen }).filter(|_| fits)
            }
            Some(Written::Proxy(protocol)) => {
                let fits = absent(t, &["file"]);
                proxy::proxy(t, protocol).map(Kind::Proxy).filter(|_| fits)
            }
            Some(Written::Openvpn) => {
                let fits = absent(t, &["proxy", "credentials", "dns"]);
                file(t).map(|file| Kind::Openvpn { file }).filter(|_| fits)
            }
            Some(Written::Wireguard) => {
                let fits = absent(t, &["proxy", "credentials", "dns"]);
                file(t).map(|file| Kind::Wireguard { file }).filter(|_| fits)
            }
            // One whose kind is not known has a file more likely than not.
            None => file(t).and(None),
        };
        let fail = t.string("fail");
        let fails_open = t.value(fail, |text| match text {
            "closed" => Ok(false),
            "open" => Ok(true),
            _ => Err(Bad {
                message: format!("{} is no way to fail", quoted(text)),
                hint: "write \"closed\" or \"open\"",
            }),
        });
        let enabled = t.boolean("enabled").is_none_or(|at| at.value);
        let exit = kind.map(|kind| Exit { kind, fails_open: fails_open.unwrap_or(false), enabled });
        Some(Placed { value: (name?, exit?), path: t.path().to_owned(), span })
    })
}

/// `file`, of a kind that has one.
fn file(t: &mut Reader<'_, '_>) -> Option<String> {
    t.needed("file", "run `picctl exit add NAME --file FILE`, which writes it", |text| {
        exit::is_file_name(text).then(|| text.to_owned()).ok_or_else(|| Bad {
            message: format!("{} is not the plain name of a file", quoted(text)),
            hint: "write the name of a file in /var/lib/pic/secrets/exits, as \"nl.conf\"",
        })
    })
}

/// `listen`, of a kind that can be dialled.
fn listen(t: &mut Reader<'_, '_>) -> Option<u16> {
    let at = t.integer("listen")?;
    values::port_number(at.value).map_err(|bad| t.bad(&at, bad)).ok()
}

/// Whether nothing is said that is of other kinds.
fn absent(t: &mut Reader<'_, '_>, fields: &[&str]) -> bool {
    let mut all = true;
    for field in fields {
        if let Some(at) = t.string(field) {
            let message = format!("{field} is nothing that an exit of this kind has");
            t.bad(&at, Bad { message, hint: "leave it out" });
            all = false;
        }
    }
    all
}

/// `exit`, of a peer, a group or a LAN: each right by itself.
pub(super) fn ways(t: &mut Reader<'_, '_>) -> Option<Vec<WayOut>> {
    let list = t.one_or_more("exit")?;
    let mut ways: Vec<WayOut> = Vec::new();
    for at in list {
        let way = match at.value.as_str() {
            "direct" => Some(WayOut::Direct),
            name => match name.parse() {
                Ok(name) => Some(WayOut::Exit(name)),
                Err(_) => {
                    let message = format!("{} is no exit", quoted(name));
                    t.bad(&at, Bad { message, hint: "write the name of an [[exit]], or \"direct\"" });
                    None
                }
            },
        };
        if ways.last() == Some(&WayOut::Direct) {
            let message = "nothing that stands behind \"direct\" is ever used".to_owned();
            t.bad(&at, Bad { message, hint: "write \"direct\" last, or not at all" });
        } else if way.as_ref().is_some_and(|way| ways.contains(way)) {
            let message = format!("{} stands here twice", quoted(&at.value));
            t.bad(&at, Bad { message, hint: "write each exit once" });
        }
        ways.extend(way);
    }
    Some(ways)
}

/// What must hold between exits, and between them and who uses them.
pub(super) fn check(
    exits: &[Placed<(ExitName, Exit)>],
    groups: &[Placed<Group>],
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    let mut numbers: BTreeMap<u32, &ExitName> = BTreeMap::new();
    for at in exits {
        let name = &at.value.0;
        if let Some(other) = numbers.insert(name.number(), name) {
            let message = if other == name {
                format!("two exits are named \"{name}\"")
            } else {
                format!("\"{name}\" and \"{other}\" would get the same mark, which is made from the name")
            };
            let path = format!("{}.name", at.path);
            let hint = "give one of the two another name";
            problems.push(place.problem(&at.span, path, ProblemCode::Duplicate, message, hint));
        }
    }
    if let Some(at) = exits.get(exit::MOST) {
        let message = format!("a cell has {} exits at the most", exit::MOST);
        problems.push(place.problem(
            &at.span,
            at.path.clone(),
            ProblemCode::Exhausted,
            message,
            "remove some",
        ));
    }
    ports(exits, desired, place, problems);
    for at in groups {
        let used = at.value.1.iter().flatten();
        unknown(used, &at.path, &at.span, desired, place, problems);
    }
}

/// Ports at which other cells dial are nobody else's.
fn ports(
    exits: &[Placed<(ExitName, Exit)>],
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    let mut seen: BTreeMap<u16, &ExitName> = BTreeMap::new();
    for at in exits {
        let (name, exit) = &at.value;
        let Some(number) = exit.kind.listen() else { continue };
        let port = Port { protocol: desired::Protocol::Udp, number };
        let whose = match seen.insert(number, name) {
            Some(other) => Some(format!("that of exit {other}")),
            None if number == desired.wireguard.port => Some("the cell's own (wireguard.port)".to_owned()),
            None if desired.firewall.open.contains(&port) => {
                Some("open for the host (firewall.open)".to_owned())
            }
            None if desired.forwards.iter().any(|forward| forward.listen == port) => {
                Some("forwarded ([[forward]])".to_owned())
            }
            None => None,
        };
        if let Some(whose) = whose {
            let message = format!("udp/{number} of exit {name} is {whose}, too");
            let path = format!("{}.listen", at.path);
            let hint = "choose another port, and tell the other cell: `picctl exit offer` there";
            problems.push(place.problem(&at.span, path, ProblemCode::Conflict, message, hint));
        }
    }
}

/// Whether a list of ways leads to another cell.
fn to_cell<'d>(ways: impl Iterator<Item = &'d WayOut>, desired: &Desired) -> Option<&'d ExitName> {
    let mut named = ways.filter_map(|way| match way {
        WayOut::Exit(name) => Some(name),
        WayOut::Direct => None,
    });
    named.find(|name| desired.exits.get(*name).is_some_and(|exit| matches!(exit.kind, Kind::Cell { .. })))
}

/// Refuses names of exits that there are not.
pub(super) fn unknown<'w>(
    ways: impl Iterator<Item = &'w WayOut>,
    path: &str,
    span: &std::ops::Range<usize>,
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    for way in ways {
        let WayOut::Exit(name) = way else { continue };
        if desired.exits.contains_key(name) {
            continue;
        }
        let hint = match fields::near(desired.exits.keys().map(ExitName::as_str), name.as_str()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "make it first: `picctl exit add NAME --file FILE`".to_owned(),
        };
        let message = format!("there is no exit named \"{name}\"");
        problems.push(place.problem(span, format!("{path}.exit"), ProblemCode::BadValue, message, &hint));
    }
}

/// What a peer says of its ways out must fit: exits that there are, and no two groups that disagree.
pub(super) fn peer(
    name: &crate::name::PeerName,
    path: &str,
    span: &std::ops::Range<usize>,
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    let Some(peer) = desired.peers.get(name) else { return };
    unknown(peer.exit.iter().flatten(), path, span, desired, place, problems);
    let of_groups = || peer.groups.iter().filter_map(|group| desired.group_exits.get(group)).flatten();
    let ways: Vec<_> = peer.exit.as_ref().map_or_else(|| of_groups().collect(), |own| own.iter().collect());
    if let Some(exit) = to_cell(ways.into_iter(), desired).filter(|_| peer.offer) {
        let message = format!(
            "{name} is another cell that leaves by this one; sent on by exit {exit}, to another cell again, its packets could go \
             round between cells"
        );
        let hint = format!("write exit = [\"direct\"] for {name}, or an exit of a provider");
        problems.push(place.problem(span, format!("{path}.exit"), ProblemCode::Conflict, message, &hint));
    }
    if peer.exit.is_some() {
        return;
    }
    let mut of_groups = peer.groups.iter().filter_map(|group| Some((group, desired.group_exits.get(group)?)));
    if let Some((first, ways)) = of_groups.next()
        && let Some((second, _)) = of_groups.find(|(_, other)| *other != ways)
    {
        let message = format!("{name} is in groups {first} and {second}, which have different exits");
        let hint =
            format!("write exit = [\"{}\"] for {name} itself", ways.first().map_or("direct", WayOut::as_str));
        problems.push(place.problem(span, format!("{path}.exit"), ProblemCode::Conflict, message, &hint));
    }
}

/// LANs name exits that there are; and a group with a way out has no devices of LANs: such a device has addresses that
/// nobody knows (RFC 8981) and would leave in clear by those.
pub(super) fn lans(
    lans: &[Placed<(crate::name::LanName, crate::lan::Lan)>],
    reservations: &[Placed<crate::lan::Reservation>],
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    for at in lans {
        unknown(at.value.1.exit.iter(), &at.path, &at.span, desired, place, problems);
    }
    for at in reservations {
        let mut groups = at.value.groups.iter();
        if let Some(group) = groups.find(|group| desired.group_exits.contains_key(*group)) {
            let message = format!(
                "group {group} has an exit, and a device of a LAN cannot have one of its own: it would leave by addresses \
                 that the cell does not know"
            );
            let hint = "write the exit for its [[lan]], or connect the device as a peer";
            let path = format!("{}.groups", at.path);
            problems.push(place.problem(&at.span, path, ProblemCode::Conflict, message, hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;
    use crate::exit::Kind;

    const CELL: &str =
        "[cell]\nname = \"home\"\n[[exit]]\nname = \"vps\"\nkind = \"cell\"\nfile = \"vps.conf\"\n";
    const PEER: &str = "[[peer]]\nname = \"asks\"\npublic_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"\noffer = true\n";

    #[test]
    fn another_cell_is_an_exit_and_may_dial() {
        let desired = parse(&format!("{CELL}listen = 51821\n")).unwrap();
        let exit = &desired.exits[&"vps".parse().unwrap()];
        assert_eq!(exit.kind, Kind::Cell { file: "vps.conf".to_owned(), listen: Some(51821) });
        assert_eq!((exit.kind.listen(), exit.kind.as_str()), (Some(51821), "cell"));
        let peer = format!("{CELL}{PEER}endpoint = \"vps.example.org:51821\"\n");
        let peer = &parse(&peer).unwrap().peers[&"asks".parse().unwrap()];
        assert!(peer.offer && peer.endpoint.as_ref().unwrap().port == Some(51821));
    }

    #[test]
    fn ports_and_rounds_are_refused() {
        let refused = |text: String| parse(&text).unwrap_err().to_string();
        assert!(refused(format!("{CELL}listen = 51820\n")).contains("wireguard.port"));
        assert!(refused(format!("{CELL}listen = 0\n")).contains("port"));
        assert!(
            refused(format!("{CELL}listen = 7\n[firewall]\nopen = [\"udp/7\"]\n")).contains("firewall.open")
        );
        let other = "listen = 7\n[[exit]]\nname = \"b\"\nkind = \"cell\"\nfile = \"b.conf\"\nlisten = 7\n";
        assert!(refused(format!("{CELL}{other}")).contains("that of exit vps"));
        let round = refused(format!("{CELL}{PEER}exit = [\"vps\"]\n"));
        assert!(round.contains("could go round between cells") && round.contains("\"direct\""), "{round}");
        let group = "groups = [\"far\"]\n[[group]]\nname = \"far\"\nexit = \"vps\"\n";
        assert!(refused(format!("{CELL}{PEER}{group}")).contains("could go round"));
        assert!(parse(&format!("{CELL}{PEER}exit = [\"direct\"]\n")).is_ok());
        let wireguard = CELL.replace("\"cell\"\nfile", "\"wireguard\"\nfile");
        assert!(parse(&format!("{wireguard}{PEER}exit = [\"vps\"]\n")).is_ok(), "a provider is no cell");
    }
}
