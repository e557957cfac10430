//! `[[egress]]`: exits by destination.

use std::collections::BTreeSet;

use super::exit;
use super::lan::Placed;
use super::place::Places;
use super::reader::Reader;
use super::values::{Bad, Value, quoted};
use crate::desired::{Desired, Subject as Known};
use crate::egress::{self, Egress, To, ToError};
use crate::policy::Subject;
use crate::problem::{Problem, ProblemCode};

/// Every `[[egress]]`, each right by itself.
pub(super) fn read(root: &mut Reader<'_, '_>) -> Vec<Placed<Egress>> {
    root.tables("egress", |t, span| {
        let from = t.one_or_more("from").unwrap_or_default();
        let from = from.into_iter().filter_map(|at| t.value(Some(at), subject)).collect();
        let hint = "write to = [\"*.video.example\", \"203.0.113.0/24\"]";
        let targets = t.one_or_more("to").unwrap_or_default();
        if targets.is_empty() {
            t.missing("to", hint);
        }
        let (mut names, mut networks) = (BTreeSet::new(), BTreeSet::new());
        for at in targets {
            match t.value(Some(at), target) {
                Some(To::Name(name)) => drop(names.insert(name)),
                Some(To::Network(network)) => drop(networks.insert(network)),
                None => {}
            }
        }
        let exit = exit::ways(t).unwrap_or_default();
        if exit.is_empty() {
            t.missing("exit", "write exit = [\"nl\"], with names of [[exit]]s");
        }
        let value = Egress { from, names, networks, exit };
        Some(Placed { value, path: t.path().to_owned(), span })
    })
}

fn subject(text: &str) -> Value<Subject> {
    text.parse().map_err(|error: crate::policy::PolicyError| Bad {
        message: format!("{} {error}", quoted(text)),
        hint: "write the name of a [[peer]], [[group]] or [[lan]], or \"peers\"",
    })
}

fn target(text: &str) -> Value<To> {
    text.parse().map_err(|error: ToError| Bad {
        message: format!("{} {error}", quoted(text)),
        hint: match error {
            ToError::Form => "write \"www.video.example\", \"*.video.example\" or \"203.0.113.0/24\"",
            ToError::Bits => "write the network by its first address",
            ToError::Everything => "write exit for the peer, group or LAN itself",
            ToError::Inside => "only what is sent to the internet has an exit",
        },
    })
}

/// Lines name who and which exits there are, and there are not too many of them.
pub(super) fn check(
    lines: &[Placed<Egress>],
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    let mut refuse = |at: &Placed<Egress>, field: &str, code, message: String, hint: &str| {
        problems.push(place.problem(&at.span, format!("{}.{field}", at.path), code, message, hint));
    };
    if let Some(at) = lines.get(egress::MOST) {
        let message = format!("a cell has {} [[egress]] at the most", egress::MOST);
        refuse(at, "to", ProblemCode::Exhausted, message, "write several destinations into one");
    }
    let zone = desired.cell.name.zone();
    for at in lines {
        let line = &at.value;
        if line.names.len() + line.networks.len() > egress::MOST_TARGETS {
            let message = format!("an [[egress]] has {} destinations at the most", egress::MOST_TARGETS);
            refuse(at, "to", ProblemCode::Exhausted, message, "write neighbouring networks as one");
        }
        let is_own = |apex: &str| apex == zone || apex.ends_with(&format!(".{zone}"));
        if let Some(name) = line.names.iter().find(|name| is_own(name.apex())) {
            let message = format!("\"{name}\" is in the cell's own zone, and leaves by no exit");
            refuse(at, "to", ProblemCode::BadValue, message, "write names of the internet");
        }
        for subject in &line.from {
            if let Some((message, hint)) = unfit(desired, subject) {
                refuse(at, "from", ProblemCode::BadValue, message, hint);
            }
        }
    }
    for at in lines {
        exit::unknown(at.value.exit.iter(), &at.path, &at.span, desired, place, problems);
    }
}

