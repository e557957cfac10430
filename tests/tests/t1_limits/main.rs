//! What is limited, with real traffic: connections that strangers begin.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod strangers;
