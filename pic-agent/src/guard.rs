//! `pic-guard`: at early boot, before any network interface is up, the cell's firewall, rules and unreachable routes.
//!
//! Reads the ledger and writes nothing but the kernel. Never fails open: without a ledger the edited file counts,
//! without that a table that lets nothing in but ssh. Its exit code says whether the table stands, by reading it back.
//! Tested in a network namespace (`tests/host.rs`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pic_drivers::{files, nft, route, rule};
use pic_engine::ledger::Ledger;
use pic_model::Desired;
use pic_model::chain;
use pic_model::config::{MAX_BYTES, parse};
use pic_model::key::{PresharedSeed, PrivateKey};
use pic_plan::compile::compile;
use pic_plan::diff::diff;
use pic_plan::target::route::RouteKind;
use pic_plan::{Action, Facts, Observed, Targets};

use crate::host::{ReadOnlyDisk, Secrets, bans, egress, now};
use crate::paths::Paths;

/// What stands when nothing can be read.
const CLOSED: &str = "[cell]\nname = \"cell\"\n\n[firewall]\ninbound = \"closed\"\n";

/// `pic-guard`.
pub fn main(config: PathBuf, state: PathBuf) -> ExitCode {
    pic_service::log::init(crate::LOG);
    let paths = Paths { config, state, ..Paths::default() };
    let ledger = open(&paths);
    let kept = ledger.as_ref().and_then(kept);
    // The clock may not have been set yet; who had expired by the last change stays out.
    let now = now().max(ledger.as_ref().map_or(0, Ledger::latest));
    if kept.is_none() && ledger.is_some_and(|ledger| is_no_cell(&ledger, &paths.config)) {
        tracing::info!("the first state was taken back: there is no cell to guard");
        return ExitCode::SUCCESS;
    }
    let desired = kept.or_else(|| edited(&paths.config)).or_else(closed);
    let Some(desired) = desired else {
        tracing::error!("this program cannot read its own minimal cell");
        return ExitCode::FAILURE;
    };
    match guard(&desired, &paths, now) {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            tracing::error!("{words}");
            ExitCode::FAILURE
        }
    }
}

fn open(paths: &Paths) -> Option<Ledger> {
    Ledger::open(Box::new(ReadOnlyDisk), &paths.ledger(), &paths.config)
        .map_err(|error| tracing::error!("{}", chain(&error)))
        .ok()
}

/// The generation in force.
fn kept(ledger: &Ledger) -> Option<Desired> {
    match ledger.text(ledger.state().current) {
        Ok(Some(text)) => read(&text, "the generation in force"),
        Ok(None) => None,
        Err(error) => {
            tracing::error!("{}", chain(&error));
            None
        }
    }
}

/// Whether the host was no cell and the file holds what was tried and taken back: closing the host by it would lock its
/// owner out again, without the way back that a first state has.
fn is_no_cell(ledger: &Ledger, config: &Path) -> bool {
    let file = files::read_bounded(config, MAX_BYTES as u64).ok().flatten();
    let text = file.and_then(|bytes| String::from_utf8(bytes).ok());
    ledger.state().current == 0 && text.is_some_and(|text| ledger.was_taken_back(&text))
}

/// The file the owner edits.
fn edited(path: &Path) -> Option<Desired> {
    match files::read_bounded(path, MAX_BYTES as u64) {
        Ok(Some(bytes)) => read(&String::from_utf8_lossy(&bytes), "cell.toml"),
        Ok(None) => None,
        Err(error) => {
            tracing::error!("{}", chain(&error));
            None
        }
    }
}

fn closed() -> Option<Desired> {
    tracing::warn!("neither the ledger nor cell.toml can be read: only ssh is let in");
    read(CLOSED, "the minimal cell")
}

fn read(text: &str, what: &str) -> Option<Desired> {
    parse(text).map_err(|problems| tracing::error!("{what} is refused: {problems}")).ok()
}

/// Puts both layers in place and reads the firewall back.
fn guard(desired: &Desired, paths: &Paths, now: i64) -> Result<(), String> {
    let targets = blocking(compile(Some(desired), &facts(paths, now)));
    let before = observe();
    for step in diff(&targets, &before) {
        let done = match &step.action {
            Action::NftReplace(_) | Action::NftElements(_) => {
                nft::apply(&step.action).map_err(|error| chain(&error))
            }
            Action::RuleAdd(_) => rule::apply(&step.action).map_err(|error| chain(&error)),
            Action::RouteAdd(_) => route::apply(&step.action).map_err(|error| chain(&error)),
            // What is there and not wanted is the agent's to remove; it can only block more.
            _ => Ok(()),
        };
        if let Err(words) = done {
            tracing::error!("{words}");
        }
    }
    let after = nft::observe().map_err(|error| chain(&error))?;
    let is_there = after.is_some();
    // Compared as the agent does: there may be more where the kernel keeps something by itself.
    let left = diff(
        &Targets { nft: targets.nft.clone(), ..Targets::default() },
        &Observed { nft: after, ..Observed::default() },
    );
    match targets.nft {
        Some(_) if is_there && left.is_empty() => Ok(()),
        _ => Err("the firewall table is not in the kernel as it should be".to_owned()),
    }
}

fn observe() -> Observed {
    // What cannot be read counts as absent: then it is set again, which changes nothing if it was there.
    Observed {
        nft: nft::observe().unwrap_or_default(),
        rules: rule::observe().unwrap_or_default(),
        routes: route::observe().unwrap_or_default(),
        ..Observed::default()
    }
}

/// Only what blocks.
fn blocking(targets: Targets) -> Targets {
    let unreachable = targets.routes.into_iter().filter(|route| route.kind == RouteKind::Unreachable);
    Targets { nft: targets.nft, rules: targets.rules, routes: unreachable.collect(), ..Targets::default() }
}

/// What is known before any interface is up. The keys only decide the cell's own v6 network.
fn facts(paths: &Paths, now: i64) -> Facts {
    let secrets = Secrets::read(&paths.secrets()).unwrap_or_else(|error| {
        tracing::warn!("{}", chain(&error));
        Secrets {
            private_key: PrivateKey::from_random([1; 32]),
            preshared_seed: PresharedSeed::from_random([1; 32]),
        }
    });
    let bans = bans::known(&paths.bans());
    let learned = egress::read(&paths.egress()).now(now);
    Facts { now, bans, learned, ..Facts::unread(secrets.private_key, secrets.preshared_seed) }
}
