//! Taking a cell off its host: everything of ours goes, the host is as it was. For the removal of the package.
//!
//! Works without an agent and refuses to work beside one. Keeps `/etc/pic` and the ledger: those are the owner's.

use std::path::PathBuf;
use std::process::ExitCode;

use pic_engine::World;
use pic_model::chain;
use pic_plan::diff::diff;
use pic_plan::plan::Domain;
use pic_plan::{Targets, words};

use crate::host::{Exits, HostWorld, Learned, Units, Usage, certificate};
use crate::lock::Lock;
use crate::notify::Pulse;
use crate::paths::Paths;

/// Removing what depends on what has just gone may take another round.
const ROUNDS: usize = 5;

/// `pic-agent teardown`.
pub fn main(paths: &Paths, children: Option<PathBuf>) -> ExitCode {
    pic_service::log::init(crate::LOG);
    match teardown(paths, children) {
        Ok(done) => {
            say(if done == 0 {
                "nothing of the cell is on this host"
            } else {
                "the host is as it was before the cell"
            });
            ExitCode::SUCCESS
        }
        Err(left) => {
            for words in left {
                tracing::error!("still there: {words}");
            }
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the output of a command line program")]
fn say(words: &str) {
    println!("{words}");
}

fn teardown(paths: &Paths, children: Option<PathBuf>) -> Result<usize, Vec<String>> {
    let failed = |error: &dyn std::error::Error| vec![chain(error)];
    // Where no agent ever ran there is no folder for the lock, and nobody to lock out.
    let lock = paths.run.is_dir().then(|| Lock::take(&paths.lock())).transpose();
    let _lock = lock.map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    let pulse = Pulse::default();
    let units = Units::new(runtime.handle().clone(), pulse.clone(), paths, children)
        .map_err(|error| failed(&error))?;
    let (usage, learned) = (Usage::open(paths.usage()), Learned::open(paths.egress()));
    let mut world = HostWorld::new(paths.clone(), units, None, pulse, Exits::default(), (usage, learned));
    let done = converge(&mut world);
    // A copy of a key is of no use to anybody any more.
    certificate::remove(&paths.dns_certificate()).map_err(|error| failed(&error))?;
    done
}

/// Removes until nothing is left; the number of steps, or what is left.
fn converge(world: &mut HostWorld) -> Result<usize, Vec<String>> {
    let empty = Targets::default();
    let mut done = 0;
    let mut errors = Vec::new();
    for _ in 0..ROUNDS {
        let observation = world.observe(&empty, &Domain::ALL.into());
        let steps = diff(&empty, &observation.observed);
        errors
            .extend(observation.failed.iter().map(|(domain, words)| format!("{}: {words}", domain.as_str())));
        if steps.is_empty() {
            return if errors.is_empty() { Ok(done) } else { Err(errors) };
        }
        errors.clear();
        for step in steps {
            let words = words::of(&step.action);
            match world.apply(&step.action) {
                Ok(()) => {
                    done += 1;
                    say(&words);
                }
                Err(error) => errors.push(format!("cannot {words}: {error}")),
            }
        }
    }
    if errors.is_empty() {
        errors.push("what was removed comes back; find out who makes it".to_owned());
    }
    Err(errors)
}
