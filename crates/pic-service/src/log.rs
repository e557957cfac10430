//! Where words go: stderr, which systemd hands to the journal. Never a secret.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging. `PIC_LOG` (else `RUST_LOG`) chooses how much, as in `PIC_LOG=debug`; without either it is `default`.
pub fn init(default: &str) {
    let filter = EnvFilter::try_from_env("PIC_LOG").or_else(|_| EnvFilter::try_from_default_env());
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(default));
    // The journal adds the time itself.
    let words = Words { prefix: is_journal(), format: Format::default().without_time() };
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter)
        .event_format(words)
        .init();
}

/// Has everything unsaid from now on that a library says, by the beginning of its targets: for one that is being taken down, whose
/// complaints are no news. The first one counts.
pub fn mute(library: &'static str) {
    let _ = MUTED.set(library);
}

static MUTED: OnceLock<&str> = OnceLock::new();

/// Whether stderr is the journal's, as `JOURNAL_STREAM` tells by device and inode (systemd.exec(5)). The variable alone
/// says nothing: whoever started us may have redirected us.
fn is_journal() -> bool {
    let stderr = || {
        let meta = File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata()?;
        io::Result::Ok((meta.dev(), meta.ino()))
    };
    let said = std::env::var_os("JOURNAL_STREAM");
    said.is_some_and(|said| stderr().is_ok_and(|stderr| stream(&said) == Some(stderr)))
}

fn stream(text: &OsStr) -> Option<(u64, u64)> {
    let (device, inode) = text.to_str()?.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

/// Lines of the usual shape; with `prefix` each says its priority in the way the journal takes from stderr
/// (sd-daemon(3)), so that `journalctl -p err` finds what is wrong.
struct Words {
    prefix: bool,
    format: Format<Full, ()>,
}

impl<S, N> FormatEvent<S, N> for Words
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if MUTED.get().is_some_and(|library| event.metadata().target().starts_with(library)) {
            return Ok(());
        }
        if self.prefix {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        self.format.format_event(context, writer, event)
    }
}

/// The number that syslog(3) has for it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_its_stream() {
        assert_eq!(stream(OsStr::new("9:4711")), Some((9, 4711)));
        for bad in ["", "9", "9:", "x:1", "9:1:2"] {
            assert_eq!(stream(OsStr::new(bad)), None, "{bad}");
        }
        assert!(priority(Level::ERROR) < priority(Level::WARN) && priority(Level::TRACE) == 7);
    }
}
