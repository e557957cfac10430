//! The help of every command, as a person sees it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops there")]

mod kit;

use clap::CommandFactory;

/// Every command by its words, `picctl` itself first.
fn commands(command: &clap::Command, words: &[String]) -> Vec<Vec<String>> {
    let below = command.get_subcommands().filter(|sub| sub.get_name() != "help").flat_map(|sub| {
        let words: Vec<_> = words.iter().cloned().chain([sub.get_name().to_owned()]).collect();
        commands(sub, &words)
    });
    std::iter::once(words.to_vec()).chain(below).collect()
}

#[test]
fn help_of_every_command() {
    let found = commands(&picctl::cli::Cli::command(), &[]);
    assert!(found.len() > 25, "{}", found.len());
    for words in found {
        let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
        args.push("--help");
        let ran = kit::finish(kit::picctl(std::path::Path::new("/no/such"), &args));
        assert_eq!(ran.code, 0);
        let name = format!("picctl {}", words.join(" "));
        insta::assert_snapshot!(name.trim_end().replace(' ', "_"), ran.out);
        // What every command has is shown with each, so the help of one fits a screen of text.
        assert!(ran.out.lines().count() < 100, "{name}");
    }
}
