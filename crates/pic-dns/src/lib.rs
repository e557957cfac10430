//! The DNS service of a cell.
//!
//! Owns: answering DNS on the addresses of the snapshot: the cell's zones with authority, other names from upstreams
//! through a cache. Runs as its own user, without the agent, from `/var/lib/pic/dns/zone.json` alone.
//! Never: decides what a name means (the agent does), writes anything but its status and the lists that it fetched, keeps what was asked, unless the owner says so, and then in memory alone.
//!
//! Flow of a question: `udp`/`converse`/`doh` → `server` (`policy`, `wire`, `zone`, `cache`) → at once back, or `forward` → back.
//! Flow of a change: `snapshot` (inotify) → `service` → `world` compiled and swapped → `listen` follows.
#![forbid(unsafe_code)]

pub mod blocklist;
pub mod cache;
pub mod certificate;
pub mod clock;
pub mod control;
pub mod converse;
pub mod counters;
pub mod dnssec;
pub mod doh;
pub mod egress;
pub mod fetch;
pub mod forward;
pub mod leases;
pub mod limit;
pub mod listen;
mod map;
pub mod metrics;
pub mod policy;
pub mod probe;
pub mod querylog;
mod seats;
pub mod server;
pub mod service;
pub mod snapshot;
mod special;
pub mod status;
pub mod tally;
mod tls;
mod udp;
pub mod wire;
pub mod world;
pub mod zone;
