//! Foreign text made fit for a terminal, and sizes for people.

/// Characters that could move the cursor, change colours or reverse the reading order.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_dangerous(c) && !keep(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// One line: everything dangerous is escaped.
pub(crate) fn line(text: &str) -> String {
    escape(text, |_| false)
}

/// Several lines: line ends and tabs stay.
pub(crate) fn lines(text: &str) -> String {
    escape(text, |c| c == '\n' || c == '\t')
}

/// `/peer/2/name` as `peer[2].name`, which is how a person finds it; `/exit nl/file` as `exit nl, file`, which is no file's name.
pub(crate) fn dotted(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty() {
            out.push_str(&format!("[{part}]"));
        } else {
            if !out.is_empty() {
                out.push_str(if out.contains(' ') { ", " } else { "." });
            }
            out.push_str(part);
        }
    }
    out
}

/// Bytes in the unit that reads best.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths, without floating point.
    let (mut tenths, mut unit) = (u128::from(bytes) * 10 / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `1 step`, `2 steps`.
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        assert_eq!(line("a\x1b[2Jb\r\n\u{202e}c\u{9b}"), "a\\u{1b}[2Jb\\r\\n\\u{202e}c\\u{9b}");
        assert_eq!(lines("a\n\tb\x07"), "a\n\tb\\u{7}");
        assert_eq!(line("Zoë ✓"), "Zoë ✓");
    }

    #[test]
    fn sizes_and_paths() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 << 30), "5.0 GiB");
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
        assert_eq!(dotted("/peer/2/name"), "peer[2].name");
        assert_eq!(dotted(""), "");
    }
}
