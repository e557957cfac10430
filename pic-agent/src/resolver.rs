//! `pic-agent resolver`: what `pic-resolver.service` does. systemd ties that unit to the name server's: whatever ends
//! that one, this one hands back, whether an agent runs or not.

use std::process::ExitCode;
use std::time::Duration;

use pic_drivers::resolver::{self, Places, answers, keep_words, snapshot};
use pic_model::chain;

use crate::cli::ResolverVerb;

/// A name server that was just started reads its zone first.
const PATIENCE: Duration = Duration::from_secs(10);

/// `pic-agent resolver`.
pub fn main(verb: &ResolverVerb) -> ExitCode {
    pic_service::log::init(crate::LOG);
    let done = match verb {
        ResolverVerb::Check(state) => check(&Places::new(&state.state)),
        ResolverVerb::Take(state) => take(&Places::new(&state.state)),
        ResolverVerb::Release(state) => release(&Places::new(&state.state)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            tracing::error!("{words}");
            ExitCode::FAILURE
        }
    }
}

/// Runs as the name server's own user: what comes over the network is nothing for root.
fn check(places: &Places) -> Result<(), String> {
    let wanted = snapshot(places).map_err(|error| chain(&error))?;
    let wanted = wanted.ok_or("this host is not to ask the cell (dns.host)")?;
    if answers(wanted.server, &wanted.probe, PATIENCE) {
        return Ok(());
    }
    Err(format!("{} does not answer for {}", wanted.server, wanted.probe))
}

fn take(places: &Places) -> Result<(), String> {
    let wanted = snapshot(places).map_err(|error| chain(&error))?;
    let wanted = wanted.ok_or("this host is not to ask the cell (dns.host)")?;
    let done = block_on(resolver::take(places, &wanted));
    // Words are for the agent to tell; that they could not be kept takes nothing from what was done.
    if let Err(error) = keep_words(places, done.as_ref().err().map(String::as_str)) {
        tracing::warn!("{}", chain(&error));
    }
    done?;
    tracing::info!("this host asks {} for names", wanted.server);
    Ok(())
}

fn release(places: &Places) -> Result<(), String> {
    // One that cannot be understood is no order to stop: the next look of the agent writes it again.
    let for_good = matches!(snapshot(places), Ok(None));
    block_on(resolver::release(places, for_good))
}

/// Takes one step on the bus or the disk.
fn block_on(work: impl Future<Output = Result<(), resolver::Error>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| chain(&error))?;
    runtime.block_on(work).map_err(|error| chain(&error))
}