/// Why somebody cannot stand in `from`, if so. A device of a LAN cannot: it has addresses that nobody knows (RFC 8981).
fn unfit(desired: &Desired, subject: &Subject) -> Option<(String, &'static str)> {
    let Subject::Named(name) = subject else { return None };
    let hint = "write the name of a [[peer]], [[group]] or [[lan]], or \"peers\"";
    match desired.subject(name.as_str()) {
        Some(Known::Peer(_)) => None,
        Some(Known::Lan(lan)) => match desired.lans.get(lan) {
            Some(lan) if !lan.uplink => None,
            Some(_) => Some((format!("hosts of {name} do not come through the cell"), hint)),
            None => Some((
                format!("{name} is a subnet, which leaves as the LAN that it is behind"),
                "write that LAN",
            )),
        },
        Some(Known::Group(group)) => {
            let has_devices = desired.reservations.iter().any(|kept| kept.groups.contains(group));
            has_devices.then(|| {
                let message = format!(
                    "group {group} has devices of a LAN, which cannot have an exit of their own: they would leave by \
                     addresses that the cell does not know"
                );
                (message, "write their LAN, or connect them as peers")
            })
        }
        None => Some((format!("no peer, group or LAN is called \"{name}\""), hint)),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    const CELL: &str = "[cell]\nname = \"home\"\n[[exit]]\nname = \"onion\"\nkind = \"tor\"\n[[group]]\nname = \"kids\"\n\
                        [[lan]]\nname = \"lan\"\ninterface = \"eth1\"\nipv4 = \"192.168.40.1/24\"\n\
                        dhcp = { pool = \"192.168.40.100-192.168.40.199\" }\n";

    fn refused(lines: &str) -> String {
        parse(&format!("{CELL}[[egress]]\n{lines}")).unwrap_err().to_string()
    }

    #[test]
    fn lines_are_read_in_order() {
        let text = "to = [\"*.a.example\", \"203.0.113.0/24\"]\nfrom = [\"kids\", \"lan\"]\nexit = \"onion\"\n\
                    [[egress]]\nto = \"b.example\"\nexit = [\"onion\", \"direct\"]\n";
        let desired = parse(&format!("{CELL}[[egress]]\n{text}")).unwrap();
        let [first, second] = desired.egress.as_slice() else { panic!("{:?}", desired.egress) };
        assert_eq!((first.names.len(), first.networks.len(), first.from.len()), (1, 1, 2));
        assert!(second.from.is_empty() && second.exit.len() == 2);
    }

    #[test]
    fn what_cannot_be_is_told_why() {
        for (lines, words) in [
            ("exit = \"onion\"", "missing"),
            ("to = \"a.example\"", "missing"),
            ("to = \"a.example\"\nexit = \"oni\"", "did you mean \"onion\"?"),
            ("to = \"192.168.0.0/16\"\nexit = \"onion\"", "is not on the internet"),
            ("to = \"0.0.0.0/0\"\nexit = \"onion\"", "is the whole internet"),
            ("to = \"nas.home.cell\"\nexit = \"onion\"", "the cell's own zone"),
            ("to = \"nas\"\nexit = \"onion\"", "is no name of the internet"),
            ("to = \"a.example\"\nfrom = \"nobody\"\nexit = \"onion\"", "no peer, group or LAN"),
            ("to = \"a.example\"\nfrom = \"internet\"\nexit = \"onion\"", "begins connections"),
            ("to = \"a.example\"\nexit = [\"direct\", \"onion\"]", "behind \"direct\""),
        ] {
            assert!(refused(lines).contains(words), "{lines}: {}", refused(lines));
        }
        let device = "to = \"a.example\"\nfrom = \"kids\"\nexit = \"onion\"\n[[reservation]]\nlan = \"lan\"\n\
                      mac = \"00:11:22:33:44:55\"\naddress = \"192.168.40.10\"\ngroups = [\"kids\"]\n";
        assert!(refused(device).contains("devices of a LAN"));
    }
}
