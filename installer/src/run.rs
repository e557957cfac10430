//! The order of things, and how it ends.

use std::collections::BTreeSet;
use std::fs::File;

use anyhow::{Context as _, Result, anyhow};
use pic_api::client::{Client, ClientError};
use pic_api::operation::{Operation, State};
use pic_api::problem::{Code, ProblemDetails};
use pic_api::status::Status;
use pic_model::desired::Port;
use pic_model::name::PeerName;
use picctl::Exit;
use serde::Serialize;

use crate::checks::{self, Cell, Check};
use crate::choice::{self, Choice};
use crate::existing::{CELL_TOML, Existing};
use crate::facts::{self, Facts};
use crate::folders::{self, Folder, Kind};
use crate::install::Install;
use crate::options::{self, Options};
use crate::out::Out;
use crate::peers::{self, Added};
use crate::{cellfile, change, report, service, summary};

/// Locked for as long as an installer runs: a folder of the package, so that no file is left behind.
const LOCK: &str = "/etc/pic";

/// A refusal: its exit code travels with its words.
#[derive(Debug)]
struct Refused(Exit, String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

impl std::error::Error for Refused {}

fn refuse(exit: Exit, words: impl Into<String>) -> anyhow::Error {
    anyhow!(Refused(exit, words.into()))
}

/// The `--json` document.
#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    checks: &'a [Check],
    #[serde(skip_serializing_if = "Option::is_none")]
    cell_toml: Option<&'a str>,
    steps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cell: Option<&'a pic_api::status::CellStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    peers: &'a [Added],
}

/// Does what the command line says; prints what goes wrong.
pub async fn run(options: Options) -> Exit {
    let out = Out::new(options.json, options.yes);
    match go(&options, out).await {
        Ok(exit) => exit,
        Err(error) => fail(&error, out),
    }
}

fn fail(error: &anyhow::Error, out: Out) -> Exit {
    let exit = exit_of(error);
    if out.json() {
        let code = if exit == Exit::Invalid { Code::Invalid } else { Code::Internal };
        let document = ProblemDetails::new(code, format!("{error:#}"), "");
        out.error(&serde_json::to_string(&document).unwrap_or_default());
        return exit;
    }
    out.error(&format!("{error:#}"));
    if let Some(ClientError::Problem(problem)) = error.downcast_ref::<ClientError>() {
        for reason in &problem.errors {
            out.error(&format!("  {}: {} {}", reason.pointer, reason.message, reason.hint));
        }
    }
    exit
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(Refused(exit, _)) = error.downcast_ref() {
        return *exit;
    }
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Problem(problem)) if matches!(problem.code, Code::Invalid | Code::BadRequest) => {
            Exit::Invalid
        }
        _ => Exit::Failed,
    }
}

async fn go(options: &Options, out: Out) -> Result<Exit> {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root && !options.dry_run {
        return Err(refuse(
            Exit::Failed,
            "this must run as root: run it with sudo (--dry-run works without)",
        ));
    }
    let _lock = if is_root && !options.dry_run { Some(lock()?) } else { None };
    let existing = Existing::read()?;
    let facts = facts::collect()?;
    match existing {
        Existing::Broken(problems) => {
            let words = format!(
                "{CELL_TOML} cannot be read, so nothing was touched:\n{problems}\nMend it and run this again."
            );
            Err(refuse(Exit::Invalid, words))
        }
        Existing::Cell(desired) => again(options, out, &facts, &desired).await,
        Existing::Ledger => first(options, out, &facts, false).await,
        Existing::Nothing => first(options, out, &facts, true).await,
    }
}

/// Two at once would undo each other's work.
fn lock() -> Result<File> {
    let file = File::open(LOCK).with_context(|| format!("open {LOCK}, which the package pic brings"))?;
    file.try_lock()
        .map_err(|_| refuse(Exit::Failed, "another pic-installer is running; wait for it to end"))?;
    Ok(file)
}

