//! What the compiled state does with a packet: the same tables that go to the kernel, walked here.
//!
//! ```text
//! ends: names -> [`Packet`]      walk: firewall hooks and routing, in the kernel's order -> [`Trace`]
//! ```
//!
//! Answers `picctl why` and judges `[[test]]` before anything is applied. Looks at the first packet of a connection: its
//! answers ride on connection state, so that a connection is allowed exactly if its first packet arrives. Foreign
//! tables of the host are not seen here: they may still drop what this lets pass.

mod ends;
mod firewall;
pub mod live;
mod packet;
mod routing;
mod tests_of_file;
mod walk;

pub use ends::{EndError, Ends, Way, learned, ways};
pub use packet::{Packet, Step, Trace, Verdict};
pub use tests_of_file::{Judged, judge, refuse_failing};
pub use walk::{Walker, enters, walk};

#[cfg(test)]
mod tests;
