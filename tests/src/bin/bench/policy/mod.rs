//! Area `policy`: grants by the hundred thousand, and how fast the cell finds its way again.

mod change;
mod data;
mod failover;
mod packets;
mod repair;

use crate::Group;
use crate::figure::Figure;

/// In the order in which they are printed.
pub(crate) const GROUPS: &[Group] = &[
    ("packets", packets::figures),
    ("grant", change::grant),
    ("plan", change::plan),
    ("failover", failover::figures),
    ("repair", repair::figures),
];

/// A figure of this area.
fn figure(name: &'static str, unit: &'static str, ours: f64) -> Figure {
    Figure { area: "policy", name, unit, peer: "none", ours, ..Figure::default() }
}
