//! The real host behind the engine's [`World`], [`Clock`](pic_engine::Clock) and [`Disk`](pic_engine::Disk).

mod backend;
pub(crate) mod bans;
pub(crate) mod certificate;
mod clock;
pub(crate) mod delegation;
pub(crate) mod dhcp;
mod disk;
pub(crate) mod egress;
pub(crate) mod exits;
mod flows;
pub(crate) mod live;
mod originals;
mod resolver;
mod secrets;
mod units;
mod usage;
pub(crate) mod vendors;
mod world;

pub use clock::BootClock;
pub(crate) use clock::{boot, now};
pub use disk::DurableDisk;
pub(crate) use disk::ReadOnlyDisk;
pub(crate) use egress::Learned;
pub use exits::Exits;
pub(crate) use flows::follow as follow_flows;
pub(crate) use secrets::{Secrets, random};
pub(crate) use units::Units;
pub use usage::Usage;
pub(crate) use usage::watch as watch_usage;
pub use world::HostWorld;
