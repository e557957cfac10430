//! `cargo xtask man`: one page per command, and the page of `cell.toml`.
//!
//! Facts come from the code (the command line, the list of fields), prose from `docs/man`. The tests render every page
//! and let `man` and `lexgrog` judge it.

mod cell_toml;
mod commands;

use std::path::Path;

/// A finished page.
struct Page {
    /// As `picctl.1`.
    name: String,
    roff: Vec<u8>,
}

/// Writes all pages.
pub(crate) fn write(out: &Path) -> anyhow::Result<()> {
    for page in pages()? {
        crate::put::file(out, &page.name, &page.roff)?;
    }
    Ok(())
}

fn pages() -> anyhow::Result<Vec<Page>> {
    let mut pages = commands::pages()?;
    pages.push(cell_toml::page());
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Runs a tool over a page; `None` where the tool is not installed.
    fn judge(program: &str, args: &[&str], page: &Path) -> Option<(bool, String)> {
        let mut command = Command::new(program);
        command.args(args).arg(page).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100").env("MANROFFSEQ", "");
        match command.output() {
            Ok(output) => {
                Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("{program} is not installed: {} not judged by it", page.display());
                None
            }
            Err(error) => panic!("{program}: {error}"),
        }
    }

    #[test]
    fn every_page_formats_without_a_warning_and_is_indexed() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let mut count = 0;
        for entry in folder.path().read_dir().unwrap() {
            let page = entry.unwrap().path();
            if let Some((good, words)) =
                judge("man", &["--warnings=w", "--local-file", "--encoding=UTF-8"], &page)
            {
                assert!(good && words.is_empty(), "{}: {words}", page.display());
            }
            if let Some((good, words)) = judge("lexgrog", &[], &page) {
                assert!(good, "{}: {words}", page.display());
            }
            count += 1;
        }
        assert!(count > 25, "{count} pages");
        let pages = [
            "picctl.1",
            "picctl-peer.1",
            "picctl-peer-add.1",
            "cell.toml.5",
            "pic-installer.8",
            "pic-agent.8",
        ];
        for name in pages {
            assert!(folder.path().join(name).exists(), "{name}");
        }
    }
}
