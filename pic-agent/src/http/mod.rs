//! The API on the unix socket: one table of routes, one way in, one shape of errors.
//!
//! ```text
//! server (socket, SO_PEERCRED, limits) -> gate (id, body, query, idempotency) -> a handler -> Reply | Failure
//! ```
//! Handlers propose changes to the engine and read its report; none of them touches the host.

mod accept;
mod body;
mod call;
mod caller;
mod change;
mod client_conf;
pub(crate) mod dns_control;
mod events;
mod failure;
mod gate;
mod handlers;
mod healths;
mod idempotency;
mod late;
mod lines;
mod merge;
pub mod openapi;
mod operations;
mod plans;
mod problem;
mod reply;
mod route;
mod routes;
mod server;
mod shelf;
mod streams;
mod tags;
mod view;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use pic_engine::Handle;
use pic_model::name::ExitName;

use crate::host::exits::LeakReport;
use crate::host::{Exits, Usage};
use crate::paths::Paths;
use body::Room;
use events::Events;
use healths::Healths;
use idempotency::Kept;
use operations::Operations;
use plans::Plans;
use streams::Streams;

pub use server::serve;

/// What all requests share.
#[derive(Debug)]
pub struct Api {
    handle: Handle,
    /// How exits are.
    exits: Exits,
    /// What has been used.
    usage: Usage,
    /// Folder of providers' files.
    exit_files: PathBuf,
    /// The file the owner edits.
    cell_toml: PathBuf,
    /// Bans, and whose turn it is to change them.
    bans_file: PathBuf,
    bans: tokio::sync::Mutex<()>,
    /// Whose packet is followed: one at a time.
    followed: tokio::sync::Mutex<()>,
    /// Where the DHCP service is asked.
    dhcp_socket: PathBuf,
    /// For the room left on its disk.
    state: PathBuf,
    /// What `pic-dns` says about itself.
    dns_status: PathBuf,
    /// Where the name server is asked about itself.
    dns_control: PathBuf,
    /// What `pic-time` says about itself.
    time_status: PathBuf,
    operations: Operations,
    healths: Healths,
    events: Events,
    /// Streams that are open.
    streams: Streams,
    plans: Plans,
    kept: Arc<Kept>,
    /// Of the bodies of all requests.
    room: Room,
    begin: Instant,
}

impl Api {
    /// An API over an engine.
    pub fn new(handle: Handle, paths: &Paths, exits: Exits, usage: Usage) -> Arc<Self> {
        Arc::new(Self {
            handle,
            exits,
            usage,
            exit_files: paths.exits(),
            cell_toml: paths.config.clone(),
            state: paths.state.clone(),
            bans_file: paths.bans(),
            bans: tokio::sync::Mutex::default(),
            followed: tokio::sync::Mutex::default(),
            dhcp_socket: paths.dhcp_run().join("control.sock"),
            dns_status: paths.dns_status(),
            dns_control: paths.dns_control(),
            time_status: paths.time_status(),
            operations: Operations::default(),
            healths: Healths::default(),
            events: Events::default(),
            streams: Streams::default(),
            plans: Plans::new(paths.plans()),
            kept: Arc::new(Kept::new(paths.answers())),
            room: Room::default(),
            begin: Instant::now(),
        })
    }

    /// Takes what the engine tells.
    fn see(&self, report: &pic_engine::Report) {
        self.operations.see(report);
        self.healths.see(report);
        self.events.see(report);
    }

    /// Tells how an exit came out of a test for leaks.
    pub(crate) fn tell_leaks(&self, exit: &ExitName, found: &LeakReport) {
        self.events.tell(events::leaks(exit, found));
    }

    /// Whether the engine has looked at the host and told.
    fn is_started(&self) -> bool {
        self.operations.is_started()
    }
}
