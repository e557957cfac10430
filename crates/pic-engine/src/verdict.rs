//! Whether what is wrong after a change is the change's fault.
//!
//! A service that could not start yesterday must not keep its owner from shutting a stolen device out today: a change
//! is taken back only for what it touches and for what was right before it.

use std::collections::BTreeSet;

use pic_plan::compile::compile;
use pic_plan::diff::diff;
use pic_plan::plan::{Domain, Step};

use crate::engine::Engine;
use crate::reconcile::{Look, Outcome};
use crate::report::Health;

/// How the host was before a change, and where the change has something to do.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// Domains that were not as wanted already.
    pub(crate) ailing: BTreeSet<Domain>,
    /// Domains with a step that the change asks for and the state before it did not.
    pub(crate) touched: BTreeSet<Domain>,
}

impl Before {
    /// Whether the change must be taken back.
    pub(crate) fn blames(&self, outcome: &Outcome) -> bool {
        outcome.vital().any(|domain| self.touched.contains(domain) || !self.ailing.contains(domain))
    }
}

impl Engine {
    /// Judges the host that `look` has just seen; `fresh` says that all but files and units was as wanted.
    pub(crate) fn before(&self, look: &Look, fresh: bool) -> Before {
        let is_unit = |step: &&Step| step.action.domain() == Domain::Unit;
        // A healthy cell owes nothing, and compiling ten thousand peers to find that out takes its time.
        let is_healthy = fresh && look.unread.is_empty() && !look.steps.iter().any(|step| is_unit(&step));
        let owed = if is_healthy { Vec::new() } else { self.owed() };
        let asked = look.steps.iter().chain(&look.unsure);
        let is_new = |step: &&Step| !owed.iter().any(|old| old.action == step.action);
        let reported = self.domains.iter().filter(|(_, report)| report.health != Health::Ok);
        let ailing = reported.map(|(domain, _)| *domain).chain(look.unread.keys().copied());
        Before {
            touched: asked.filter(is_new).map(|step| step.action.domain()).collect(),
            ailing: ailing.chain(owed.iter().map(|step| step.action.domain())).collect(),
        }
    }

    /// Steps that the state in force would take on the host as it is.
    fn owed(&self) -> Vec<Step> {
        match (&self.current.desired, &self.facts) {
            (Some(desired), Some(facts)) => diff(&compile(Some(desired), facts), &self.seen),
            _ => Vec::new(),
        }
    }

    /// What is wrong all the same, to be added to how a change ended; empty when nothing is.
    pub(crate) fn still(&self) -> String {
        let wrong = self.domains.iter().filter(|(_, report)| report.health != Health::Ok);
        let words: Vec<_> =
            wrong.map(|(domain, report)| format!("{}: {}", domain.as_str(), report.words)).collect();
        if words.is_empty() { String::new() } else { format!("; still not as wanted: {}", words.join("; ")) }
    }
}
