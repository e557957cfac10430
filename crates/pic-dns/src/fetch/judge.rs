//! Whether what was fetched is a list.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::blocklist;

/// A list that shrinks to less than a part of this is a list that somebody broke.
const SHRINK: usize = 10;
/// Shorter lists may shrink as they like.
const SHORT: usize = 100;

/// Names in the file; an error says why it is none that could take the place of one with `old` names.
pub(super) fn judge(path: &Path, old: usize) -> io::Result<usize> {
    let refuse = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut file = BufReader::new(File::open(path)?);
    if is_page(file.fill_buf()?) {
        return Err(refuse("what is there is a web page and no list".to_owned()));
    }
    let parsed = blocklist::read(file)?;
    let names = parsed.blocked.len();
    if names == 0 {
        return Err(refuse("there is not one name in it".to_owned()));
    }
    if old >= SHORT && names < old / SHRINK {
        let hint = "if that is right, remove the list, and add it again";
        return Err(refuse(format!("it has only {names} names, and had {old} before; {hint}")));
    }
    Ok(names)
}

/// No line of a list begins so.
fn is_page(begin: &[u8]) -> bool {
    let text = begin.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(begin).trim_ascii_start();
    text.starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let judged = |text: &str, old: usize| {
            File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
            judge(&path, old).map_err(|error| error.to_string())
        };
        assert_eq!(judged("a.example\nb.example\n", 0), Ok(2));
        assert_eq!(judged("a.example\n", 99), Ok(1), "short ones may shrink");
        assert!(judged("a.example\n", 100).unwrap_err().contains("only 1 names, and had 100"));
        assert!(judged("", 0).unwrap_err().contains("not one name"));
        assert!(judged("\u{feff}\n <!DOCTYPE html>\nhost.example\n", 0).unwrap_err().contains("web page"));
    }
}
