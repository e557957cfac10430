//! Power cuts in the middle of changes: what was acknowledged is there afterwards.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pic_lab::{Scratch, files, stage, wait};

use crate::reboot::wait_well;
use crate::scene::{Scene, run};

/// So many different moments; then they come again.
const MOMENTS: u64 = 25;

pub(crate) fn cuts(scene: &mut Scene<'_>, rounds: impl Iterator<Item = u64>) -> Result<()> {
    let mut acknowledged = BTreeSet::new();
    for round in rounds {
        let fresh = cut(scene, round)?;
        stage::note(&format!("round {round}: {} changes acknowledged before the cut", fresh.len()));
        acknowledged.extend(fresh);
        scene.cell.boot_again()?;
        wait_well(scene).with_context(|| format!("after power cut {round}"))?;
        let present = names(scene)?;
        let lost: Vec<_> = acknowledged.difference(&present).collect();
        ensure!(lost.is_empty(), "acknowledged and lost in round {round}: {lost:?}; present: {present:?}");
        let in_kernel = run(&scene.cell, "wg show pic0 peers | wc -l")?;
        ensure!(
            in_kernel.trim() == present.len().to_string(),
            "{} peers, in the kernel {in_kernel}",
            present.len()
        );
        let history = scene.picctl("history")?;
        ensure!(!history.is_null(), "the ledger cannot be read");
        scene.picctl("doctor")?;
    }
    Ok(())
}

/// Adds devices one after the other until the power goes; those whose addition was acknowledged.
fn cut(scene: &mut Scene<'_>, round: u64) -> Result<BTreeSet<String>> {
    let scratch = Scratch::new("acknowledged")?;
    let log = scratch.join("log");
    let line = format!(
        "i=0; while :; do i=$((i+1)); picctl peer add r{round}p$i >/dev/null 2>/run/last-error && echo r{round}p$i || exit 1; done"
    );
    let mut adding = scene.cell.spawn_into(&line, &log)?;
    let moment = round % MOMENTS;
    let wanted = 2 + usize::try_from(moment)?;
    wait::until(Duration::from_secs(60), "acknowledged changes", || {
        !adding.is_running() || files::read(&log).is_ok_and(|text| text.lines().count() >= wanted)
    })?;
    ensure!(adding.is_running(), "adding ended: {}", scene.cell.ssh("cat /run/last-error")?.stdout);
    // Each round hits another moment of a change.
    wait::pause(Duration::from_millis(moment * 37));
    scene.cell.power_cut();
    let text = files::read(&log)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    Ok(whole.lines().map(str::to_owned).collect())
}

fn names(scene: &Scene<'_>) -> Result<BTreeSet<String>> {
    let list = scene.picctl("peer list")?;
    let items = list["items"].as_array().context("a list of peers")?;
    Ok(items.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect())
}
