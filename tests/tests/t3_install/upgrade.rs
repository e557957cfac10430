//! `apt-get upgrade` while traffic runs.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pic_lab::netns::Pings;
use pic_lab::netns::internet::address::OUTSIDE;
use pic_lab::{release, stage};

use crate::scene::{Scene, run};

/// Upgrades to a higher version; no packet of the phone is lost for it.
pub(crate) fn upgrade(scene: &Scene<'_>) -> Result<()> {
    let state = "wg show pic0 peers | sort; wg show pic0 public-key; sha256sum /etc/pic/cell.toml";
    let (version, peers, agent) = (version(scene)?, run(&scene.cell, state)?, agent(scene)?);
    let _iperf = scene.lab.outside.spawn("iperf3 --server --logfile /dev/null")?;
    let targets = [scene.inner()?[0].clone(), OUTSIDE[0].to_owned()];
    start_traffic(scene, &targets)?;
    scene.repository.switch_to(release::NEXT)?;
    let upgraded =
        scene.cell.ssh_for("apt-get -q update && apt-get -q -y upgrade", pic_lab::vm::BOOT, b"")?;
    pic_lab::wait::pause(Duration::from_secs(2));
    let lost = end_traffic(scene, &targets);
    let said = upgraded.ok()?;
    let now = self::version(scene)?;
    ensure!(now != version, "it is still version {now}: {said}");
    ensure!(self::agent(scene)? != agent, "the agent was not restarted");
    ensure!(run(&scene.cell, state)? == peers, "the upgrade changed the peers");
    lost?;
    scene.foreign_is_there()?;
    scene.is_well()
}

/// A hundred pings a second to each target, and a stream.
fn start_traffic(scene: &Scene<'_>, targets: &[String]) -> Result<()> {
    let start = |unit: &str, line: &str| {
        let properties = format!("--collect -p StandardOutput=file:/root/{unit}");
        run(&scene.phone, &format!("systemd-run --quiet --unit={unit} {properties} {line}"))
    };
    for (number, target) in targets.iter().enumerate() {
        start(&format!("pings{number}"), &format!("ping -n -i 0.01 {target}"))?;
    }
    // Not as fast as it goes: what an emulated processor drops under full load says nothing about an upgrade.
    start("stream", &format!("iperf3 --client {} --time 600 --bitrate 2M --forceflush", OUTSIDE[0]))?;
    Ok(())
}

/// Fails if a ping was lost or the stream broke.
fn end_traffic(scene: &Scene<'_>, targets: &[String]) -> Result<()> {
    let stream =
        scene.phone.ssh("systemctl is-active stream; tail -n 3 /root/stream; systemctl stop stream")?;
    ensure!(stream.stdout.starts_with("active"), "the stream through the cell broke: {}", stream.stdout);
    for (number, target) in targets.iter().enumerate() {
        let unit = format!("pings{number}");
        let stop = format!(
            "systemctl kill --signal=INT {unit}; while systemctl -q is-active {unit}; do sleep 0.2; done"
        );
        run(&scene.phone, &stop)?;
        let text = run(&scene.phone, &format!("cat /root/{unit}"))?;
        let (sent, missing) = missing(&text).with_context(|| format!("the pings to {target}"))?;
        stage::note(&format!(
            "figure: pings to {target} during the upgrade: {sent} sent, {} lost",
            missing.len()
        ));
        ensure!(missing.is_empty(), "pings to {target} were lost: {missing:?}");
    }
    Ok(())
}

fn version(scene: &Scene<'_>) -> Result<String> {
    run(&scene.cell, "dpkg-query -W -f '${Version} ${db:Status-Abbrev}' pic")
}

/// Which run of the agent this is.
fn agent(scene: &Scene<'_>) -> Result<String> {
    run(&scene.cell, "systemctl show -p InvocationID -p ActiveState pic-agent.service")
}

/// How many were sent, and the numbers of those not answered. The last few may have been on their way at the end.
fn missing(text: &str) -> Result<(u32, BTreeSet<u32>)> {
    let sent = Pings::parse(text)?.sent;
    ensure!(sent > 200, "only {sent} were sent");
    let number = |line: &str| line.split_once("icmp_seq=")?.1.split(' ').next()?.parse().ok();
    let back: BTreeSet<u32> = text.lines().filter_map(number).collect();
    Ok((sent, (1..sent - 2).filter(|number| !back.contains(number)).collect()))
}
