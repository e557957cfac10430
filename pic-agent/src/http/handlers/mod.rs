//! One module per noun; each handler is a function from a call to a reply.

mod addresses;
mod addresses6;
pub(crate) mod bans;
pub(crate) mod config;
pub(crate) mod confirm;
pub(crate) mod dhcp;
pub(crate) mod dns;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod exits;
pub(crate) mod export;
pub(crate) mod groups;
pub(crate) mod history;
pub(crate) mod lans;
pub(crate) mod operation_list;
pub(crate) mod operations;
mod page;
pub(crate) mod peers;
pub(crate) mod plans;
pub(crate) mod policy;
mod queues;
pub(crate) mod reach;
mod resolver;
pub(crate) mod services;
pub(crate) mod status;
pub(crate) mod time;
pub(crate) mod usage;
