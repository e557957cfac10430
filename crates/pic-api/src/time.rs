//! The time that the cell serves.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer of `GET /api/time`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Time {
    /// Whether devices can ask the cell for the time.
    pub serving: bool,
    /// Why not, or what is wrong although it serves; empty when all is well.
    pub words: String,
    /// Whether the cell itself has the time from its sources. Until then devices take no time from it.
    pub synchronised: bool,
    /// The source it goes by.
    pub source: Option<String>,
    /// Distance from a reference clock in servers; 0 while not synchronised.
    pub stratum: u8,
    /// Seconds that the host's own clock is ahead of the time served; negative when it is behind.
    pub host_offset: f64,
    /// Parts per million by which the host's own clock runs fast.
    pub host_frequency: f64,
    /// Seconds that the time served may be wrong at most.
    pub uncertainty: f64,
    /// RFC 3339 time of the last measurement that counted.
    pub measured: Option<String>,
    /// `normal`, `insert second`, `delete second` or `not synchronised`.
    pub leap: String,
    /// Servers the time is taken from.
    pub sources: Vec<TimeSource>,
    /// Devices that asked, the busiest first, at most 256.
    pub clients: Vec<TimeClient>,
    /// Questions since the service's start.
    pub asked: u64,
    /// Of them, how many were not answered because too many came.
    pub dropped: u64,
}

/// A server the time is taken from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimeSource {
    /// Name or address.
    pub name: String,
    /// Whether its answers are authenticated (NTS).
    pub nts: bool,
    /// `selected`, `combined`, `unused`, `false`, `unsteady` or `unreachable`.
    pub state: String,
    /// Distance from a reference clock.
    pub stratum: u8,
    /// Of the last eight questions, how many were answered.
    pub reached: u8,
    /// Seconds since the last answer.
    pub last: Option<u64>,
    /// Seconds that the cell's time is ahead of it.
    pub offset: f64,
}

/// A device that asked for the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeClient {
    /// Its address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// Its name, if it is a peer or has a reservation with one.
    pub name: Option<String>,
    /// How often it asked since the service's start.
    pub asked: u64,
    /// How many of its questions were not answered.
    pub dropped: u64,
    /// Seconds since it asked last.
    pub last: u64,
}
