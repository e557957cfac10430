//! Which generation is in force.

use serde::{Deserialize, Serialize};

use super::generation::NUMBER_MAX;

/// Content of `state.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Generation in force, 0 for none: the one to go back to while another is pending.
    pub current: u64,
    /// Generation in force before it, 0 for none: what `cell.toml` holds when a run ended before it could follow.
    #[serde(default)]
    pub previous: u64,
    /// Highest number ever given, so that a number never means two things.
    #[serde(default)]
    pub highest: u64,
    /// A change that is not kept yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Generations that were taken back.
    #[serde(default)]
    pub reverted: Vec<u64>,
}

/// A change that is not kept yet. Whatever ends the engine now, the next start goes back to [`State::current`] unless
/// the confirmation window of the same boot is still open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Its generation.
    pub generation: u64,
    /// Set once it is applied and waits: when the window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// End of a confirmation window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Boot it belongs to.
    pub boot_id: String,
    /// Seconds since that boot.
    pub until: u64,
}

/// At most this many reverted numbers are remembered.
const REVERTED_MAX: usize = 200;

impl State {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let state: Self = serde_json::from_slice(bytes).ok()?;
        let pending = state.pending.as_ref().map_or(0, |pending| pending.generation);
        (state.current.max(state.highest).max(pending) <= NUMBER_MAX).then_some(state)
    }

    pub(super) fn render(&self) -> Vec<u8> {
        let mut state = self.clone();
        let extra = state.reverted.len().saturating_sub(REVERTED_MAX);
        state.reverted.drain(..extra);
        // Plain data with string keys always serialises.
        serde_json::to_vec(&state).unwrap_or_default()
    }
}
