//! Units of the service manager.

/// A unit of ours that must run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// It must be active.
    pub active: bool,
}

/// State of a unit of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitState {
    /// `active`, or on its way there and back.
    pub active: bool,
    /// The manager's word, as `active`, `failed`, `activating`.
    pub words: String,
}
