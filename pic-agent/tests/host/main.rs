//! The whole agent on the real kernel, in a network namespace of its own, with pic-wg and pic-dns as its children.
//! Needs root, `ip`, `nft`, `wg`, `dig`, and both programs built: `cargo build -p pic-wg -p pic-dns`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a failed test shows the agent's log")]

mod guard;
mod kill;
mod life;
mod repair;
mod stage;
