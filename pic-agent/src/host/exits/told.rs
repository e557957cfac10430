//! Signs of life of an exit that is a program on this host: what `pic-exit` says about it, in a file that counts for a
//! moment.

use std::path::Path;
use std::time::Duration;

use pic_drivers::files;
use pic_model::snapshot::exit::{ExitStatus, VERSION};

use crate::host::boot;

/// Bytes of the file.
const MAX_BYTES: u64 = 16 << 10;
/// How long what it says counts. It is written twice a second.
const FRESH: Duration = Duration::from_secs(2);

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sign {
    /// Whether connections can be made.
    pub(super) works: bool,
    /// How far it has come, 0 to 100; `None` where that is not known.
    pub(super) percent: Option<u8>,
    /// Why it does not work, in words.
    pub(super) words: String,
}

/// Looks at the status of an exit.
pub(super) fn look(status: &Path) -> Sign {
    let silent = || Sign { words: "pic-exit, which carries it, says nothing".to_owned(), ..Sign::default() };
    let Ok(Some(bytes)) = files::read_bounded(status, MAX_BYTES) else { return silent() };
    read(&bytes, boot()).unwrap_or_else(silent)
}

fn read(bytes: &[u8], now: Duration) -> Option<Sign> {
    let status: ExitStatus = serde_json::from_slice(bytes).ok()?;
    let age = now.saturating_sub(Duration::from_millis(status.at_ms));
    if status.version != VERSION || age > FRESH {
        return None;
    }
    let doing: String = status.doing.chars().filter(|letter| !letter.is_control()).take(120).collect();
    let words = match status.trouble {
        _ if status.connected => String::new(),
        Some(words) => words,
        None if status.percent == 100 => "nothing comes back from the Tor network".to_owned(),
        None => format!("tor is on its way, {} %: {doing}", status.percent),
    };
    Some(Sign { works: status.connected, percent: Some(status.percent), words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_counts_for_a_moment() {
        let status = ExitStatus {
            version: VERSION,
            at_ms: 9_000,
            connected: true,
            percent: 100,
            ..ExitStatus::default()
        };
        let at =
            |status: &ExitStatus, now| read(&serde_json::to_vec(status).unwrap(), Duration::from_secs(now));
        assert!(at(&status, 10).unwrap().works);
        assert_eq!(at(&status, 12), None, "it is dead by now");
        let going = ExitStatus { connected: false, percent: 45, doing: "Loading".into(), ..status.clone() };
        let sign = at(&going, 9).unwrap();
        assert_eq!(
            (sign.works, sign.percent, sign.words.as_str()),
            (false, Some(45), "tor is on its way, 45 %: Loading")
        );
        assert_eq!(at(&ExitStatus { version: 2, ..status }, 10), None);
        assert_eq!(read(b"{", Duration::ZERO), None);
    }
}
