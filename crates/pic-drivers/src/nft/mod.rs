//! The table `inet pic`: read into plain data, and replaced or changed in one transaction.
//!
//! Owns the one nftables table of that name and never reads or changes another. Decides nothing: what stands in the
//! table is said by [`pic_plan::target::nft`]. Bytes for the kernel are made by libnftnl, whose calls are all in
//! `raw.rs`; answers are read by our own small parser, since reading ten thousand elements has to be cheap.
//!
//! Every function blocks for some milliseconds and works in the network namespace of the calling thread.
//! Tested in `tests/nft.rs` against the kernel, read back by `nft`.

mod abi;
mod attributes;
mod build;
mod elements;
mod encode;
mod error;
mod observe;
mod query;
#[expect(
    unsafe_code,
    reason = "libnftnl is a C library; every call to it that has no safe wrapper is in here"
)]
mod raw;
mod socket;
mod transaction;

pub use error::{Error, RuleProblem};
pub use observe::observe;

use pic_plan::plan::Action;

/// Does one action on the table: all of it or, with an error, nothing of it.
///
/// Elements to add that are there already are no error; elements to remove must be there.
pub fn apply(action: &Action) -> Result<(), Error> {
    match action {
        Action::NftReplace(table) => build::replace(table)?.commit(),
        Action::NftElements(deltas) => match build::change(deltas)? {
            Some(transaction) => transaction.commit(),
            None => Ok(()),
        },
        Action::NftDelete => build::delete()?.commit(),
        other => Err(Error::NotOurs { domain: other.domain().as_str() }),
    }
}
