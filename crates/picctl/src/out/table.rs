//! Columns, for a person on a terminal: as wide as their widest cell, two spaces apart, the last one free. For a program
//! at the other end of a pipe: a line per row, a tab between cells, no heads.

use super::paint::Paint;
use super::{Out, text};

/// A cell: its text and, when it has one, its colour.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    paint: fn(Paint, &str) -> String,
}

impl Cell {
    /// A cell in a colour.
    pub(crate) fn painted(text: &str, paint: fn(Paint, &str) -> String) -> Self {
        Self { text: text::line(text), paint }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text.as_ref(), |_, text| text.to_owned())
    }
}

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table {
    heads: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// With a line of heads.
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(|head| Cell::painted(head, Paint::bold)).collect(), rows: Vec::new() }
    }

    /// Without heads: names and values.
    pub(crate) fn pairs() -> Self {
        Self { heads: Vec::new(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// A name and its value.
    pub(crate) fn pair(&mut self, name: &str, value: impl AsRef<str>) {
        self.row([Cell::painted(name, Paint::dim), value.into()]);
    }

    /// As it suits who reads stdout.
    pub(crate) fn render(&self, out: &Out) -> String {
        if out.is_terminal() { self.columns(out.paint) } else { self.lines(out.paint) }
    }

    fn lines(&self, paint: Paint) -> String {
        let line = |row: &Vec<Cell>| {
            let cells: Vec<_> = row.iter().map(|cell| (cell.paint)(paint, cell.text.trim_start())).collect();
            cells.join("\t") + "\n"
        };
        self.rows.iter().map(line).collect()
    }

    fn columns(&self, paint: Paint) -> String {
        let heads = Some(&self.heads).filter(|heads| !heads.is_empty());
        let rows: Vec<_> = heads.into_iter().chain(&self.rows).collect();
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let width = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in rows {
            let mut gap = 0;
            for (cell, width) in row.iter().zip(&widths) {
                if cell.text.is_empty() {
                    gap += width + 2;
                    continue;
                }
                out.extend(std::iter::repeat_n(' ', gap));
                out.push_str(&(cell.paint)(paint, &cell.text));
                gap = width - cell.text.chars().count() + 2;
            }
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Color;

    #[test]
    fn columns_line_up_and_lines_end_clean() {
        let mut table = Table::new(&["NAME", "ADDRESS", "NOTE"]);
        table.row(["phone".into(), "10.77.0.2".into(), "x".into()]);
        table.row(["tv".into(), "".into(), "\x1b[31m".into()]);
        table.row(["laptop".into(), "10.77.0.30".into(), "".into()]);
        let paint = Paint::of(Color::Never, true);
        let text = table.columns(paint);
        let want = "NAME    ADDRESS     NOTE\nphone   10.77.0.2   x\ntv                  \\u{1b}[31m\nlaptop  10.77.0.30\n";
        assert_eq!(text, want);
        let want = "phone\t10.77.0.2\tx\ntv\t\t\\u{1b}[31m\nlaptop\t10.77.0.30\t\n";
        assert_eq!(table.lines(paint), want);
    }
}
