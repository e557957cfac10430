//! Who may reach what: grants, services, forwards.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A grant as it stands in `cell.toml`, or what a peer's or LAN's `allow` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// What says it: `grant[0]`, `grant NAME`, `allow of peer NAME`, `allow of LAN NAME`.
    pub by: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Who may.
    pub from: Vec<String>,
    /// Reach what.
    pub to: Vec<String>,
    /// When it counts; absent is always.
    pub when: Option<String>,
    /// From when on it does not count, RFC 3339, UTC.
    pub expires: Option<String>,
    /// Whether it counts at this moment.
    pub in_force: bool,
}

/// Answer of `GET /api/grants`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantList {
    /// Page of grants: those of `cell.toml` in its order, then the short forms.
    pub items: Vec<Grant>,
    /// Number of grants that match.
    pub total: usize,
    /// Cursor of the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /api/grants`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// Who may: peers, groups, LANs, reservations, `peers`.
    pub from: Vec<String>,
    /// Reach what: services, hosts as `nas:445`, networks, `internet`, `cell`.
    pub to: Vec<String>,
    /// When it counts, as `daily 08:00-20:00`; absent is always.
    #[serde(default)]
    pub when: Option<String>,
    /// From when on it does not count: a date, or RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
    /// A name for it.
    #[serde(default)]
    pub name: Option<String>,
}

/// One who may reach something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaches {
    /// Who.
    pub subject: String,
    /// Through which target of the grant.
    pub target: String,
    /// By which grant.
    pub by: String,
    /// When, in words; empty is always.
    pub when: String,
}

/// Answer of `GET /api/who`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoList {
    /// What was asked about.
    pub to: String,
    /// Everyone who may reach all of it at this moment.
    pub items: Vec<Reaches>,
}

/// A named target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedService {
    /// Name.
    pub name: String,
    /// Who offers it.
    pub host: String,
    /// Where, as `tcp/445`; empty is the whole host.
    pub ports: Vec<String>,
    /// What it resolves to, for those who may reach it.
    pub fqdn: String,
}

/// Answer of `GET /api/services`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedServiceList {
    /// All services by name.
    pub items: Vec<NamedService>,
}

/// Body of `POST /api/services`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewService {
    /// Name: one label, unlike that of every peer, group, LAN and reservation.
    pub name: String,
    /// A peer, a reservation, an address, or `cell`.
    pub host: String,
    /// As `tcp/445` or `udp/5000-5010`; none are the whole host.
    #[serde(default)]
    pub ports: Vec<String>,
}

/// A port of the cell that leads to a host behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Port of the cell, as `tcp/8443`.
    pub listen: String,
    /// Where it leads, as `nas:443`.
    pub to: String,
    /// Whose connections are taken; empty is everyone's.
    #[serde(default)]
    pub from: Vec<String>,
}

/// Answer of `GET /api/forwards`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForwardList {
    /// All forwards in the order of `cell.toml`.
    pub items: Vec<Forward>,
}
