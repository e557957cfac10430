//! Decisions: from what the owner wants and what the host is to what must be done, in which order, and why.
//!
//! ```text
//! Desired + Facts --compile--> Targets --diff(Observed)--> Actions --order--> Plan --lint--> risks
//! ```
//!
//! Pure: no clock, file, socket, environment or randomness; what is needed comes in as [`Facts`]. Every map is
//! ordered, so equal input gives equal output. Tested by golden folders and by properties (a plan converges, is
//! idempotent, and what undoes it undoes it).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod at_once;
pub mod compile;
pub mod diff;
pub mod facts;
pub mod flows;
pub mod leaks;
pub mod liveness;
pub mod marks;
#[cfg(feature = "memory")]
pub mod memory;
pub mod notes;
pub mod overlap;
pub mod plan;
pub mod queue;
pub mod reach;
pub mod resolver;
pub mod risk;
pub mod target;
pub mod way_in;
pub mod words;

pub use at_once::both;
pub use facts::Facts;
pub use plan::{Action, Plan, Step};
pub use target::{Observed, Targets};
