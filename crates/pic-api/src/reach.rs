//! What reaches what, and why.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the state in force does with a connection, by its own tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// Who begins it, as asked.
    pub from: String,
    /// Where it leads, as asked.
    pub to: String,
    /// Whether it arrives in every IP family that both ends have.
    pub allowed: bool,
    /// One for each such family.
    pub ways: Vec<WhyWay>,
    /// What became of a real packet, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<WhyLive>,
}

/// A real packet, as the kernel told its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyLive {
    /// Whether one came in time; all else is empty where none did.
    pub seen: bool,
    /// Place of the way in `ways` that it took.
    pub way: usize,
    /// `allowed`, `dropped` (also where its sender is told) or `unreachable`.
    pub verdict: String,
    /// What decided, in order.
    pub steps: Vec<WhyStep>,
    /// In what it differs from the simulation; empty where they agree.
    pub differs: Vec<String>,
}

/// The first packet of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyWay {
    /// Its source.
    #[schema(value_type = String)]
    pub source: IpAddr,
    /// Its destination.
    #[schema(value_type = String)]
    pub destination: IpAddr,
    /// Interface that it comes in by; absent for one that the cell itself sends.
    pub interface: Option<String>,
    /// `allowed`, `dropped`, `refused` (its sender is told) or `unreachable`.
    pub verdict: String,
    /// What decided, in order.
    pub steps: Vec<WhyStep>,
}

/// One thing that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyStep {
    /// A chain of the firewall, `routing` or `tunnel`.
    pub place: String,
    /// What happened there and why.
    pub words: String,
}

/// The tests of the state in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReachTestList {
    /// In the order of `cell.toml`.
    pub items: Vec<ReachTest>,
}

/// A `[[test]]` and whether the state in force does what it expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReachTest {
    /// Who begins the connection.
    pub from: String,
    /// Where it leads.
    pub to: String,
    /// `allowed` or `blocked`.
    pub expect: String,
    /// Whether it holds.
    pub holds: bool,
    /// What the state does, in words.
    pub words: String,
}
