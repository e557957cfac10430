//! The API through its real socket, over an engine whose host is in memory.

mod changes;
mod document;
mod errors;
mod operations;
mod peers;
mod rig;
mod state;
