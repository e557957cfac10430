//! The words of a cell: names, keys, addresses, the shape of `cell.toml` and what makes it valid.
//!
//! Pure: nothing here reads a clock, a file, a socket, the environment or a random number. Text and bytes come in,
//! typed values or [`Problem`]s go out. Tested by unit tests beside the code, golden refusals in `tests/`, and fuzz.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod address;
pub mod ban;
mod chain;
pub mod config;
pub mod desired;
pub mod dhcp_option;
pub mod dns;
pub mod edit;
pub mod egress;
pub mod exit;
pub mod https_url;
pub mod key;
pub mod lan;
pub mod limit;
pub mod name;
pub mod policy;
mod problem;
pub mod quota;
pub mod reach;
pub mod schedule;
pub mod secret;
pub mod snapshot;
pub mod time;
pub mod usage;

pub use chain::chain;
pub use desired::Desired;
pub use problem::{Problem, ProblemCode, Problems};
