//! The desired state as text, and changes of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer of `GET /api/config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Config {
    /// Generation in force.
    pub generation: u64,
    /// `cell.toml` of that generation, exactly.
    pub toml: String,
    /// Strong tag for `If-Match`.
    pub etag: String,
    /// Whether `/etc/pic/cell.toml` differs from the generation in force: edited, not applied.
    pub edited: bool,
}

/// Body of `PUT /api/config` and of `POST /api/plans`: a whole new `cell.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConfig {
    /// The whole file; absent (in `POST /api/plans` and `POST /api/config/apply`) is `/etc/pic/cell.toml` as it stands.
    #[serde(default)]
    pub toml: Option<String>,
    /// How it is made sure that nobody is locked out.
    #[serde(default)]
    pub options: ChangeOptions,
}

/// Options of every change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOptions {
    /// Why, for the history.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Seconds to wait for a confirmation; 0 is none even if the plan is risky; absent lets the plan decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_seconds: Option<u64>,
}

/// Body of `PATCH /api/config`: settings by path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchConfig {
    /// Path as `wireguard.port` to a TOML value as text; null is the default.
    pub set: std::collections::BTreeMap<String, Option<String>>,
    /// Options.
    #[serde(default)]
    pub options: ChangeOptions,
}
