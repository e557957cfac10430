//! Prefixes that the uplink delegates to the cell (RFC 8415 section 18.2, as a requesting router). Pure.

mod book;
mod client;
pub mod reply;

pub use book::{Book, Held};
pub use client::{Client, Heard, Phase};
