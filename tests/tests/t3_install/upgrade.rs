//! `apt-get upgrade` while traffic runs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pic_lab::netns::Pings;
use pic_lab::netns::internet::address::OUTSIDE;
use pic_lab::{release, stage};

use crate::scene::{Scene, run};

/// Upgrades to a higher version; no packet of the phone is lost for it.
pub(crate) fn upgrade(scene: &Scene<'_>) -> Result<()> {
    let _iperf = scene.lab.outside.spawn("iperf3 --server")?;
    let state = "wg show pic0 peers | sort; wg show pic0 public-key; sha256sum /etc/pic/cell.toml";
    let (version, peers, agent) = (version(scene)?, run(&scene.cell, state)?, agent(scene)?);
    let targets = [scene.inner()?[0].clone(), OUTSIDE[0].to_owned()];
    for (number, target) in targets.iter().enumerate() {
        let file = format!("/root/pings{number}");
        run(
            &scene.phone,
            &format!(
                "systemd-run --quiet --unit=pings{number} -p StandardOutput=file:{file} ping -n -q -i 0.01 {target}"
            ),
        )?;
    }
    // Not as fast as it goes: what an emulated processor drops under full load says nothing about an upgrade.
    let stream = format!("iperf3 --client {} --time 600 --bitrate 2M --forceflush", OUTSIDE[0]);
    run(
        &scene.phone,
        &format!("systemd-run --quiet --unit=stream -p StandardOutput=file:/root/stream {stream}"),
    )?;
    scene.repository.switch_to(release::NEXT)?;
    let upgraded =
        scene.cell.ssh_for("apt-get -q update && apt-get -q -y upgrade", pic_lab::vm::BOOT, b"")?;
    pic_lab::wait::pause(Duration::from_secs(2));
    let stream =
        scene.phone.ssh("systemctl is-active stream; tail -n 3 /root/stream; systemctl stop stream")?.stdout;
    let mut lost = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        run(
            &scene.phone,
            &format!(
                "systemctl kill --signal=INT pings{number}; while systemctl -q is-active pings{number}; do sleep 0.2; done"
            ),
        )?;
        let text = run(&scene.phone, &format!("cat /root/pings{number}"))?;
        let pings = Pings::parse(&text).with_context(|| text.clone())?;
        stage::note(&format!(
            "figure: pings to {target} during the upgrade: {} sent, {} lost",
            pings.sent,
            pings.sent - pings.received
        ));
        // One may be on its way when ping is stopped.
        if pings.sent < 200 || pings.sent - pings.received > 1 {
            lost.push(text);
        }
    }
    let said = upgraded.ok()?;
    let now = self::version(scene)?;
    ensure!(now != version, "it is still version {now}: {said}");
    ensure!(self::agent(scene)? != agent, "the agent was not restarted");
    ensure!(run(&scene.cell, state)? == peers, "the upgrade changed the peers");
    ensure!(stream.starts_with("active"), "the stream through the cell broke: {stream}");
    ensure!(lost.is_empty(), "pings were lost: {}", lost.join("\n"));
    scene.foreign_is_there()?;
    scene.is_well()
}

fn version(scene: &Scene<'_>) -> Result<String> {
    run(&scene.cell, "dpkg-query -W -f '${Version} ${db:Status-Abbrev}' pic")
}

/// Which run of the agent this is.
fn agent(scene: &Scene<'_>) -> Result<String> {
    run(&scene.cell, "systemctl show -p InvocationID -p ActiveState pic-agent.service")
}
