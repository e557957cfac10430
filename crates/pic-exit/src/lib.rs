//! Exits that are programs of others. Debian's `tor` does the work; this keeps it running with the configuration that
//! follows from the agent's snapshot, and says how it is. Runs unprivileged, and goes on without the agent.
//!
//! Flow: snapshot + template → [`tor::render`] → the program as a child → its control socket → [`tor::report`] (its words)
//! → the file by which the agent knows whether the exit works. [`tor`] is the loop. Tested by unit tests, fuzz
//! (`tor-report`), and in namespaces with a Tor network of real relays (`tests/tests/t1_tor.rs`).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod child;
pub mod tor;
