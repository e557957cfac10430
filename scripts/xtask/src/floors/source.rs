//! What stands in the files of one crate.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::graph::Crate;

/// Lines of code a file may have without an excuse. Tests, comments and empty lines do not count.
const BUDGET: usize = 600;
/// How a larger file starts its excuse, in its module documentation.
const EXCUSE: &str = "//! Large because ";
/// What reaches the world.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    // Threads that outlive a call, and such as wait. Those of a scope end within it: what comes out is the same on one processor.
    "thread::spawn",
    "thread::sleep",
    "thread::park",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "ToSocketAddrs",
    "println!",
];

/// Every breach in a crate's folder.
pub(super) fn breaches(one: &Crate, pure: bool) -> Result<Vec<String>> {
    let folder = one.manifest_path.parent().unwrap_or(Path::new("."));
    let mut out = Vec::new();
    let manifest = read(&one.manifest_path)?;
    if !takes_lints(&manifest) {
        out.push(format!("{}: does not take the workspace's lints: add [lints] workspace = true", one.name));
    }
    for path in files(folder)? {
        let text = read(&path)?;
        let short = path.strip_prefix(folder).unwrap_or(&path).display();
        let in_src = path.starts_with(folder.join("src"));
        out.extend(
            of_text(&text, pure && in_src)
                .into_iter()
                .map(|breach| format!("{}/{short}: {breach}", one.name)),
        );
    }
    Ok(out)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Whether `workspace = true` stands in the manifest's table `[lints]`.
fn takes_lints(manifest: &str) -> bool {
    let table = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    table.take_while(|line| !line.starts_with('[')).any(|line| line == "workspace = true")
}

/// All Rust files below a folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            out.extend(files(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}

fn of_text(text: &str, pure: bool) -> Vec<String> {
    let mut out = Vec::new();
    let code: Vec<(usize, &str)> = code(text).collect();
    if code.len() > BUDGET && !text.lines().take(30).any(|line| line.starts_with(EXCUSE)) {
        out.push(format!("{} lines of code; split it, or say why at its top: {EXCUSE}…", code.len()));
    }
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.starts_with("#[allow(") || line.starts_with("#![allow(") {
            out.push(format!("{number}: use #[expect(lint, reason = \"…\")] instead of allow"));
        }
    }
    if pure {
        for (number, line) in code {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                out.push(format!("{number}: {word} in a pure crate"));
            }
        }
    }
    out
}

/// Numbered lines of code: no comments, no empty lines, nothing from the test module on, which stands last.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let mut lines = numbered.peekable();
    std::iter::from_fn(move || {
        let (number, line) = lines.next()?;
        let tests = line == "#[cfg(test)]"
            && lines.peek().is_some_and(|(_, next)| next.starts_with("mod ") && next.ends_with('{'));
        (!tests).then_some((number, line))
    })
    .filter(|(_, line)| !line.is_empty() && !line.starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_counts_code_and_takes_an_excuse() {
        let long = "let x = 1;\n".repeat(BUDGET + 1);
        assert_eq!(of_text(&long, false).len(), 1);
        assert_eq!(
            of_text(&format!("//! A table.\n//! Large because it is one table.\n{long}"), false).len(),
            0
        );
        let tests = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(of_text(&tests, false).len(), 0);
        assert_eq!(of_text(&"// words\n\n".repeat(BUDGET + 1), false).len(), 0);
    }

    #[test]
    fn purity_and_allow() {
        let text = "use std::fs;\n// std::env is not used\n#[cfg(test)]\nmod tests {\nuse std::env;\n}\n";
        assert_eq!(of_text(text, true), ["1: std::fs in a pure crate"]);
        assert_eq!(of_text(text, false).len(), 0);
        assert_eq!(of_text("  #[allow(dead_code)]\nfn f() {}\n", false).len(), 1);
    }

    #[test]
    fn lints_stand_in_their_own_table() {
        assert!(takes_lints("[package]\nname = \"x\"\n[lints]\nworkspace = true\n[dependencies]\n"));
        assert!(!takes_lints("[package]\nname = \"x\"\n[lints]\n[x]\nworkspace = true\n"));
        assert!(!takes_lints("[package]\n"));
    }
}
