//! How the change that made a generation went: `op-N.json` beside it, for those who ask after the engine has forgotten.

use serde::{Deserialize, Serialize};

use crate::report::{Operation, OperationState};

/// Larger files are none of ours.
const MAX: usize = 64 << 10;
/// Characters kept of the words, and of each risk.
const WORDS: usize = 4096;
/// Risks kept; there is one per kind.
const RISKS: usize = 16;

/// How a change went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Where it ended, or waits.
    pub state: OperationState,
    /// The same in words.
    pub words: String,
    /// What its plan put at risk.
    pub risks: Vec<String>,
    /// Unix seconds when it came there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}

impl Record {
    /// Of an operation as it stands.
    pub(crate) fn of(operation: &Operation) -> Self {
        let cut = |words: &str| words.chars().take(WORDS).collect();
        let risks = operation.plan.risks.iter().take(RISKS).map(|risk| cut(&risk.words));
        Self {
            state: operation.state,
            words: cut(&operation.words),
            risks: risks.collect(),
            at: Some(operation.at),
        }
    }

    /// `None` when it is damaged.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|_| bytes.len() <= MAX)
    }

    pub(super) fn render(&self) -> Vec<u8> {
        // Plain data with string keys always serialises.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

pub(super) fn file_name(number: u64) -> String {
    format!("op-{number}.json")
}
