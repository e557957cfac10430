//! `/api/peers`: devices.

mod add;
mod filter;
mod list;
mod one;
mod values;

pub(crate) use add::add;
pub(crate) use list::list;
pub(crate) use one::{change, config, read, remove};
