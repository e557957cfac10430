//! Putting into a file what belongs to it and stands elsewhere: keys in files beside it, a user name and a password.

use zeroize::Zeroizing;

use super::read::AUTH;
use super::{Block, Credentials, words};

/// A file with this user name and password in it, in the place of those that it may have.
pub fn add_credentials(text: &str, both: &Credentials) -> Zeroizing<String> {
    let (begin, end) = (format!("<{AUTH}>"), format!("</{AUTH}>"));
    let mut out = Zeroizing::new(String::with_capacity(text.len() + 512));
    let mut is_inside = false;
    for line in text.lines() {
        is_inside |= line.trim() == begin;
        if !is_inside {
            out.push_str(line);
            out.push('\n');
        }
        is_inside &= line.trim() != end;
    }
    for line in [begin.as_str(), both.user.expose(), both.password.expose(), end.as_str()] {
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Files with keys that a text names, each with its block, where these are plain names of files that may lie beside it.
pub fn named_files(text: &str) -> Vec<(Block, String)> {
    text.lines().filter_map(named).take(Block::ALL.len()).collect()
}

/// A file with the content of one that it names in it.
pub fn put_in(text: &str, block: Block, file: &str, content: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() + content.len() + 64));
    for line in text.lines() {
        match named(line) {
            Some((other, name)) if other == block && name == file => {
                let direction =
                    words::split(line.trim()).and_then(|words| words.get(2).cloned()).unwrap_or_default();
                out.push_str(&format!("{} [inline] {direction}", block.as_str()));
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out.push_str(&format!("<{}>\n{}\n</{}>\n", block.as_str(), content.trim_end(), block.as_str()));
    out
}

fn named(line: &str) -> Option<(Block, String)> {
    let words = words::split(line.trim())?;
    let block = Block::named(words.first()?.trim_start_matches('-'))?;
    let file = words.get(1).filter(|file| super::super::is_file_name(file))?;
    Some((block, file.clone()))
}
