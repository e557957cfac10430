//! The real program in namespaces: under load, killed and starved.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clock;
mod disk;
mod kill;
mod kit;
mod load;
