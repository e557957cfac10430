//! `[[group]]`, and who says to be in one.

use std::collections::BTreeSet;

use super::exit;
use super::fields;
use super::lan::Placed;
use super::place::Places;
use super::reader::Reader;
use super::values::{parsed, quoted};
use crate::desired::{Desired, UseLimits};
use crate::exit::WayOut;
use crate::name::{GroupName, PeerName};
use crate::problem::{Problem, ProblemCode};

/// A group, its way out, if it has one, and what its members may use.
pub(super) type Group = (GroupName, Option<Vec<WayOut>>, UseLimits);

/// Every `[[group]]`, each right by itself.
pub(super) fn groups(root: &mut Reader<'_, '_>) -> Vec<Placed<Group>> {
    root.tables("group", |t, span| {
        let name = t.needed("name", "write name = \"kids\"", |s| parsed(s, "a name"));
        let exit = exit::ways(t);
        let limits = limits(t);
        Some(Placed { value: (name?, exit, limits), path: t.path().to_owned(), span })
    })
}

/// `quota` and `rate`, of a peer or a group.
pub(super) fn limits(t: &mut Reader<'_, '_>) -> UseLimits {
    let quota = t.string("quota");
    let quota = t.value(quota, |s| parsed(s, "a quota"));
    let rate = t.string("rate");
    let rate = t.value(rate, |s| parsed(s, "a rate"));
    UseLimits { quota, rate }
}

/// A peer without limits of its own must not be in two groups that have different ones.
pub(super) fn peer(
    name: &PeerName,
    path: &str,
    span: &std::ops::Range<usize>,
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    let Some(peer) = desired.peers.get(name) else { return };
    let text = |limits: &UseLimits, field| match field {
        "quota" => limits.quota.map(|quota| quota.to_string()),
        _ => limits.rate.map(|rate| rate.to_string()),
    };
    for field in ["quota", "rate"].into_iter().filter(|field| text(&peer.limits, field).is_none()) {
        let said = |group| Some((group, text(desired.group_limits.get(group)?, field)?));
        let mut of_groups = peer.groups.iter().filter_map(said);
        let Some((first, one)) = of_groups.next() else { continue };
        if let Some((second, _)) = of_groups.find(|(_, other)| *other != one) {
            let message =
                format!("{name} is in groups {first} and {second}, which have another {field} each");
            let hint = format!("write {field} = \"{one}\" for {name} itself");
            problems.push(place.problem(
                span,
                format!("{path}.{field}"),
                ProblemCode::Conflict,
                message,
                &hint,
            ));
        }
    }
}

/// `groups` of a peer or a reservation: names of groups that there are.
pub(super) fn members(t: &mut Reader<'_, '_>, known: &BTreeSet<GroupName>) -> BTreeSet<GroupName> {
    let mut members = BTreeSet::new();
    for at in t.strings("groups").unwrap_or_default() {
        match known.iter().find(|group| group.as_str() == at.value) {
            Some(group) => drop(members.insert(group.clone())),
            None => {
                let hint = match fields::near(known.iter().map(GroupName::as_str), &at.value) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "write [[group]] and its name first, or `picctl group add NAME`".to_owned(),
                };
                let message = format!("there is no group named {}", quoted(&at.value));
                t.refuse(&at.span, at.path, ProblemCode::BadValue, message, &hint);
            }
        }
    }
    members
}

/// Refuses names that stand for something else already.
pub(super) fn check(
    groups: &[Placed<Group>],
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    let mut seen = BTreeSet::new();
    for at in groups {
        let name = &at.value.0;
        let peer = desired.peers.keys().any(|peer| peer.as_str() == name.as_str()).then_some("a peer");
        let lan = desired.lans.keys().chain(desired.subnets.keys()).any(|lan| lan.as_str() == name.as_str());
        let lan = lan.then_some("a LAN or subnet");
        let again = (!seen.insert(name)).then_some("another group");
        if let Some(other) = peer.or(lan).or(again) {
            let message = format!("\"{name}\" is the name of {other}, too");
            let path = format!("{}.name", at.path);
            let hint = "give one of the two another name";
            problems.push(place.problem(&at.span, path, ProblemCode::Duplicate, message, hint));
        }
    }
}
