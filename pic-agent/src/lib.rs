//! The agent of a cell: one engine over the real host, and its API on a unix socket. Also the early-boot guard,
//! and who holds the namespaces of apps.
//!
//! Owns the socket, the lock that keeps it alone, the secrets folder and the originals of kernel settings. It decides
//! nothing about the host (that is `pic-plan`) and keeps no state of its own beyond operations of this run, answers
//! to requests that have a key, and plans that were shown. It never parses a packet, and its end leaves the host as it is.
//! Tested over the real socket with a host in memory (`tests/api*.rs`) and in network namespaces (`tests/host.rs`).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod app;
pub mod cli;
pub mod guard;
mod host;
mod http;
mod lock;
mod notify;
pub mod paths;
pub mod resolver;
pub mod run;
pub mod teardown;

/// What is logged where nobody has said: the bus says each of its messages.
const LOG: &str = "info,zbus=warn";

pub use host::{BootClock, DurableDisk, Exits, HostWorld, Usage};
pub use http::{Api, openapi, serve};
