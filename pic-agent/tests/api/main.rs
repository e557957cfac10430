//! The API through its real socket, over an engine whose host is in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::unwrap_in_result, reason = "the same")]

mod answers;
mod changes;
mod dns;
mod document;
mod errors;
mod events;
mod late;
mod methods;
mod operations;
mod peers;
mod rig;
mod schema;
mod state;
