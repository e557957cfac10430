//! Words of the agent's API: what travels over `/run/pic/agent.sock`, for the agent, `picctl` and everyone else.
//!
//! REST with JSON under `/api/`; header `PIC-API: 1`; errors are problem details (RFC 9457, [`problem`]); mutations
//! take `?plan=true` for a dry run and answer an [`operation::Operation`]. Nothing here holds a secret but
//! [`peer::PeerAdded`], whose configuration is handed out once.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod app;
pub mod ban;
pub mod client;
pub mod config;
pub mod dhcp;
pub mod dns;
pub mod event;
pub mod exit;
pub mod group;
pub mod history;
pub mod lan;
pub mod operation;
pub mod peer;
pub mod policy;
pub mod problem;
pub mod reach;
pub mod session;
pub mod status;
pub mod time;
pub mod usage;

/// Where the agent listens.
pub const SOCKET: &str = "/run/pic/agent.sock";
/// Value of the `PIC-API` header.
pub const API_VERSION: &str = "1";
