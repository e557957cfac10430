//! The whole agent on the real kernel, in a network namespace of its own, with pic-wg and pic-dns as its children.
//! Needs root, `ip`, `nft`, `wg`, `dig`, and both programs built: `cargo build -p pic-wg -p pic-dns`.

mod guard;
mod life;
mod repair;
mod stage;