/// Where there is no cell yet, or only its ledger.
async fn first(options: &Options, out: Out, facts: &Facts, is_new: bool) -> Result<Exit> {
    let mut choice = choice::choose(facts, options)?;
    let checks = checks::all(facts, &choice, Cell::New);
    report::print(out, &checks);
    let folders = wanted_folders(options, false)?;
    let stopped = checks::forbid(&checks);
    if !stopped && !options.dry_run {
        if is_new {
            ask_open(&mut choice, facts, out)?;
            ask_endpoint(&mut choice, facts, out)?;
        }
        say_cell(out, &choice, is_new);
        consent(out)?;
    }
    let text = match (is_new, choice.network) {
        (true, Some(_)) => {
            Some(cellfile::text(&choice).map_err(|problems| refuse(Exit::Invalid, problems.to_string()))?)
        }
        _ => None,
    };
    let install = Install { text, folders };
    if options.dry_run {
        say_cell(out, &choice, is_new);
        return dry_run(out, &checks, &install, options);
    }
    if stopped {
        return Err(refuse(
            Exit::Failed,
            "no cell was made; see STOP above, do what it says, and run the same line again",
        ));
    }
    let client = Client::new(pic_api::SOCKET);
    let status = install.run(&client, out).await.context(
        "the cell did not come up, and this host is as it was before; `journalctl -u pic-agent` has the details",
    )?;
    let earlier = if is_new { None } else { Some(desired_of(&client).await?) };
    if let Some(desired) = &earlier {
        change::apply(&client, change::settings(desired, options)).await?;
    }
    check_ssh(&client, facts, out).await?;
    finish(options, out, &client, &checks, earlier.as_ref(), &status).await
}

/// What the cell will be: of one that lost its file the ledger knows more than can be chosen here.
fn say_cell(out: Out, choice: &Choice, is_new: bool) {
    if is_new {
        report::choice(out, choice);
    } else {
        out.say("This host was a cell before: it is taken up again as it was, with its name, its key and its devices.");
        out.say("");
    }
}

/// Where a cell is: it keeps everything but what was asked for.
async fn again(options: &Options, out: Out, facts: &Facts, desired: &pic_model::Desired) -> Result<Exit> {
    change::same_cell(desired, options).map_err(|words| refuse(Exit::Invalid, words))?;
    let checks = checks::all(facts, &Choice::of(desired), Cell::Existing);
    report::print(out, &checks);
    let folders = wanted_folders(options, true)?;
    let set = change::settings(desired, options);
    let name = &desired.cell.name;
    out.say(&format!("The cell \"{name}\" is here already: it keeps its identity and its devices."));
    if options.dry_run {
        let devices = options.peers.iter().filter(|name| !desired.peers.contains_key(*name)).map(added_words);
        let steps: Vec<String> =
            folders.iter().map(Folder::words).chain(change::words(&set)).chain(devices).collect();
        say_steps(out, &steps);
        let peers = &[];
        out.document(&Document {
            dry_run: true,
            checks: &checks,
            cell_toml: None,
            steps,
            cell: None,
            port: None,
            peers,
        })?;
        return Ok(Exit::Done);
    }
    agree(out, &change::words(&set))?;
    for folder in &folders {
        folders::place(folder)?;
    }
    let client = Client::new(pic_api::SOCKET);
    service::start(false).await?;
    service::wait(&client, out)
        .await
        .context("the cell is not well; see `picctl doctor` and `journalctl -u pic-agent`")?;
    if let Some(operation) = change::apply(&client, set).await? {
        settled(&operation)?;
    }
    let status = client.status().await?.value;
    finish(options, out, &client, &checks, Some(desired), &status).await
}

/// How a change of a running cell ended.
fn settled(operation: &Operation) -> Result<()> {
    let words = &operation.words;
    match operation.state {
        State::AwaitingConfirm => {
            let seconds = operation.deadline_in.unwrap_or_default();
            let words = format!(
                "the change is in force but not kept: open a NEW connection to this host within {seconds} s and run \
                 `picctl confirm` there, else it is taken back"
            );
            Err(refuse(Exit::Awaiting, words))
        }
        State::Reverted | State::Failed => {
            Err(refuse(Exit::Failed, format!("the change did not hold: {words}")))
        }
        State::Planned | State::Applying | State::Verifying | State::Kept | State::Reverting => Ok(()),
    }
}

