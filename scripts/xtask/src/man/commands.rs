//! Pages of `picctl` and of each command below it, and of the programs of the administrator.

use anyhow::Result;
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::Page;

/// What the command line does not say about itself: exit codes, environment, files, examples.
const PROSE: &str = include_str!("../../../../docs/man/picctl.roff");
/// Ends the page of every command below.
const SEE_ALSO: &str =
    ".SH EXIT STATUS\nAs of\n.BR picctl (1).\n.SH \"SEE ALSO\"\n.BR picctl (1),\n.BR cell.toml (5)\n";

/// Ends the page of each other program.
const SEE_PROGRAMS: &str = ".SH \"SEE ALSO\"\n.BR picctl (1),\n.BR cell.toml (5)\n";
/// Sections of the manual.
const USERS: char = '1';
const ADMINISTRATORS: char = '8';

/// One page per command.
pub(super) fn pages() -> Result<Vec<Page>> {
    let mut root = picctl::cli::Cli::command().disable_help_subcommand(true);
    // Gives the commands below their full names and the options of every command.
    root.build();
    let mut pages = vec![page(&root, USERS, PROSE)?];
    below(&root, &mut pages)?;
    let programs = [
        pic_agent::cli::command(),
        pic_agent::cli::guard_command(),
        pic_installer::options::Options::command(),
    ];
    for program in programs {
        pages.push(page(&program, ADMINISTRATORS, SEE_PROGRAMS)?);
    }
    Ok(pages)
}

fn below(command: &Command, pages: &mut Vec<Page>) -> Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        pages.push(page(sub, USERS, SEE_ALSO)?);
        below(sub, pages)?;
    }
    Ok(())
}

fn page(command: &Command, section: char, end: &str) -> Result<Page> {
    let has_below = command.has_subcommands();
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section(section)
        .manual("PIC")
        .source(concat!("pic ", env!("CARGO_PKG_VERSION")));
    let mut roff = Vec::new();
    man.render_title(&mut roff)?;
    man.render_name_section(&mut roff)?;
    man.render_synopsis_section(&mut roff)?;
    man.render_description_section(&mut roff)?;
    man.render_options_section(&mut roff)?;
    if has_below {
        man.render_subcommands_section(&mut roff)?;
    }
    roff.extend_from_slice(end.as_bytes());
    Ok(Page { name: format!("{name}.{section}"), roff })
}
