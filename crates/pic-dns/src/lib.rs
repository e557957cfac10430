//! The DNS service of a cell.
//!
//! Owns: answering DNS on the addresses of the snapshot: the cell's zones with authority, other names from upstreams
//! through a cache. Runs as its own user, without the agent, from `/var/lib/pic/dns/zone.json` alone.
//! Never: decides what a name means (the agent does), writes anything but its status and the lists that it fetched, logs what was asked.
//!
//! Flow of a question: `udp`/`tcp` → `server` (`policy`, `wire`, `zone`, `cache`) → at once back, or `forward` → back.
//! Flow of a change: `snapshot` (inotify) → `service` → `world` compiled and swapped → `listen` follows.
#![forbid(unsafe_code)]

pub mod blocklist;
pub mod cache;
pub mod clock;
pub mod control;
pub mod counters;
pub mod dnssec;
pub mod fetch;
pub mod forward;
pub mod leases;
pub mod listen;
mod map;
pub mod policy;
pub mod server;
pub mod service;
pub mod snapshot;
mod special;
pub mod status;
mod tcp;
mod udp;
pub mod wire;
pub mod world;
pub mod zone;
