//! `[[exit]]`, and who goes out by which.

use std::collections::BTreeMap;

use super::fields;
use super::group::Group;
use super::lan::Placed;
use super::place::Places;
use super::reader::Reader;
use super::values::{Bad, parsed, quoted};
use crate::desired::Desired;
use crate::exit::{self, Exit, Kind, WayOut};
use crate::name::ExitName;
use crate::problem::{Problem, ProblemCode};

/// Every `[[exit]]`, each right by itself.
pub(super) fn exits(root: &mut Reader<'_, '_>) -> Vec<Placed<(ExitName, Exit)>> {
    root.tables("exit", |t, span| {
        let name = t.needed("name", "write name = \"nl\"", |s| parsed(s, "a name"));
        let kind = t.needed("kind", "write kind = \"wireguard\"", |text| match text {
            "wireguard" => Ok(false),
            "tor" => Ok(true),
            _ => Err(Bad {
                message: format!("{} is no kind of exit", quoted(text)),
                hint: "write \"wireguard\" or \"tor\"",
            }),
        });
        let kind = match kind {
            Some(true) => tor(t).then_some(Kind::Tor),
            // One whose kind is not known has a file more likely than not.
            Some(false) => file(t).map(|file| Kind::Wireguard { file }),
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

/// Whether there is no `file` where the Tor network is the way out: there is nothing to say there.
fn tor(t: &mut Reader<'_, '_>) -> bool {
    let Some(at) = t.string("file") else { return true };
    let message = "the Tor network is found without a file".to_owned();
    t.bad(&at, Bad { message, hint: "leave it out" });
    false
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
    for at in groups {
        let used = at.value.1.iter().flatten();
        unknown(used, &at.path, &at.span, desired, place, problems);
    }
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
