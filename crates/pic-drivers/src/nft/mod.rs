//! The table `inet pic`: read into plain data, and replaced or changed in one transaction.
//!
//! Beside it the kernel's list of connections, out of which those are taken whose right has gone.
//!
//! Owns the one nftables table of that name and never reads or changes another. Decides nothing: what stands in the
//! table is said by [`pic_plan::target::nft`]. Bytes for the kernel are made by libnftnl, whose calls are all in
//! `raw.rs`; answers are read by our own small parser, since reading ten thousand elements has to be cheap.
//!
//! Everything blocks for some milliseconds. Tested in `tests/nft.rs` against the kernel, read back by `nft`.

mod abi;
mod attributes;
mod build;
mod connection;
mod connections;
mod elements;
mod encode;
mod error;
mod live;
mod observe;
mod query;
#[expect(
    unsafe_code,
    reason = "libnftnl is a C library; every call to it that has no safe wrapper is in here"
)]
mod raw;
mod socket;
mod trace;
mod transaction;

pub use connection::Connection;
pub use connections::{Connections, Tracked};
pub use error::{Error, RuleProblem};
pub use live::{Listener, Live, rules};
pub use trace::{Event as TraceEvent, Verdict as TraceVerdict, read_datagram as read_trace};

use std::sync::Arc;

use pic_plan::plan::Action;
use pic_plan::target::nft::ObservedTable;

/// As [`Connection::apply`], over a connection for this once.
pub fn apply(action: &Action) -> Result<(), Error> {
    Connection::new().apply(action)
}

/// As [`Connection::observe`], over a connection for this once.
pub fn observe() -> Result<Option<Arc<ObservedTable>>, Error> {
    Connection::new().observe()
}
