//! Fuzzing on stable Rust: one plain function per reader of foreign bytes, a corpus for each, a mutator.
//!
//! A target takes any bytes. It fails by panicking, which is how its own checks fail too, by taking longer than
//! [`run::TIME`], or by holding more than [`run::HEAP`]. It touches nothing outside its own memory, `api-client` apart,
//! which talks to itself over a socket.
//!
//! The corpora are in `tests/corpus/<target>/`; the test of `pic-fuzz` named `replay` runs them all. The program `pic-fuzz` mutates them
//! until it finds something, and keeps that as `crash-<hash>` beside the others: from then on it is a test.
#![forbid(unsafe_code)]

pub mod corpus;
pub mod mutate;
pub mod run;
mod targets;

pub use targets::{TARGETS, Target};
