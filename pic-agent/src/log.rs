//! Where words go: the journal when it listens, else stderr. Never a secret.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. `PIC_LOG` (else `RUST_LOG`) chooses how much, as in `PIC_LOG=debug`.
pub(crate) fn init() {
    let filter = EnvFilter::try_from_env("PIC_LOG").or_else(|_| EnvFilter::try_from_default_env());
    let registry =
        tracing_subscriber::registry().with(filter.unwrap_or_else(|_| EnvFilter::new("info,zbus=warn")));
    if std::env::var_os("JOURNAL_STREAM").is_some()
        && let Ok(journal) = tracing_journald::layer()
    {
        registry.with(journal.with_field_prefix(Some("PIC".to_owned()))).init();
        return;
    }
    let colour = std::io::stderr().is_terminal();
    let layer =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour).without_time();
    registry.with(layer).init();
}
