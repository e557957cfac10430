//! Words to systemd about the engine: that it is alive, and how the cell is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pic_engine::{Handle, Health, Report};
use pic_service::life;

/// Counts what the engine does to the host: that it grows is a sign of life during a long change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// One more thing was done.
    pub(crate) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Shows the state of the cell in `systemctl status`.
pub(crate) fn status(report: &Report) {
    let generation = report.current.generation;
    let words = match report.health() {
        _ if generation == 0 => "no cell yet: /etc/pic/cell.toml is missing or refused".to_owned(),
        Health::Ok => format!("generation {generation}: everything as wanted"),
        Health::Degraded | Health::Blocked | Health::Failed => {
            format!("generation {generation}: not as wanted, see `picctl status`")
        }
    };
    life::doing(&words);
}

/// Tells systemd that we live as long as the engine's thread answers or works; a timer alone would prove nothing.
pub(crate) async fn watchdog(handle: Handle, pulse: Pulse) {
    let Some(limit) = life::patience() else { return };
    let step = (limit / 4).max(Duration::from_millis(100));
    let mut last = pulse.count();
    loop {
        let answered = match tokio::time::timeout(step, handle.history()).await {
            Ok(Ok(_)) => true,
            Ok(Err(_)) => return,
            Err(_) => false,
        };
        let count = pulse.count();
        if answered || count != last {
            life::alive();
        } else {
            tracing::error!("the engine neither answers nor works");
        }
        last = count;
        if answered {
            tokio::time::sleep(step).await;
        }
    }
}