fn wanted_folders(options: &Options, cell_exists: bool) -> Result<Vec<Folder>> {
    let wanted = [(Kind::Data, &options.data_dir), (Kind::Backups, &options.backups_dir)];
    let mut folders = Vec::new();
    for (kind, path) in wanted {
        if let Some(path) = path {
            let judged = folders::judge(kind, path, cell_exists);
            folders.extend(judged.map_err(|error| refuse(Exit::Invalid, format!("{error:#}")))?);
        }
    }
    Ok(folders)
}

/// Which of the programs that a closed stance cuts off are to stay.
fn ask_open(choice: &mut Choice, facts: &Facts, out: Out) -> Result<()> {
    let cut = choice.cut(facts);
    if cut.is_empty() || !out.asks() {
        return Ok(());
    }
    loop {
        let names: Vec<String> = cut.keys().map(|port| options::port_words(*port)).collect();
        let question = format!(
            "Which of {} are to stay reachable from outside? all, none, or as \"tcp/80 tcp/443\" [none]:",
            names.join(" ")
        );
        let Some(answer) = out.ask(&question)? else { return Ok(()) };
        match open_of(&answer, &cut.keys().copied().collect()) {
            Ok(ports) => {
                choice.open.extend(ports);
                return Ok(());
            }
            Err(words) => out.error(&words),
        }
    }
}

/// What devices dial, where this host has no address that the internet knows: they get it with their first configuration.
fn ask_endpoint(choice: &mut Choice, facts: &Facts, out: Out) -> Result<()> {
    let is_dialled =
        choice.endpoint.is_some() || choice.domain.is_some() || choice::has_public_address(facts);
    if is_dialled || !out.asks() {
        return Ok(());
    }
    let port = choice.port;
    out.say(&format!("This host is behind a router: forward udp/{port} there to this host, so that devices reach it from outside."));
    let question =
        "What do they dial: the router's public name or address? [none: they connect at home only]:";
    while let Some(answer) = out.ask(question)?.filter(|answer| !answer.is_empty() && answer != "none") {
        choice.endpoint = Some(answer);
        match cellfile::text(choice) {
            Ok(_) if is_meant(choice, out)? => return Ok(()),
            Ok(_) => {}
            Err(problems) => out.error(&problems.to_string()),
        }
        choice.endpoint = None;
    }
    Ok(())
}

/// Whether the endpoint is one for outside, or for use at home by will.
fn is_meant(choice: &Choice, out: Out) -> Result<bool> {
    let Some(ip) = choice.endpoint.as_deref().and_then(choice::private_address) else { return Ok(true) };
    let question = format!(
        "{ip} is a private address: devices outside cannot dial it. Take it all the same, for use at home only? [y/N]:"
    );
    Ok(matches!(out.ask(&question)?.as_deref(), Some("y" | "Y" | "yes" | "Yes")))
}

fn open_of(answer: &str, cut: &BTreeSet<Port>) -> Result<BTreeSet<Port>, String> {
    match answer {
        "" | "none" => Ok(BTreeSet::new()),
        "all" => Ok(cut.clone()),
        list => list.split([' ', ',']).filter(|word| !word.is_empty()).map(options::port).collect(),
    }
}

fn consent(out: Out) -> Result<()> {
    if !out.asks() {
        return Ok(());
    }
    match out.ask("Go on? [Y/n]")?.as_deref() {
        Some("" | "y" | "Y" | "yes" | "Yes") => Ok(()),
        _ => Err(refuse(
            Exit::Failed,
            "no cell was made; the package pic stays and does nothing (install.sh --uninstall takes it away). Run the \
             same line again whenever you like",
        )),
    }
}

