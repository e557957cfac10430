//! What is limited and counted, with real traffic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod proxy;
mod queue;
mod quota;
mod strangers;
mod usage;

use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
