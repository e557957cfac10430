//! Drivers against the real kernel, each test in a network namespace of its own, read back by tools written by nobody
//! here. One program, so that it is linked once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
mod host;
mod link;
mod namespace;
mod queue;
mod route;
mod rule;
mod units;
mod units_systemd;
mod watch;
mod wireguard;
