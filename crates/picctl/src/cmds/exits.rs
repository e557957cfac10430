//! `picctl exit …`

mod ask;
mod openvpn;
mod proxy;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use pic_api::client::Change;
use pic_api::exit::{EgressLine, Exit as ExitView, NewExit, PatchExit};

use crate::exit::{Exit, Failure};
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::out::text;
use crate::time::ago;
use crate::{Context, Outcome};

/// Verbs of `picctl exit`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make an exit from a provider's WireGuard or OpenVPN file, one into the Tor network, one by a proxy, or one by another cell; or
    /// make one of this name another.
    ///
    /// Then send devices through it: `picctl peer set NAME --exit EXIT`. What is secret in a file goes to the cell's secrets;
    /// you may delete the file afterwards. Nothing of it is ever run. OpenVPN and Tor need Debian's packages openvpn and tor; Tor and proxies carry
    /// TCP and names.
    Add(Add),
    /// Offer this cell's internet to another cell: prints the file that `picctl exit add --kind cell` takes there.
    ///
    /// The other cell becomes a peer, with the internet and nothing else. With --dial this cell dials the other one, as it
    /// must where it is behind NAT; without, the other one dials this cell.
    Offer(super::offer::Offer),
    /// List the exits, whether they work, and who uses them.
    List,
    /// Show one exit.
    Show(Name),
    /// Test an exit: whether it works, and with --leaks whether anybody who is sent by it could leave another way.
    ///
    /// Nothing is sent anywhere and nobody is disturbed. Exit code 1 if something may leak or could not be looked at.
    Test(Test),
    /// Remove an exit. Refused while somebody uses it.
    Remove(Name),
    /// Switch an exit on again.
    Enable(Name),
    /// Switch an exit off: who uses it goes out by the next of the list, or nowhere.
    Disable(Name),
}

/// Arguments of `picctl exit add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its name: a-z, 0-9 and '-'.
    name: String,
    /// The provider's file, or that of the other cell; - reads it from the standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// User and password at the proxy or the OpenVPN provider, a line each; - reads them from the terminal or the standard input.
    /// Where an OpenVPN file asks for them and this is left out, you are asked at the terminal.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// What it is.
    #[arg(long, value_name = "KIND", default_value = "wireguard")]
    kind: Kind,
    #[command(flatten)]
    proxy: proxy::Options,
    /// What becomes of packets where this is the last of a list of exits and none works. Open: they leave in clear.
    #[arg(long, value_name = "WAY")]
    fail: Option<Fail>,
}

/// What an exit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A tunnel to a provider, by the provider's file.
    Wireguard,
    /// A tunnel to a provider's OpenVPN server, by the provider's file.
    Openvpn,
    /// The Tor network; there is no file.
    Tor,
    /// A proxy that speaks SOCKS5.
    Socks5,
    /// A proxy that speaks HTTP and makes connections (CONNECT).
    Http,
    /// Another cell, by the file that `picctl exit offer` printed there.
    Cell,
}

/// How an exit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fail {
    /// Packets are stopped.
    Closed,
    /// Packets leave by the uplink, in clear.
    Open,
}

/// Arguments of `picctl exit test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Its name.
    name: String,
    /// Look for leaks: in the compiled tables, in the kernel's, and by counting real packets for two seconds.
    #[arg(long)]
    leaks: bool,
}

/// An exit's name.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// Its name.
    name: String,
}

pub(super) async fn run(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Add(args) => add(context, args).await,
        Verb::Offer(args) => super::offer::run(context, args).await,
        Verb::List => list(context).await,
        Verb::Show(args) => show(context, &args.name).await,
        Verb::Test(args) => test(context, &args).await,
        Verb::Remove(args) => context.make(&Change::RemoveExit(&args.name)).await,
        Verb::Enable(args) => context.make(&Change::Exit(&args.name, PatchExit { enabled: true })).await,
        Verb::Disable(args) => context.make(&Change::Exit(&args.name, PatchExit { enabled: false })).await,
    }
}

async fn add(context: &Context, args: Add) -> Outcome {
    let fail = args.fail.map(|fail| if fail == Fail::Open { "open" } else { "closed" }.to_owned());
    let kind = match args.kind {
        Kind::Socks5 => Some("socks5"),
        Kind::Http => Some("http"),
        Kind::Wireguard | Kind::Openvpn | Kind::Tor | Kind::Cell => None,
    };
    if let Some(kind) = kind {
        return proxy::add(context, kind, args, fail).await;
    }
    args.proxy.refuse()?;
    if args.kind == Kind::Openvpn {
        return openvpn::add(context, args, fail).await;
    }
    if args.credentials.is_some() {
        return Err(Failure::Usage(
            "--credentials is for a proxy or an OpenVPN file: --kind socks5, http or openvpn".to_owned(),
        ));
    }
    let (kind, config) = match (args.kind, &args.file) {
        (Kind::Tor, None) => (Some("tor".to_owned()), String::new()),
        (Kind::Tor, Some(_)) => {
            return Err(Failure::Usage(
                "the Tor network is found without a file: leave --file out".to_owned(),
            ));
        }
        (Kind::Cell, Some(path)) => (Some("cell".to_owned()), provider_file(context, path)?),
        (_, Some(path)) => (None, provider_file(context, path)?),
        (Kind::Cell, None) => {
            let words =
                "say which file the other cell gave: --file FILE (`picctl exit offer NAME` makes it there)";
            return Err(Failure::Usage(words.to_owned()));
        }
        (_, None) => {
            return Err(Failure::Usage("say which file the provider gave: --file FILE".to_owned()));
        }
    };
    context
        .make(&Change::AddExit(&NewExit { name: args.name, kind, config, fail, ..NewExit::default() }))
        .await
}

