//! Programs with a network namespace of their own.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Whether it has a namespace at all.
    pub enabled: bool,
    /// Whether its cable to the cell is there now.
    pub connected: bool,
    /// The unit that holds its namespace.
    pub unit: String,
    /// The cell's end of the cable.
    pub interface: String,
    /// Its addresses, the IPv4 one first.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
    /// The file that its programs are to see as `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Its ways to the internet in order of preference, as written.
    pub exits: Vec<String>,
    /// The exit that counts now, or `direct`.
    pub leaves_by: String,
}

/// Answer of `GET /api/apps`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppList {
    /// Apps in order of their names.
    pub items: Vec<App>,
}
