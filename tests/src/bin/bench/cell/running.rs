//! A cell in use: one more peer, memory, and looks at the host that find nothing to do.

use std::time::Duration;

use anyhow::{Context as _, Result};
use pic_lab::{scratch, wait};

use super::Bench;
use crate::data::{FEW, MANY, cell_toml};
use crate::figure::Figure;
use crate::measure::{median, processor, resident, wall};

const ADDED: usize = 20;
const LOOKS: u32 = 10;
/// Long enough for a look that an event causes, and for a service to take what it was given.
const QUIET: Duration = Duration::from_millis(1500);

pub(super) fn figures() -> Result<Vec<Figure>> {
    let bench = Bench::new()?;
    wait::pause(QUIET);
    let idle = ["pic-agent", "pic-dns", "pic-wg"].map(|program| resident(bench.find(program)?));
    let [agent, dns, wireguard] = idle;
    let agent = agent?;
    let all = agent + dns? + wireguard?;
    bench.apply(&cell_toml(FEW)?)?;
    let few = add(&bench)?;
    bench.apply(&cell_toml(MANY)?)?;
    wait::pause(QUIET);
    let many = add(&bench)?;
    let full = resident(bench.find("pic-agent")?)?;
    let look = look(&bench)?;
    let figure = |name, unit, ours, goal| Figure {
        area: "cell",
        name,
        unit,
        peer: "-",
        ours,
        goal: Some(goal),
        ..Figure::default()
    };
    let mut beside = figure("peer add with 10000 peers", "ms", many, 100.0);
    (beside.peer, beside.theirs) = ("peer add with 10 peers", Some(few));
    Ok(vec![
        beside,
        figure("peer add with 10 peers", "ms", few, 20.0),
        figure("agent's memory, idle", "MiB", agent, 25.0),
        figure("agent's memory, 10000 peers", "MiB", full, 80.0),
        figure("memory of all processes, idle", "MiB", all, 60.0),
        figure("a look that changes nothing, 10000 peers", "ms CPU", look, 150.0),
    ])
}

/// The whole of `picctl peer add`, in the middle of many.
fn add(bench: &Bench) -> Result<f64> {
    let mut times = Vec::new();
    for n in 0..ADDED {
        times.push(wall(&mut bench.picctl(&format!("peer add extra{n} --qr none --json")))?);
        // The services take their part after the answer; the next one is not to pay for it.
        wait::pause(Duration::from_millis(200));
    }
    Ok(median(times))
}

/// Processor time of the agent and the device it reads, per look. A link that comes and goes makes it look.
fn look(bench: &Bench) -> Result<f64> {
    let busy =
        || Ok::<_, anyhow::Error>(processor(bench.find("pic-agent")?)? + processor(bench.find("pic-wg")?)?);
    wait::pause(QUIET);
    let span = || -> Result<f64> {
        let begin = busy()?;
        (0..LOOKS).for_each(|_| wait::pause(QUIET));
        Ok(busy()? - begin)
    };
    // What runs without the event, timers of ten thousand peers above all, is taken off.
    let alone = span()?;
    let begin = busy()?;
    for n in 0..LOOKS {
        bench.namespace.ip(&format!("tuntap add look{n} mode tun"))?;
        wait::pause(QUIET);
    }
    Ok((busy()? - begin - alone) / f64::from(LOOKS))
}

/// The package as built last by `scripts/release` or the tests.
pub(super) fn package() -> Result<Vec<Figure>> {
    let folder = scratch::workspace().join("build/release");
    let found = find_package(&folder)
        .with_context(|| format!("no package in {}: run scripts/release", folder.display()));
    let bytes = std::fs::metadata(found?)?.len();
    let ours = f64::from(u32::try_from(bytes)?) / 1048576.0;
    let (name, unit, goal) = ("size of the package", "MiB", Some(15.0));
    Ok(vec![Figure { area: "cell", name, unit, peer: "-", ours, goal, ..Figure::default() }])
}

fn find_package(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let name = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.starts_with("pic_") && name.ends_with(".deb")
        })
    };
    files.into_iter().find(name).or_else(|| folders.iter().find_map(|folder| find_package(folder)))
}
