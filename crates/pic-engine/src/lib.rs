//! The engine of a cell: takes changes, keeps the ledger, brings the host to the desired state and keeps it there.
//!
//! One thread owns the [`World`] and the [`ledger::Ledger`]; everyone else holds a [`Handle`]. Boot, drift and change
//! take one path: observe, compile, diff, apply, verify. It knows no kernel and no HTTP: those are behind [`World`]
//! and [`Disk`]. Tested with a world in memory that fails on demand.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod change;
mod disk;
mod engine;
mod handle;
pub mod ledger;
mod proposal;
mod reconcile;
mod report;
mod services;
mod start;
mod transaction;
mod verdict;
mod world;

pub use change::{Author, Change, ChangeError, Edit};
pub use disk::Disk;
pub use engine::{Config, Engine};
pub use handle::{Answer, Handle, Stopped};
pub use report::{
    Current, DomainReport, Health, Operation, OperationState, Reconciled, Report, ServiceReport, TakenBack,
};
pub use world::{Clock, Observation, World, WorldError};
