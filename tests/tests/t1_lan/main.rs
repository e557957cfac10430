//! LANs of a cell on the small internet: real DHCP clients get addresses, names and what they were granted.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alone;
mod basics;
mod five;
mod full;
mod kit;
mod names;
mod relay;
mod rivals;
mod uplink;
