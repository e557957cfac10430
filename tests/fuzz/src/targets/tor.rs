//! What `pic-exit` reads of tor.

use pic_exit::tor::report;

pub(super) fn report(input: &[u8]) {
    let _ = report::is_whole(&String::from_utf8_lossy(input));
    let Some(report) = report::read(&String::from_utf8_lossy(input)) else { return };
    assert!(report.percent <= 100, "more than all");
    assert!(!report.connected || report.percent == 100, "connected on its way");
    assert!(
        report.doing.len() <= 480 && !report.doing.contains(char::is_control),
        "words that cannot be printed"
    );
}
