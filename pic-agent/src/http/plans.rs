//! Plans that were shown and may be applied exactly: their texts, for a while.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pic_api::config::ChangeOptions;

/// A person reads a plan and decides; nobody decides after this.
const LIFE: Duration = Duration::from_secs(3600);
/// All texts together.
const BYTES: usize = 80 << 20;
/// At most as many.
const KEEP: usize = 64;

/// A change that was planned and not made.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) id: String,
    pub(crate) text: String,
    /// What was in force when it was planned.
    pub(crate) from: Arc<str>,
    pub(crate) options: ChangeOptions,
    /// Its text is the edited file's.
    pub(crate) takes_file: bool,
    pub(crate) at: Instant,
}

/// The last plans.
#[derive(Debug, Default)]
pub(crate) struct Plans(Mutex<VecDeque<Planned>>);

impl Plans {
    pub(crate) fn keep(&self, planned: Planned) {
        let mut plans = self.lock();
        plans.retain(|other| other.id != planned.id);
        plans.push_back(planned);
        while plans.len() > KEEP
            || (plans.len() > 1 && plans.iter().map(|plan| plan.text.len()).sum::<usize>() > BYTES)
        {
            plans.pop_front();
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<Planned> {
        let mut plans = self.lock();
        plans.retain(|plan| plan.at.elapsed() < LIFE);
        plans.iter().find(|plan| plan.id == id).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Planned>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