/// The file of a provider. What is wrong with it is told here with the line, before anything is sent.
fn provider_file(context: &Context, path: &Path) -> Result<String, Failure> {
    let config = super::read_text(path)?;
    let read = pic_model::exit::provider::read(&config)
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    for note in &read.notes {
        context.out.note(note);
    }
    Ok(config)
}

async fn list(context: &Context) -> Outcome {
    let answer = context.client.exits().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else if answer.value.items.is_empty() {
        context
            .out
            .note("No exits: everything leaves by the uplink. Add one: picctl exit add nl --file FILE");
    } else {
        let mut table = Table::new(&["NAME", "STATE", "PROVIDER", "USED BY"]);
        for exit in &answer.value.items {
            let endpoint = exit.endpoint.as_deref().unwrap_or(if is_tor(exit) { "Tor" } else { "-" });
            table.row([
                Cell::from(exit.name.as_str()),
                state(exit),
                endpoint.into(),
                words(&exit.users).into(),
            ]);
        }
        context.out.text(&table.render(&context.out))?;
        list_egress(context, &answer.value.egress)?;
    }
    Ok(Exit::Done)
}

/// Exits by destination, behind the others.
fn list_egress(context: &Context, lines: &[EgressLine]) -> Outcome<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["TO", "FROM", "BY", "KNOWN"]);
    for line in lines {
        let from = if line.from.is_empty() { "all".to_owned() } else { line.from.join(", ") };
        let by = if line.exit.len() > 1 {
            format!("{} of {}", line.by, line.exit.join(", "))
        } else {
            line.by.clone()
        };
        let known = match line.known {
            1 => "1 address".to_owned(),
            known => format!("{known} addresses"),
        };
        table.row([Cell::from(line.to.join(", ").as_str()), from.into(), by.into(), known.into()]);
    }
    context.out.text(&table.render(&context.out))?;
    Ok(())
}

async fn test(context: &Context, args: &Test) -> Outcome {
    if !args.leaks {
        let answer = context.client.exit(&args.name).await?;
        show(context, &args.name).await?;
        return Ok(if answer.value.state == "up" { Exit::Done } else { Exit::Failed });
    }
    let answer = context.client.test_exit(&args.name).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        let mut table = Table::new(&["WHAT", "RESULT", "FOUND"]);
        for check in &answer.value.checks {
            let paint = if check.result == "ok" { Paint::good } else { Paint::bad };
            table.row([
                Cell::from(check.name.as_str()),
                Cell::painted(&check.result, paint),
                check.words.as_str().into(),
            ]);
        }
        context.out.text(&table.render(&context.out))?;
        context.out.note(&format!("Used by {}.", words(&answer.value.users)));
    }
    Ok(if answer.value.result == "ok" { Exit::Done } else { Exit::Failed })
}

fn state(exit: &ExitView) -> Cell {
    match exit.state.as_str() {
        _ if !exit.enabled => Cell::painted("off", Paint::dim),
        "up" => Cell::painted("up", Paint::good),
        state if exit.percent.is_some_and(|percent| percent < 100) => {
            let paint = if state == "down" { Paint::bad } else { Paint::warn };
            Cell::painted(&format!("coming up, {} %", exit.percent.unwrap_or_default()), paint)
        }
        "down" => Cell::painted("down", Paint::bad),
        _ => Cell::painted("not known yet", Paint::warn),
    }
}

fn is_tor(exit: &ExitView) -> bool {
    exit.kind == "tor"
}

fn words(list: &[String]) -> String {
    if list.is_empty() { "nobody".to_owned() } else { list.join(", ") }
}

async fn show(context: &Context, name: &str) -> Outcome {
    let answer = context.client.exit(name).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    let exit = &answer.value;
    let mut table = Table::pairs();
    table.pair("name", &exit.name);
    table.row([Cell::painted("state", Paint::dim), state(exit)]);
    if !exit.words.is_empty() {
        table.pair("because", &exit.words);
    }
    table.pair("since", exit.since.as_deref().map_or_else(|| "-".to_owned(), ago));
    table.pair("kind", &exit.kind);
    if is_tor(exit) {
        show_tor(&mut table, exit);
    } else if proxy::is_one(exit) {
        proxy::show(&mut table, exit);
    } else {
        show_provider(&mut table, exit);
        openvpn::show(&mut table, exit);
    }
    table.pair("fails", &exit.fail);
    table.pair("used by", words(&exit.users));
    for note in &exit.notes {
        table.pair("note", note);
    }
    context.out.text(&table.render(&context.out))?;
    Ok(Exit::Done)
}

fn show_tor(table: &mut Table, exit: &ExitView) {
    table.pair("carries", "TCP and names; all else is stopped");
    table.pair("bootstrapped", exit.percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent} %")));
    table.pair("unit", format!("pic-tor@{}.service", exit.interface));
}

fn show_provider(table: &mut Table, exit: &ExitView) {
    let listens = exit.listen.map(|port| format!("dials this cell at udp/{port}"));
    let there = exit.endpoint.clone().or(listens);
    let whose = if exit.kind == "cell" { "other cell" } else { "provider" };
    table.pair(whose, there.as_deref().unwrap_or("its file cannot be read"));
    table.pair("addresses", exit.addresses.join(", "));
    table.pair(
        "resolvers",
        if exit.dns.is_empty() { "the cell's own".to_owned() } else { exit.dns.join(", ") },
    );
    table.pair("interface", &exit.interface);
    if exit.kind == "wireguard" {
        table.pair("handshake", exit.last_handshake.as_deref().map_or_else(|| "never".to_owned(), ago));
    }
    table.pair("traffic", format!("{} in, {} out", text::bytes(exit.rx_bytes), text::bytes(exit.tx_bytes)));
}
