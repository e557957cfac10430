//! What tor says of itself at its control socket (control-spec, `GETINFO`).

/// Bytes of an answer that are looked at.
pub const MAX_BYTES: usize = 8 << 10;
/// Letters of tor's words that are passed on.
const WORDS: usize = 120;

/// The question. It may be asked again and again on one connection.
pub const QUESTION: &str =
    "AUTHENTICATE\r\nGETINFO status/bootstrap-phase status/circuit-established network-liveness\r\n";

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How far it has come on its way to the network, 0 to 100.
    pub percent: u8,
    /// What it is at.
    pub doing: String,
    /// Whether it has circuits, and something comes back from the network.
    pub connected: bool,
}

/// Whether an answer has come to its end: both commands were done, or one was not.
pub fn is_whole(text: &str) -> bool {
    let is_end = |line: &&str| line.starts_with("250 ");
    text.lines().filter(is_end).count() >= 2 || text.lines().any(|line| line.starts_with('5'))
}

/// Reads an answer; `None` where tor does not say how it is.
pub fn read(text: &str) -> Option<Report> {
    let mut report = Report::default();
    let (mut phase, mut circuits, mut live) = (false, false, true);
    for line in text.lines() {
        let line = line.strip_prefix("250-").or_else(|| line.strip_prefix("250 ")).unwrap_or_default();
        match line.split_once('=') {
            Some(("status/bootstrap-phase", said)) => {
                let word = |key: &str| said.split(' ').find_map(|word| word.strip_prefix(key));
                report.percent = word("PROGRESS=")?.parse().ok().filter(|percent| *percent <= 100)?;
                report.doing = summary(said);
                phase = true;
            }
            Some(("status/circuit-established", said)) => circuits = said.trim() == "1",
            Some(("network-liveness", said)) => live = said.trim() != "down",
            _ => {}
        }
    }
    report.connected = circuits && live && report.percent == 100;
    phase.then_some(report)
}

/// `SUMMARY="…"`, made safe to print.
fn summary(said: &str) -> String {
    let quoted = said.split_once("SUMMARY=\"").map(|(_, rest)| rest).unwrap_or_default();
    let words = quoted.split('"').next().unwrap_or_default();
    words.chars().filter(|letter| !letter.is_control()).take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tor_says_is_understood() {
        let text = |percent: &str, circuits: &str, live: &str| {
            format!(
                "250 OK\r\n250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS={percent} TAG=x SUMMARY=\"Loading \
                 relay descriptors\"\r\n250-status/circuit-established={circuits}\r\n250-network-liveness={live}\r\n\
                 250 OK\r\n"
            )
        };
        assert!(is_whole(&text("45", "0", "up")) && is_whole("515 Authentication failed\r\n"));
        assert!(!is_whole("250 OK\r\n250-status/circuit-established=1\r\n"));
        let report = read(&text("45", "0", "down")).unwrap();
        assert_eq!((report.percent, report.doing.as_str()), (45, "Loading relay descriptors"));
        assert!(!report.connected);
        assert!(read(&text("100", "1", "up")).unwrap().connected);
        for (circuits, live) in [("0", "up"), ("1", "down")] {
            assert!(!read(&text("100", circuits, live)).unwrap().connected);
        }
        for bad in ["", "515 Authentication failed\r\n", &text("101", "1", "up"), &text("x", "1", "up")] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
