//! The agent started over damaged files: the last good state goes on or the agent says what is wrong; it never panics,
//! never takes up another identity, and never begins with the defaults over what somebody had.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pic_lab::stage::note;
use pic_lab::wait;

use crate::rig::{Rig, put};

/// One kind of damage to one file.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Nul,
    Flip(usize),
    Absent,
    /// As a later release may write it.
    Future,
}

impl Damage {
    fn apply(&self, path: &Path, content: &[u8]) -> Result<()> {
        let new = match self {
            Self::Absent => return Ok(std::fs::remove_file(path)?),
            Self::Cut(at) => content[..*at].to_vec(),
            Self::Nul => vec![0; content.len()],
            Self::Flip(at) => {
                let mut content = content.to_vec();
                content[*at] ^= 1 << (at % 7);
                content
            }
            Self::Future => future(content),
        };
        put(path, &new)
    }
}

/// A field that nobody here knows, at the place where the file's kind would have it.
fn future(content: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(content);
    let new = match text.strip_prefix('{') {
        Some(rest) => format!("{{\"version\":99,\"tomorrow\":true,{rest}"),
        None => format!("version = 99\n{text}"),
    };
    new.into_bytes()
}

/// Every damage of a file, cuts at each 512 bytes.
fn all(length: usize) -> Vec<Damage> {
    let cuts = (0..length).step_by(512).chain([length.saturating_sub(1)]).map(Damage::Cut);
    let flips = (0..length).step_by(37).map(Damage::Flip);
    cuts.chain(flips).chain([Damage::Nul, Damage::Absent, Damage::Future]).collect()
}

/// What is on disk, by the path in the cell's folder, to be put back.
struct Saved(BTreeMap<String, Vec<u8>>);

impl Saved {
    fn take(rig: &Rig) -> Result<Self> {
        let names = rig.files()?.into_iter();
        let read = |name: String| std::fs::read(rig.cell.path(&name)).map(|content| (name, content));
        Ok(Self(names.map(read).collect::<Result<_, _>>()?))
    }

    fn put_back(&self, rig: &Rig) -> Result<()> {
        for name in rig.files()? {
            std::fs::remove_file(rig.cell.path(&name))?;
        }
        for (name, content) in &self.0 {
            put(&rig.cell.path(name), content)?;
        }
        Ok(())
    }
}

/// Files with what happens to each.
type Case = Vec<(String, Damage)>;

/// Starts over damage and looks; the files are put back in any case.
fn try_over(rig: &mut Rig, saved: &Saved, case: &Case) -> Result<()> {
    let (keys, kernel) = (rig.identity()?, rig.in_kernel()?);
    let said = rig.cell.log().len();
    rig.cell.kill_agent()?;
    for (name, damage) in case {
        let content = saved.0.get(name).context("a file that was not saved")?;
        damage.apply(&rig.cell.path(name), content)?;
    }
    let looked = look(rig, &keys, &kernel.0, said);
    rig.cell.kill_agent()?;
    saved.put_back(rig)?;
    rig.cell.start_agent()?;
    let healed = rig.settled(Duration::from_secs(10)).context("after the files were put back");
    looked.and(healed.map(drop))
}

fn look(rig: &mut Rig, keys: &BTreeSet<String>, before: &BTreeSet<String>, said: usize) -> Result<()> {
    // An agent that refuses to work says so in its log, and needs no answer.
    let started = rig.cell.start_agent();
    // Time for a first look at the host to do its worst.
    wait::pause(Duration::from_millis(300));
    let log = rig.cell.log();
    let log = log.get(said..).unwrap_or_default();
    ensure!(!log.contains("panicked"), "a panic:\n{log}");
    let (device, firewall) = rig.in_kernel().with_context(|| format!("what was in force is gone:\n{log}"))?;
    ensure!(rig.identity()?.is_subset(keys), "the cell has other keys, devices are cut off:\n{log}");
    ensure!(
        !device.is_empty() && device.is_subset(before),
        "the device now has {device:?}, had {before:?}:\n{log}"
    );
    ensure!(firewall == device, "the firewall has {firewall:?}, the device {device:?}:\n{log}");
    if started.is_err() {
        let status = rig.cell.picctl("status")?;
        let says = log.contains("ERROR") || !(status.stdout + &status.stderr).trim().is_empty();
        ensure!(says, "is not well and does not say why:\n{log}");
    }
    Ok(())
}

/// Tries all cases that `choose` makes of the files of a cell, by name and length.
fn run(choose: impl FnOnce(&[(String, usize)]) -> Vec<Case>) -> Result<()> {
    let mut rig = Rig::start()?;
    rig.settled(Duration::from_secs(10))?;
    let mut saved = Saved::take(&rig)?;
    let files: Vec<_> = saved.0.iter().map(|(name, content)| (name.clone(), content.len())).collect();
    let cases = choose(&files);
    let (total, mut bad) = (cases.len(), Vec::new());
    let (end, mut tried) = (wait::soak_end(), 0);
    for (number, case) in cases.into_iter().enumerate() {
        if Instant::now() > end {
            note("the time is over");
            break;
        }
        tried = number + 1;
        if number % 25 == 24 {
            note(&format!("{number} of {total} damages, {} findings", bad.len()));
        }
        if let Err(error) = try_over(&mut rig, &saved, &case) {
            note(&format!("{case:?}: {error:#}"));
            bad.push(format!("{case:?}: {error:#}"));
            // A new cell, or the first finding hides all others.
            rig = Rig::start()?;
            saved = Saved::take(&rig)?;
        }
    }
    note(&format!("damage: {tried} of {total} damages, {} findings", bad.len()));
    ensure!(bad.is_empty(), "{}", bad.join("\n\n"));
    Ok(())
}

/// Every damage of every single file.
fn single(files: &[(String, usize)]) -> Vec<Case> {
    let one = |(name, length): &(String, usize)| {
        let name = name.clone();
        all(*length).into_iter().map(move |damage| vec![(name.clone(), damage)])
    };
    files.iter().flat_map(one).collect()
}

/// The same damage of many files at once, as after a file system that lost much.
fn together(files: &[(String, usize)]) -> Vec<Case> {
    let groups = [
        &["ledger/"][..],
        &["ledger/", "cell.toml"],
        &["state.json", "cell.toml"],
        &["dns/", "originals", "cell.toml"],
    ];
    let mut cases = Vec::new();
    for group in groups {
        for damage in [Damage::Nul, Damage::Cut(0), Damage::Absent] {
            let hit = files.iter().filter(|(name, _)| group.iter().any(|part| name.contains(part)));
            cases.push(hit.map(|(name, _)| (name.clone(), damage.clone())).collect());
        }
    }
    cases
}

#[test]
fn a_sample_of_damage_is_survived() {
    let seed = std::env::var("PIC_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7_usize);
    note(&format!("PIC_SEED={seed}"));
    run(|files| {
        let all = single(files);
        let step = all.len() / 16;
        (0..16).filter_map(|n| all.get((n * step + seed) % all.len()).cloned()).collect()
    })
    .unwrap();
}

#[test]
fn a_damaged_secret_is_not_another() {
    run(|files| {
        let kinds = [Damage::Absent, Damage::Flip(10), Damage::Flip(20)];
        let secrets = files.iter().filter(|(name, _)| name.contains("/secrets/"));
        secrets.flat_map(|(name, _)| kinds.clone().map(|damage| vec![(name.clone(), damage)])).collect()
    })
    .unwrap();
}

#[test]
#[ignore = "takes minutes; scripts/soak kill"]
fn all_damage_is_survived() {
    run(|files| [single(files), together(files)].concat()).unwrap();
}
