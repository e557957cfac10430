//! What `pic-time` serves from, `/var/lib/pic/time/time.json`, written whole by the agent; and what it says about itself,
//! `/run/pic-time/status.json`.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::time::TimeSource;

/// Version of both formats; a reader refuses another one.
pub const VERSION: u32 = 1;

/// Everything `pic-time` needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSnapshot {
    /// [`VERSION`].
    pub version: u32,
    /// Servers to take the time from, at least one.
    pub sources: Vec<TimeSource>,
    /// Networks that may ask.
    pub clients: Vec<IpNet>,
}

/// How the service is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeStatus {
    /// [`VERSION`].
    pub version: u32,
    /// Whether devices can ask: chronyd runs and answers.
    pub serving: bool,
    /// Why not, or what is wrong although it serves, in words.
    pub trouble: Option<String>,
    /// chronyd's own view, while it answers.
    pub tracking: Option<Tracking>,
    /// Servers it takes the time from.
    pub sources: Vec<SourceStatus>,
    /// Who asked, the busiest first, at most [`CLIENTS`] of them.
    pub clients: Vec<ClientStatus>,
    /// Questions of NTP since chronyd's start.
    pub asked: u64,
    /// Of them, how many were not answered because too many came.
    pub dropped: u64,
}

/// Most clients that are named.
pub const CLIENTS: usize = 256;

/// What chronyd takes for the time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tracking {
    /// Whether it has the time from its sources.
    pub synchronised: bool,
    /// The source it goes by, as it calls it.
    pub source: Option<String>,
    /// Distance from a reference clock in servers; 0 while not synchronised.
    pub stratum: u8,
    /// Seconds that the host's clock is ahead of what is served; negative when it is behind.
    pub offset: f64,
    /// Parts per million by which the host's clock runs fast.
    pub frequency: f64,
    /// Seconds to the reference clock and back.
    pub root_delay: f64,
    /// Seconds that the time may be wrong beside that.
    pub root_dispersion: f64,
    /// Unix seconds of the last measurement that counted.
    pub reference_time: f64,
    /// `normal`, `insert second`, `delete second` or `not synchronised`.
    pub leap: String,
}

/// A server that the time is taken from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// Name or address.
    pub name: String,
    /// Whether its answers are authenticated.
    pub nts: bool,
    /// `selected`, `combined`, `unused`, `false`, `unsteady`, or `unreachable`.
    pub state: String,
    /// Distance from a reference clock.
    pub stratum: u8,
    /// Of the last eight questions, how many were answered.
    pub reached: u8,
    /// Seconds since the last answer, if there was one.
    pub last: Option<u64>,
    /// Seconds that the host's clock is ahead of it.
    pub offset: f64,
}

/// A device that asks for the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientStatus {
    /// Its address.
    pub address: IpAddr,
    /// How often it asked since chronyd's start.
    pub asked: u64,
    /// How many of its questions were not answered.
    pub dropped: u64,
    /// Seconds since it asked last.
    pub last: u64,
}
