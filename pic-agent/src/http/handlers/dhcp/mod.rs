//! `/api/dhcp/…`: leases, which the DHCP service knows, and reservations, which stand in `cell.toml`.

mod leases;
mod names;
mod reservations;

pub(super) use leases::state;
pub(crate) use leases::{leases, release};
pub(crate) use reservations::{reservations, reserve, unreserve};
