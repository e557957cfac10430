//! Grants and forwards against the kernel: two devices, two LANs and a host in each, both IP families.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod changes;
mod flows;
mod pairs;
mod scene;
mod way_in;
