//! `[time]`.

use super::reader::Reader;
use super::values::{Bad, Value, quoted};
use crate::desired::Time;
use crate::time::{TimeSource, default_sources};

/// More are no more exact, and each is asked again and again.
const MAX_SOURCES: usize = 16;

/// The whole table.
pub(super) fn time(t: &mut Reader<'_, '_>) -> Time {
    let serve = t.boolean("serve").is_none_or(|at| at.value);
    let upstreams = t.strings("upstreams");
    if let Some(at) = upstreams.as_ref().and_then(|all| all.get(MAX_SOURCES)) {
        let message = format!("more than {MAX_SOURCES} servers");
        t.bad(at, Bad { message, hint: "four of different operators are enough" });
    }
    let upstreams = t.each(upstreams, source).unwrap_or_else(default_sources);
    Time { serve, upstreams }
}

fn source(text: &str) -> Value<TimeSource> {
    text.parse().map_err(|error| Bad {
        message: format!("{} is no time server: {error}", quoted(text)),
        hint: "write \"nts://time.example.org\" or \"ntp://192.168.1.1\"",
    })
}
