//! Columns: as wide as their widest cell, two spaces apart, the last one free.

use super::paint::Paint;
use super::text;

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
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// With a line of heads.
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|head| Cell::painted(head, Paint::bold)).collect()] }
    }

    /// Without heads: names and values.
    pub(crate) fn pairs() -> Self {
        Self { rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// A name and its value.
    pub(crate) fn pair(&mut self, name: &str, value: impl AsRef<str>) {
        self.row([Cell::painted(name, Paint::dim), value.into()]);
    }

    /// The whole table.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
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
        let text = table.render(Paint::of(Color::Never, true));
        let want = "NAME    ADDRESS     NOTE\nphone   10.77.0.2   x\ntv                  \\u{1b}[31m\nlaptop  10.77.0.30\n";
        assert_eq!(text, want);
    }
}
