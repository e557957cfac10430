//! Somebody takes away what the cell has put into the kernel. It is back within two seconds, and nothing got out.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pic_lab::netns::internet::address::OUTSIDE;
use pic_lab::{Marker, stage};

use crate::phone::{own, wire};
use crate::reboot::{nothing_in_clear, ping_to, wait_well};
use crate::scene::{Scene, run};

/// Until it has failed. What is asked for is 2 s: the figure is printed, and T1 holds it on a processor that is not emulated.
const LIMIT: Duration = Duration::from_secs(20);
/// A harm, and what it takes away and must come back as it was. The administrator's own rule is not ours to repair.
const HARMS: [(&str, &str); 3] = [
    // Whom the kernel counts by itself, it counts at the next packet.
    ("nft flush ruleset", "nft --stateless list table inet pic | sed '/elements = {.* counter/d'"),
    (
        "ip link del pic0",
        "wg show pic0 allowed-ips | sort; ip -o address show dev pic0 scope global | cut -d: -f2-; ip route show dev pic0; ip -6 route show dev pic0",
    ),
    ("ip -4 rule flush; ip -6 rule flush", "ip -4 rule | grep -v ^1000:; ip -6 rule"),
];

pub(crate) fn heal(scene: &Scene<'_>) -> Result<()> {
    let mut failed = Vec::new();
    if let Err(error) = control(scene) {
        failed.push(format!("control: {error:#}"));
    }
    for (harm, state) in HARMS {
        if let Err(error) = heal_from(scene, harm, state) {
            failed.push(format!("{harm}: {error:#}"));
        }
        run(&scene.cell, "/usr/local/sbin/foreign")?;
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// The control of all that follows and of the reboot: with both layers taken away and nobody to put them back, the
/// phone's packets do leave in clear, and this is seen.
fn control(scene: &Scene<'_>) -> Result<()> {
    let mut capture = wire(scene)?;
    {
        let _out = ping_to(&scene.phone, OUTSIDE[0], &Marker::random()?)?;
        run(&scene.cell, "systemctl stop pic-agent; nft delete table inet pic; ip rule del pref 7710")?;
        pic_lab::wait::pause(Duration::from_secs(3));
        run(&scene.cell, "systemctl start pic-agent")?;
    }
    wait_well(scene)?;
    let seen = nothing_in_clear(&mut capture, scene, &[]);
    ensure!(seen.is_err(), "packets in clear would not be noticed");
    Ok(())
}

fn heal_from(scene: &Scene<'_>, harm: &str, state: &str) -> Result<()> {
    let (secret, inside) = (Marker::random()?, Marker::random()?);
    let mut capture = wire(scene)?;
    let [cell4, cell6] = scene.inner()?;
    let _to_cell = [ping_to(&scene.phone, &cell4, &secret)?, ping_to(&scene.phone, &cell6, &secret)?];
    let [phone4, phone6] = own(scene)?;
    // The host itself talks to the phone, too: that must not go out beside the tunnel.
    let _to_phone = [ping_to(&scene.cell, &phone4, &inside)?, ping_to(&scene.cell, &phone6, &inside)?];
    let _out = OUTSIDE.map(|target| ping_to(&scene.phone, target, &Marker::random()?));
    let script = format!(
        "state() {{ {state}; }}
        state > /run/heal-before 2>&1
        begin=$(cut -d' ' -f1 /proc/uptime)
        {harm}
        for try in $(seq 100); do
            state > /run/heal-after 2>&1
            cmp -s /run/heal-before /run/heal-after && break
            sleep 0.05
        done
        end=$(cut -d' ' -f1 /proc/uptime)
        diff /run/heal-before /run/heal-after >&2
        echo $begin $end"
    );
    let output = scene.cell.ssh_for("sh -s", pic_lab::vm::BOOT, script.as_bytes())?;
    let different = output.stderr.clone();
    let times = output.ok()?;
    let numbers: Vec<f64> = times.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [begin, end] = numbers[..] else { anyhow::bail!("no times in {times}") };
    stage::note(&format!("figure: after `{harm}` repaired within {:.2} s", end - begin));
    pic_lab::wait::pause(Duration::from_secs(1));
    nothing_in_clear(&mut capture, scene, &[&secret, &inside])?;
    ensure!(different.is_empty(), "it is not as it was: {different}");
    ensure!(end - begin <= LIMIT.as_secs_f64(), "repairing took {:.2} s", end - begin);
    for target in [&cell4, &cell6] {
        run(&scene.phone, &format!("ping -n -c 3 -i 0.2 -W 20 {target}")).context("after the repair")?;
    }
    scene.is_well()
}