/// Settings of a cell that is there are not changed unasked.
fn agree(out: Out, changes: &[String]) -> Result<()> {
    if changes.is_empty() || !out.asks() {
        return Ok(());
    }
    out.say("These options change settings of it:");
    for change in changes {
        out.say(&format!("  - {change}"));
    }
    match out.ask("Change them? [y/N]")?.as_deref() {
        Some("y" | "Y" | "yes" | "Yes") => Ok(()),
        _ => Err(refuse(
            Exit::Failed,
            "nothing was changed; without these options the same line upgrades and repairs",
        )),
    }
}

fn added_words(name: &PeerName) -> String {
    format!("add the device {name} and print its configuration")
}

fn say_steps(out: Out, steps: &[String]) {
    if steps.is_empty() {
        out.say("Would change nothing, and see to it that the cell runs.");
        return;
    }
    out.say("Would do:");
    for step in steps {
        out.say(&format!("  - {step}"));
    }
}

fn dry_run(out: Out, checks: &[Check], install: &Install, options: &Options) -> Result<Exit> {
    let stopped = checks::forbid(checks);
    let mut steps = if stopped { Vec::new() } else { install.words() };
    if !stopped {
        steps.extend(options.peers.iter().map(added_words));
    }
    if let Some(text) = &install.text {
        out.say(&format!("{CELL_TOML} would be:"));
        out.text(text);
        out.say("");
    }
    if stopped {
        out.say("Would do nothing before what stands at STOP is done.");
    } else {
        say_steps(out, &steps);
    }
    let cell_toml = install.text.as_deref();
    out.document(&Document { dry_run: true, checks, cell_toml, steps, cell: None, port: None, peers: &[] })?;
    Ok(if stopped { Exit::Failed } else { Exit::Done })
}

async fn desired_of(client: &Client) -> Result<pic_model::Desired> {
    let text = client.config().await?.value.toml;
    pic_model::config::parse(&text).context("read the cell's settings back")
}

/// What the agent has in force must let the administrator in the way they came.
async fn check_ssh(client: &Client, facts: &Facts, out: Out) -> Result<()> {
    let Some(session) = facts.session else { return Ok(()) };
    let firewall = desired_of(client).await?.firewall;
    if !(firewall.admin.contains(&session.from) && firewall.ssh.contains(&session.port)) {
        out.error(&format!(
            "mind: your way in, {} to tcp/{}, is not in [firewall] admin and ssh of {CELL_TOML}; add it before you leave",
            session.from, session.port
        ));
    }
    Ok(())
}

async fn finish(
    options: &Options,
    out: Out,
    client: &Client,
    checks: &[Check],
    earlier: Option<&pic_model::Desired>,
    status: &Status,
) -> Result<Exit> {
    let added = peers::add(client, &options.peers, out).await?;
    summary::print(out, status, earlier, options);
    out.document(&Document {
        dry_run: false,
        checks,
        cell_toml: None,
        steps: Vec::new(),
        cell: Some(&status.cell),
        port: Some(status.wireguard.port),
        peers: &added,
    })?;
    peers::show_codes(&added, out);
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_about_open_ports() {
        let cut = BTreeSet::from([options::port("tcp/80").unwrap(), options::port("tcp/443").unwrap()]);
        assert!(open_of("", &cut).unwrap().is_empty());
        assert_eq!(open_of("all", &cut).unwrap(), cut);
        assert_eq!(open_of("tcp/80, udp/3478", &cut).unwrap().len(), 2);
        assert!(open_of("yes", &cut).is_err());
    }

    #[test]
    fn exit_codes() {
        assert_eq!(exit_of(&refuse(Exit::Invalid, "x").context("y")), Exit::Invalid);
        assert_eq!(exit_of(&anyhow!("x")), Exit::Failed);
        let invalid = ClientError::Problem(Box::new(ProblemDetails::new(Code::Invalid, "x", "")));
        assert_eq!(exit_of(&anyhow::Error::from(invalid).context("y")), Exit::Invalid);
    }
}
