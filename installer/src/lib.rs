//! `pic-installer`: makes this host a cell.
//!
//! Flow: [`facts`] (reads the host, changes nothing) → [`choice`] (networks, port, stance) → [`checks`] (what a
//! person should know first) → [`report`] → [`cellfile`], [`folders`], [`service`] (the only effects) → [`peers`] →
//! [`summary`]. Decisions are pure functions over collected facts. It never touches a cell that exists but through
//! the agent's API, never edits what belongs to others, and after a failed first install puts back what it changed.
//! Tested by unit tests over golden facts, `tests/dry_run.rs` in network namespaces, and `t2_install` of the lab.
#![forbid(unsafe_code)]

mod cellfile;
mod change;
mod checks;
mod choice;
mod existing;
mod facts;
mod folders;
mod install;
pub mod options;
mod out;
mod peers;
mod report;
mod run;
mod service;
mod summary;

pub use run::run;
