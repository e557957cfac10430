//! Two changes of one text as one: a merge of lines with the text that both began with (diff3).
//!
//! What both touched is a contradiction, and there is no merge. One case that texts of a cell meet every day is none:
//! tables added at a place where the other one added or changed something, too.

use std::ops::Range;
use std::time::Duration;

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

/// Texts that take longer to compare are not merged.
const PATIENCE: Duration = Duration::from_millis(500);

/// `mine` on top of `theirs`, both made from `base`; `None` where they contradict each other.
pub(crate) fn merge(base: &str, theirs: &str, mine: &str) -> Option<String> {
    let lines = |text| -> Vec<&str> { str::split_inclusive(text, '\n').collect() };
    let (base, theirs, mine) = (lines(base), lines(theirs), lines(mine));
    let mut left = hunks(&base, &theirs).into_iter().peekable();
    let mut right = hunks(&base, &mine).into_iter().peekable();
    let mut out = String::new();
    let mut at = 0;
    loop {
        let next = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(a), Some(b)) if a == b => {
                right.next();
                left.next()
            }
            (Some(a), Some(b)) if a.touches(b) => {
                let both = a.beside(b, &base)?;
                left.next();
                right.next();
                Some(both)
            }
            (Some(a), Some(b)) if b.old.start < a.old.start => right.next(),
            (None, Some(_)) => right.next(),
            (Some(_), _) => left.next(),
        }?;
        // A hunk may touch more than one of the other side.
        if next.old.start < at {
            return None;
        }
        out.extend(base.get(at..next.old.start)?.iter().copied());
        next.new.iter().for_each(|line| out.push_str(line));
        at = next.old.end;
    }
    out.extend(base.get(at..)?.iter().copied());
    Some(out)
}

/// Lines of the base, and what became of them.
#[derive(Debug, PartialEq, Eq)]
struct Hunk<'a> {
    old: Range<usize>,
    new: Vec<&'a str>,
}

fn hunks<'a>(base: &[&'a str], changed: &[&'a str]) -> Vec<Hunk<'a>> {
    let deadline = std::time::Instant::now() + PATIENCE;
    let ops = capture_diff_slices_deadline(Algorithm::Myers, base, changed, Some(deadline));
    let mut all: Vec<Hunk<'a>> = Vec::new();
    for op in ops.into_iter().filter(|op| !matches!(op, DiffOp::Equal { .. })) {
        let new = changed.get(op.new_range()).unwrap_or_default();
        match all.last_mut().filter(|last| last.old.end == op.old_range().start) {
            Some(last) => {
                last.old.end = op.old_range().end;
                last.new.extend(new);
            }
            None => all.push(Hunk { old: op.old_range(), new: new.to_vec() }),
        }
    }
    all
}

impl<'a> Hunk<'a> {
    /// Whether they change the same lines, or lines beside each other.
    fn touches(&self, other: &Self) -> bool {
        self.old.start <= other.old.end && other.old.start <= self.old.end
    }

    /// Both, if one of them only adds whole tables behind the other's lines, where a table of the base ends: a table
    /// says the same whatever stands before its head.
    fn beside(&self, other: &Self, base: &[&str]) -> Option<Self> {
        let (first, tables) = if other.is_tables_behind(self) { (self, other) } else { (other, self) };
        let follows = base.get(first.old.end..)?.iter().find(|line| says_something(line));
        let is_whole = first.new.last().is_none_or(|line| line.ends_with('\n'));
        let is_free = tables.is_tables_behind(first) && follows.is_none_or(|line| is_head(line)) && is_whole;
        is_free.then(|| Self {
            old: first.old.clone(),
            new: first.new.iter().chain(&tables.new).copied().collect(),
        })
    }

    fn is_tables_behind(&self, other: &Self) -> bool {
        self.old.is_empty() && self.old.start == other.old.end && adds_tables(&self.new)
    }
}

fn adds_tables(lines: &[&str]) -> bool {
    lines.iter().find(|line| says_something(line)).is_some_and(|line| is_head(line))
}

fn says_something(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

fn is_head(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

#[cfg(test)]
mod tests {
    use super::merge;

    const BASE: &str = "[cell]\nname = \"home\"\n\n[wireguard]\nport = 1\nmtu = 2\n";

    #[test]
    fn changes_apart_are_both_made() {
        let theirs = BASE.replace("home", "villa");
        let mine = BASE.replace("mtu = 2", "mtu = 3");
        let both = BASE.replace("home", "villa").replace("mtu = 2", "mtu = 3");
        assert_eq!(merge(BASE, &theirs, &mine).as_deref(), Some(&*both));
        assert_eq!(merge(BASE, &mine, &theirs).as_deref(), Some(&*both));
        assert_eq!(merge(BASE, &theirs, BASE).as_deref(), Some(&*theirs));
        assert_eq!(merge(BASE, &theirs, &theirs).as_deref(), Some(&*theirs));
    }

    #[test]
    fn contradictions_are_none() {
        let other = |to: &str| BASE.replace("port = 1", to);
        assert_eq!(merge(BASE, &other("port = 2"), &other("port = 3")), None);
        // Beside each other: what one of them meant may be what the other removed.
        assert_eq!(merge(BASE, &other("port = 2"), &BASE.replace("mtu = 2", "mtu = 9")), None);
        assert_eq!(merge(BASE, &other(""), &other("port = 3")), None);
    }

    #[test]
    fn tables_at_one_place_stand_beside_each_other() {
        let with = |name: &str| format!("{BASE}\n[[peer]]\nname = \"{name}\"\n");
        let both = format!("{}\n[[peer]]\nname = \"b\"\n", with("a"));
        assert_eq!(merge(BASE, &with("a"), &with("b")), Some(both));
        // A bare setting stays in its table, whoever was first.
        let (bare, table) = (format!("{BASE}keepalive = 5\n"), with("a"));
        let want = table.replace("mtu = 2\n", "mtu = 2\nkeepalive = 5\n");
        assert_eq!(merge(BASE, &table, &bare).as_ref(), Some(&want));
        assert_eq!(merge(BASE, &bare, &table).as_ref(), Some(&want));
        let other = BASE.replace("mtu = 2", "mtu = 9");
        assert_eq!(merge(BASE, &table, &other), Some(table.replace("mtu = 2", "mtu = 9")));
        // Where a table goes on, another one would take the rest of it.
        let split = |text: &str| BASE.replace("port = 1\n", text);
        assert_eq!(merge(BASE, &split("port = 1\n[x]\n"), &split("port = 7\n")), None);
        let inside = |text: &str| BASE.replace("\n\n", &format!("\n{text}\n"));
        assert!(merge(BASE, &inside("[a]\nx = 1\n"), &inside("[b]\ny = 1\n")).is_some());
    }
}
