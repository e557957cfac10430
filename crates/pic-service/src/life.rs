//! Life of a daemon as systemd sees it: ready, alive, stopping, ended.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use sd_notify::NotifyState;

/// It serves.
pub fn ready() {
    tell(&NotifyState::Ready);
}

/// It is about to end.
pub fn stopping() {
    tell(&NotifyState::Stopping);
}

/// It works. To be said by what would hang if it did not.
pub fn alive() {
    tell(&NotifyState::Watchdog);
}

/// What it is doing, for `systemctl status`.
pub fn doing(words: &str) {
    tell(&NotifyState::Status(words));
}

/// How long systemd waits for [`alive`], where it does.
pub fn patience() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Silent where nobody listens.
fn tell(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::debug!(%error, "systemd cannot be told");
    }
}

/// How the process ends, said with every cause where it is an error.
pub fn exit<E: Error>(done: Result<(), E>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", crate::chain(&error));
            ExitCode::FAILURE
        }
    }
}

#[cfg(feature = "signals")]
pub use stop::Stop;

#[cfg(feature = "signals")]
mod stop {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// Signals that end the process in good order. A hangup means nothing to us: files are followed as they change.
    #[derive(Debug)]
    pub struct Stop {
        terminate: Signal,
        interrupt: Signal,
        hangup: Signal,
    }

    impl Stop {
        /// Listens from now on; what comes before [`Stop::asked`] is waited for is not lost.
        ///
        /// # Errors
        /// The system takes no handler.
        pub fn listen() -> io::Result<Self> {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
            })
        }

        /// Waits until the process is to end.
        pub async fn asked(&mut self) {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => return,
                    _ = self.interrupt.recv() => return,
                    _ = self.hangup.recv() => {}
                }
            }
        }
    }
}
