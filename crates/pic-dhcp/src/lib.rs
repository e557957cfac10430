//! The DHCP service of a cell: addresses of both families and router advertisements on its LANs.
//!
//! Owns: who has which address (`leases.log`, durable before a client is told), and the names that leases bring along.
//! Runs as its own user, without the agent, from `/var/lib/pic/dhcp/lans.json` alone.
//! Never: serves a LAN where another server answers (unless told to), gives an address to two clients, believes what a
//! packet says about anybody but its sender.
//!
//! Flow of a packet: `serve` (sockets) → `wire` → `server` (pure) → `store` (one flush for many) → `serve` sends. In v6 the
//! same by `v6` and `server6`.
#![forbid(unsafe_code)]

pub mod control;
pub mod delegation;
pub mod label;
pub mod lease;
pub mod names;
pub mod prefixes;
pub mod probe;
pub mod ra;
pub mod serve;
pub mod server;
pub mod server6;
pub mod snapshot;
pub mod store;
pub mod time;
pub mod v6;
pub mod wire;
