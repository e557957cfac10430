//! What a compilation leaves for the next one: of a hundred thousand grants, mostly one is new.

use std::sync::Arc;

use pic_model::Desired;
use pic_model::policy::Grant;

use super::policy::{Policy, Seen};
use crate::Facts;

/// What grants come to.
#[derive(Debug, Clone, Default)]
pub struct Granted {
    pub(super) policy: Policy,
    pub(super) seen: Seen,
}

/// A compilation that was made already.
#[derive(Debug, Clone, Copy)]
pub struct Before<'b> {
    /// Of this.
    pub desired: &'b Desired,
    /// At this moment.
    pub facts: &'b Facts,
    /// Unix second from which on it is no longer right.
    pub until: i64,
    /// What it left.
    pub granted: &'b Granted,
}

impl Before<'_> {
    /// The grants that a state has beyond that one; `None` where anything else is different.
    pub(super) fn added<'d>(&self, desired: &'d Desired, facts: &Facts) -> Option<&'d [Arc<Grant>]> {
        let now = facts.now;
        let holds = (self.facts.now..self.until).contains(&now);
        let then = Facts { now, generation: facts.generation, ..self.facts.clone() };
        if holds && then == *facts { desired.grants_beyond(self.desired) } else { None }
    }
}
