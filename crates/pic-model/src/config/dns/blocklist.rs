//! `[[dns.blocklist]]`: which names, from where, for whom and when.

use std::collections::BTreeSet;

use crate::config::reader::{At, Reader};
use crate::config::values::{self, Bad, Value, quoted};
use crate::desired::DnsBlocklist;
use crate::https_url::HttpsUrl;
use crate::schedule::{Schedule, ScheduleError};

const FILE: &str =
    "write where the list is fetched from, https://…, or the path of a file that everybody may read";

/// One list, right by itself.
pub(super) fn blocklist(t: &mut Reader<'_, '_>) -> Option<DnsBlocklist> {
    let name = t.needed("name", "write name = \"ads\"", |s| values::parsed(s, "a name"));
    let source = t.needed("source", "write source = \"https://lists.example/hosts\"", source);
    let audience = t.strings("for");
    let audience =
        t.each(audience, super::record::audience).map(|list| list.into_iter().collect::<BTreeSet<_>>());
    let when = when(t);
    Some(DnsBlocklist { name: name?, source: source?, audience, when })
}

/// `when`: a schedule, or several that count together.
pub(in crate::config) fn when(t: &mut Reader<'_, '_>) -> Option<Schedule> {
    let items = t.one_or_more("when")?;
    let place = items.first().map(|at| At { value: (), span: at.span.clone(), path: at.path.clone() });
    let all = t.each(Some(items), values::schedule)?;
    match (Schedule::union(all), place) {
        (Ok(schedule), _) => Some(schedule),
        // Each was refused already.
        (Err(ScheduleError::Empty), Some(_)) => None,
        (Err(error), Some(at)) => {
            t.bad(&at, Bad { message: error.to_string(), hint: "say it with fewer windows" });
            None
        }
        (Err(_), None) => {
            t.missing("when", "leave it out, or write \"mon-fri 20:00-07:00\"");
            None
        }
    }
}

/// An address to fetch it from, or the path of a file.
fn source(text: &str) -> Value<String> {
    if !text.contains("://") {
        return path(text).map_err(|bad| Bad { hint: FILE, ..bad });
    }
    text.parse::<HttpsUrl>().map(|url| url.to_string()).map_err(|error| Bad {
        message: format!("{} is nothing that can be fetched: {error}", quoted(text)),
        hint: "write source = \"https://lists.example/hosts\"",
    })
}

/// An absolute path that means the same to everybody.
pub(super) fn path(text: &str) -> Value<String> {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    let is_right = text.len() <= 1_024
        && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part))
        && !text.chars().any(char::is_control);
    if is_right {
        return Ok(text.to_owned());
    }
    Err(Bad { message: format!("{} is not the absolute path of a file", quoted(text)), hint: "" })
}
