//! Area `dns`: pic-dns beside a plain UDP echo, unbound and dnsmasq, all in one run.
//!
//! dnsperf is pinned to the first processor, whatever it asks to the second. On two processors dnsperf itself is the
//! limit near the echo's rate, so ratios above 0.9 are lower bounds. The server's own processor time for each question does
//! not depend on that, nor much on what else the machine does.

mod change;
mod edit;
mod load;
mod rate;
mod servers;
mod texts;

use crate::Group;
pub(crate) use servers::serve_echo;

/// In the order in which they are printed.
pub(crate) const GROUPS: &[Group] =
    &[("rate", rate::figures), ("change", change::figures), ("edit", edit::figures)];

/// Names in a zone that is asked at random.
const NAMES: usize = 1_000;
/// Names in a large zone.
const MANY: usize = 100_000;
/// Questions that the log keeps, where there is one.
const LOGGED: u32 = 10_000;
/// Names on a large blocklist.
const LISTED: usize = 1_000_000;
