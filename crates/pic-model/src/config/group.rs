//! `[[group]]`, and who says to be in one.

use std::collections::BTreeSet;

use super::exit;
use super::fields;
use super::lan::Placed;
use super::place::Places;
use super::reader::Reader;
use super::values::{parsed, quoted};
use crate::desired::Desired;
use crate::exit::WayOut;
use crate::name::GroupName;
use crate::problem::{Problem, ProblemCode};

/// A group and its way out, if it has one.
pub(super) type Group = (GroupName, Option<Vec<WayOut>>);

/// Every `[[group]]`, each right by itself.
pub(super) fn groups(root: &mut Reader<'_, '_>) -> Vec<Placed<Group>> {
    root.tables("group", |t, span| {
        let name = t.needed("name", "write name = \"kids\"", |s| parsed(s, "a name"));
        let exit = exit::ways(t);
        Some(Placed { value: (name?, exit), path: t.path().to_owned(), span })
    })
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
