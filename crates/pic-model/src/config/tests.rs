//! `[[test]]`: what must be reachable and what must not.

use super::lan::Placed;
use super::place::Places;
use super::reader::Reader;
use super::values::{Bad, Value, quoted};
use crate::desired::{Desired, Expect, ReachTest};
use crate::problem::{Problem, ProblemCode};
use crate::reach::{Host, ReachError};

/// Every `[[test]]`, each right by itself.
pub(super) fn read(root: &mut Reader<'_, '_>) -> Vec<Placed<ReachTest>> {
    root.tables("test", |t, span| {
        let from = t.needed("from", "write from = \"phone\"", |text| {
            let outside = || Bad {
                message: format!("{} is a name of the internet, which is only asked for", quoted(text)),
                hint: "write \"internet\", or an address",
            };
            end(text).and_then(|host: Host| if begins(&host) { Ok(host) } else { Err(outside()) })
        });
        let to = t.needed("to", "write to = \"internet\" or to = \"nas:445\"", end);
        let expect =
            t.needed("expect", "write expect = \"allowed\" or expect = \"blocked\"", |text| match text {
                "allowed" => Ok(Expect::Allowed),
                "blocked" => Ok(Expect::Blocked),
                _ => Err(Bad {
                    message: format!("{} is nothing to expect", quoted(text)),
                    hint: "write \"allowed\" or \"blocked\"",
                }),
            });
        let line = t.line(&span);
        let test = ReachTest { from: from?, to: to?, expect: expect?, line };
        Some(Placed { value: test, path: t.path().to_owned(), span })
    })
}

fn end<T: std::str::FromStr<Err = ReachError>>(text: &str) -> Value<T> {
    text.parse().map_err(|error: ReachError| Bad {
        message: format!("{} {error}", quoted(text)),
        hint: "see `man 5 cell.toml`, [[test]]",
    })
}

/// Refuses tests about nobody.
pub(super) fn check(
    tests: &[Placed<ReachTest>],
    desired: &Desired,
    place: &Places<'_>,
    problems: &mut Vec<Problem>,
) {
    for at in tests {
        let ends = [("from", &at.value.from), ("to", &at.value.to.host)];
        for (field, host) in ends.into_iter().filter(|(_, host)| !is_known(desired, host)) {
            let message = format!("there is no peer, LAN, app or reservation named \"{host}\"");
            let hint = "write the name of one, an address, \"internet\" or \"cell\"";
            let path = format!("{}.{field}", at.path);
            problems.push(place.problem(&at.span, path, ProblemCode::BadValue, message, hint));
        }
    }
}

/// What leads to the internet begins nothing.
fn begins(host: &Host) -> bool {
    !matches!(host, Host::Outside(_))
}

fn is_known(desired: &Desired, host: &Host) -> bool {
    let Host::Named(name) = host else { return true };
    let reserved = desired.reservations.iter().filter_map(|kept| kept.name.as_ref());
    desired.peers.contains_key(name)
        || desired.services.keys().any(|service| service.as_str() == name.as_str())
        || desired.lans.keys().any(|lan| lan.as_str() == name.as_str())
        || reserved.into_iter().any(|kept| kept.as_str() == name.as_str())
}
