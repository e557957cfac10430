//! `cell.toml`(5), from the model's list of fields.

use std::fmt::Write;

use pic_model::config::fields::{FIELDS, Field};

use super::Page;

/// What the file is and how it is changed.
const INTRO: &str = include_str!("../../../../docs/man/cell.toml.roff");
/// A file that uses every field.
const EXAMPLE: &str = include_str!("../../../../docs/man/example.toml");

/// The page.
pub(super) fn page() -> Page {
    let mut roff = format!(".TH CELL.TOML 5 \"\" \"pic {}\" PIC\n{INTRO}", env!("CARGO_PKG_VERSION"));
    for table in tables() {
        section(&mut roff, table);
    }
    roff.push_str(".SH EXAMPLE\n.EX\n");
    for line in EXAMPLE.lines() {
        roff.push_str(&escape(line));
        roff.push('\n');
    }
    roff.push_str(".EE\n.SH FILES\n.TP\n.I /etc/pic/cell.toml\n.SH \"SEE ALSO\"\n.BR picctl (1),\n.BR picctl-config (1)\n");
    Page { name: "cell.toml.5".to_owned(), roff: roff.into_bytes() }
}

/// Tables in the order of the list, the top level first.
fn tables() -> Vec<&'static str> {
    let mut tables: Vec<&'static str> = Vec::new();
    for field in FIELDS {
        if !tables.contains(&field.table) {
            tables.push(field.table);
        }
    }
    tables
}

fn section(roff: &mut String, table: &str) {
    let (above, name) = table.rsplit_once('.').unwrap_or(("", table));
    let parent = FIELDS.iter().find(|field| field.table == above && field.name == name);
    let is_list = parent.is_some_and(|field| field.kind.starts_with("list"));
    let title = match table {
        "" => "TOP LEVEL".to_owned(),
        table if is_list => format!("[[{table}]]"),
        table => format!("[{table}]"),
    };
    put(roff, format_args!(".SH \"{title}\"\n"));
    if let Some(parent) = parent.filter(|_| !name.is_empty()) {
        put(roff, format_args!("{}\n", escape(parent.about)));
    }
    for field in FIELDS.iter().filter(|field| field.table == table) {
        entry(roff, field);
    }
}

fn entry(roff: &mut String, field: &Field) {
    let default = match field.default {
        "" => "needed".to_owned(),
        default => format!("default: {default}"),
    };
    put(
        roff,
        format_args!(
            ".TP\n\\fB{}\\fR (\\fI{}\\fR; {})\n",
            escape(field.name),
            escape(field.kind),
            escape(&default)
        ),
    );
    put(roff, format_args!("{}\n", escape(field.about)));
}

/// Writing into a `String` cannot fail.
fn put(roff: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = roff.write_fmt(text);
}

/// Text that means nothing to roff: backslashes, hyphens that must stay hyphens, quotes that must stay straight,
/// dots and apostrophes at the start of a line.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    if text.starts_with(['.', '\'']) {
        out.push_str("\\&");
    }
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '"' => out.push_str("\\(dq"),
            '`' => out.push_str("\\(ga"),
            '~' => out.push_str("\\(ti"),
            '^' => out.push_str("\\(ha"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_valid_and_uses_every_field() {
        let cell = pic_model::config::parse(EXAMPLE).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(cell.peers.len(), 3);
        let mut table = "";
        let mut seen = Vec::new();
        for line in EXAMPLE.lines() {
            let line = line.trim_start_matches("# ");
            if let Some(name) = line.strip_prefix('[') {
                table = name.trim_matches(['[', ']']);
                seen.push(table.rsplit_once('.').unwrap_or(("", table)));
            } else if let Some((name, _)) = line.split_once(" = ") {
                seen.push((table, name));
            }
        }
        for field in FIELDS {
            assert!(
                seen.contains(&(field.table, field.name)),
                "{}.{} is not in the example",
                field.table,
                field.name
            );
        }
    }

    #[test]
    fn roff_sees_only_text() {
        assert_eq!(escape(".x \\ a-b"), "\\&.x \\e a\\-b");
    }

    #[test]
    fn every_field_is_on_the_page() {
        let page = String::from_utf8(page().roff).unwrap();
        for field in FIELDS {
            assert!(page.contains(&format!("\\fB{}\\fR", escape(field.name))), "{}", field.name);
        }
        assert!(page.contains(".SH \"[[peer]]\"") && page.contains(".SH \"[dns]\""));
    }
}
