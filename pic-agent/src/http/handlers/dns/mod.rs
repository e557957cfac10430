//! `/api/dns`: names.

mod certificate;
mod check;
mod list;
mod log;
mod names;
mod records;
mod service;

pub(crate) use certificate::check_certificate;
pub(crate) use check::check_file;
pub(crate) use list::list;
pub(crate) use log::{clients, log};
pub(crate) use records::{add, import, remove};
pub(crate) use service::{flush, query, stats};
