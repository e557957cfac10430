//! The services: started, waited for, and taken away again when a first install fails.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use pic_api::client::{Client, ClientError};
use pic_api::operation::State;
use pic_api::status::{Health3, Status};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::out::Out;

/// Services that a boot starts. The agent starts what else it needs.
const ENABLED: [&str; 5] =
    ["pic-guard.service", "pic-agent.service", "pic-dns.service", "pic-dhcp.service", "pic-time.service"];
const AGENT: &str = "/usr/lib/pic/pic-agent";
/// Until all must be well, and between two looks.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(250);
/// How long something may be less than well before that is taken as lasting.
const LASTING: Duration = Duration::from_secs(12);

/// Whether the agent runs.
pub(crate) async fn runs() -> Result<bool> {
    let mut command = Command::new("systemctl");
    command.args(["is-active", "--quiet", "pic-agent.service"]).stdin(Stdio::null());
    Ok(command.status().await.context("run systemctl")?.success())
}

/// Enables the services and starts the agent. One that runs is left running, unless it is to be started `anew`: the host stays
/// as it is meanwhile.
pub(crate) async fn start(anew: bool) -> Result<()> {
    systemctl(&[&["enable", "--quiet"], &ENABLED[..]].concat()).await?;
    if anew {
        systemctl(&["stop", "pic-agent.service"]).await?;
    }
    // Not waited for here: how it goes is read from the agent itself, which says more.
    systemctl(&["start", "--no-block", "pic-agent.service"]).await
}

/// Waits until the host is what `cell.toml` says, or lastingly something less.
pub(crate) async fn wait(client: &Client, out: Out) -> Result<Status> {
    let client = client.clone().with_timeout(Duration::from_secs(5));
    let mut progress = out.progress();
    progress.at(5, "waiting for the agent");
    let begin = Instant::now();
    let mut since: Option<(Health3, Instant)> = None;
    loop {
        let late = begin.elapsed() >= PATIENCE;
        match client.status().await {
            Ok(answer) => {
                let status = answer.value;
                let state = state(&status);
                let held = match since {
                    Some((before, at)) if before == state => at.elapsed(),
                    _ => Duration::ZERO,
                };
                if held.is_zero() {
                    since = Some((state, Instant::now()));
                }
                progress.at(percent(&status), &words(&status));
                let settled = !is_busy(&status) && (state == Health3::Ok || held >= LASTING);
                if settled || late {
                    ensure!(state != Health3::Failed, "{}", complaints(&status).join("; "));
                    return Ok(status);
                }
            }
            Err(error) if late || matches!(error, ClientError::Protocol { .. }) => {
                return Err(error).context("the agent does not come up");
            }
            Err(_) => {}
        }
        sleep(LOOK).await;
    }
}

/// Before the first generation nothing is in force, whatever else is well.
fn state(status: &Status) -> Health3 {
    if status.generation == 0 { Health3::Failed } else { status.state }
}

fn is_busy(status: &Status) -> bool {
    let moving = [State::Applying, State::Verifying, State::Reverting];
    status.pending.as_ref().is_some_and(|operation| moving.contains(&operation.state))
}

fn percent(status: &Status) -> u64 {
    let well = status.domains.iter().filter(|domain| domain.state == Health3::Ok).count();
    let all = status.domains.len().max(1);
    20 + 80 * u64::try_from(well).unwrap_or(0) / u64::try_from(all).unwrap_or(1)
}

fn words(status: &Status) -> String {
    match (&status.pending, complaints(status).first()) {
        (Some(operation), _) => operation.words.clone(),
        (None, Some(first)) => first.clone(),
        (None, None) => "done".to_owned(),
    }
}

/// What is not as wanted.
pub(crate) fn complaints(status: &Status) -> Vec<String> {
    let mut all: Vec<String> = status
        .domains
        .iter()
        .filter(|domain| domain.state != Health3::Ok)
        .map(|domain| format!("{}: {}", domain.domain, domain.words.escape_debug()))
        .collect();
    if status.generation == 0 {
        all.insert(0, "the agent refuses /etc/pic/cell.toml".to_owned());
    } else if all.is_empty() && status.state != Health3::Ok {
        all.push("the agent says that not all is well, and not what".to_owned());
    }
    all
}

/// The last words of the agent, which say why it does not come up.
pub(crate) async fn last_words() -> Vec<String> {
    let mut command = Command::new("journalctl");
    command.args(["--unit=pic-agent.service", "--lines=12", "--output=cat", "--no-pager", "--quiet"]);
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let Ok(Ok(output)) = tokio::time::timeout(Duration::from_secs(10), command.output()).await else {
        return Vec::new();
    };
    let mut lines: Vec<String> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| line.escape_debug().to_string()).collect();
    lines.dedup();
    lines
}

/// Stops everything and has the agent take out of the kernel what it put in.
pub(crate) async fn take_down() -> Result<()> {
    systemctl(&["stop", "pic-agent.service", "pic-dns.service", "pic-dhcp.service", "pic-time.service"])
        .await?;
    let teardown = run(AGENT, &["teardown"]).await;
    systemctl(&["stop", "pic-wg.service"]).await?;
    // Failed ones would be shown for ever.
    let _ =
        run("systemctl", &["reset-failed", "pic-agent.service", "pic-dns.service", "pic-wg.service"]).await;
    teardown
}

async fn systemctl(words: &[&str]) -> Result<()> {
    run("systemctl", words).await
}

async fn run(program: &str, words: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let Ok(output) = output else { bail!("`{program} {}` does not end", words.join(" ")) };
    let output = output.with_context(|| format!("start {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "`{program} {}` failed: {}", words.join(" "), said.trim());
    Ok(())
}
