//! Where the tables of one kind stand in a right file, found by its lines: one of a hundred thousand is taken out without
//! making a tree of all.

use std::ops::Range;

/// The tables `[[kind]]` in order, each with the comments above it and without those behind it. `None` where lines cannot
/// tell: a text of several lines may hold one that looks like a table's.
///
/// The fields of a table of this kind hold no list of lists, so that a line in it that begins with a bracket is the next
/// table's.
pub(crate) fn blocks(text: &str, kind: &str) -> Option<Vec<Range<usize>>> {
    if ["\"\"\"", "'''"].iter().any(|quotes| text.contains(quotes)) {
        return None;
    }
    let header = format!("[[{kind}]]");
    let mut found = Vec::new();
    // Behind the last line that says something, and where the table began that it belongs to.
    let (mut end, mut begun, mut at) = (0, None, 0);
    for line in text.split_inclusive('\n') {
        at += line.len();
        let words = line.trim_start();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if words.starts_with('[') {
            found.extend(begun.take().map(|start| start..end));
            begun = words.starts_with(&header).then_some(end);
        }
        end = at;
    }
    found.extend(begun.map(|start| start..end));
    Some(found)
}

/// The text without some of its blocks.
pub(crate) fn without(text: &str, blocks: &[Range<usize>], is_gone: impl Fn(usize) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (_, block) in blocks.iter().enumerate().filter(|(index, _)| is_gone(*index)) {
        out.push_str(text.get(at..block.start).unwrap_or_default());
        at = block.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Which blocks `new` has no longer, where that is all that it differs in.
pub(crate) fn missing(old: &str, new: &str, blocks: &[Range<usize>]) -> Option<Vec<usize>> {
    let (mut rest, mut at, mut gone) = (new, 0, Vec::new());
    for (index, block) in blocks.iter().enumerate() {
        rest = rest.strip_prefix(old.get(at..block.start)?)?;
        match rest.strip_prefix(old.get(block.clone())?) {
            Some(behind) => rest = behind,
            None => gone.push(index),
        }
        at = block.end;
    }
    (rest == old.get(at..)?).then_some(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# mine\na = 1\n\n# first\n[[x.y]]\nb = 1 # here\n\n  [[x.y]] # second\nb = [\n  # of\n  1,\n]\n\n# of z\n[z]\nc = 1\n[[x.y]]\n# at the end\n";

    #[test]
    fn each_has_the_comments_above_it() {
        let found = blocks(TEXT, "x.y").unwrap();
        let texts: Vec<_> = found.iter().map(|block| &TEXT[block.clone()]).collect();
        let wanted = [
            "\n# first\n[[x.y]]\nb = 1 # here\n",
            "\n  [[x.y]] # second\nb = [\n  # of\n  1,\n]\n",
            "[[x.y]]\n",
        ];
        assert_eq!(texts, wanted);
        let new = without(TEXT, &found, |index| index != 1);
        assert_eq!(
            new,
            "# mine\na = 1\n\n  [[x.y]] # second\nb = [\n  # of\n  1,\n]\n\n# of z\n[z]\nc = 1\n# at the end\n"
        );
        assert_eq!(missing(TEXT, &new, &found), Some(vec![0, 2]));
        assert_eq!(missing(TEXT, TEXT, &found), Some(vec![]));
        for other in [new.replace("c = 1", "c = 2"), format!("{new}\n"), TEXT.replace("b = 1", "b = 2")] {
            assert_eq!(missing(TEXT, &other, &found), None, "{other}");
        }
    }

    #[test]
    fn lines_of_long_texts_are_no_tables() {
        assert_eq!(blocks("a = \"\"\"\n[[x]]\n\"\"\"\n", "x"), None);
        assert_eq!(blocks("a = '''\n[[x]]\n'''\n", "x"), None);
        assert_eq!(blocks("", "x"), Some(vec![]));
        assert_eq!(blocks("[[x]]", "x").map(|found| found.len()), Some(1));
        assert_eq!(blocks("[[xy]]\n[[ x ]]\n", "x"), Some(vec![]));
    }
}
