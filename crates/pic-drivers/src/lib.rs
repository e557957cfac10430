//! Effects: one folder per surface of the host. `observe` reads the world into the plain data of
//! [`pic_plan::target`] and changes nothing; `apply` does exactly one [`pic_plan::Action`] and decides nothing. [`namespace`] is for a program that holds the namespace of an app.
//!
//! The only crate where `unsafe` may stand: in [`nft`]'s encoder over libnftnl. Tested against the real kernel in
//! throw-away network namespaces (`tests/`), read back by tools written by nobody here.
#![deny(missing_docs)]

pub mod files;
pub mod host;
pub mod link;
pub mod namespace;
pub mod netlink;
pub mod nft;
pub mod queue;
pub mod resolver;
pub mod route;
pub mod rule;
pub mod sysctl;
pub mod units;
pub mod watch;
pub mod wireguard;
