//! A reboot: all is back without a hand, and nothing leaks meanwhile.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pic_lab::netns::internet::address::OUTSIDE;
use pic_lab::{Capture, Marker, Vm, wait};

use crate::phone::{own, wire};
use crate::scene::{Scene, run};

pub(crate) fn reboot(scene: &mut Scene<'_>) -> Result<()> {
    let (secret, inside) = (Marker::random()?, Marker::random()?);
    let mut capture = wire(scene)?;
    let ([cell4, cell6], [phone4, phone6]) = (scene.inner()?, own(scene)?);
    let pings = [
        ping_to(&scene.phone, &cell4, &secret)?,
        ping_to(&scene.phone, &cell6, &secret)?,
        ping_to(&scene.phone, OUTSIDE[0], &Marker::random()?)?,
        ping_to(&scene.phone, OUTSIDE[1], &Marker::random()?)?,
    ];
    // From its first moment on, the host itself wants to talk to the phone.
    let probe = format!(
        "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sh -c 'while :; do ping -n -c 1 -W 1 -p {0} {phone4}; \
         ping -n -c 1 -W 1 -p {0} {phone6}; sleep 0.1; done'\n[Install]\nWantedBy=sysinit.target\n",
        inside.hex()
    );
    scene.cell.write("/etc/systemd/system/probe.service", probe)?;
    run(&scene.cell, "systemctl --quiet enable probe.service")?;
    scene.cell.reboot()?;
    wait_well(scene)?;
    for target in [&cell4, &cell6, OUTSIDE[0], OUTSIDE[1]] {
        recovered(&scene.phone, target)?;
    }
    drop(pings);
    let state = run(
        &scene.cell,
        "systemctl is-active probe.service; systemctl disable --now --quiet probe.service; rm /etc/systemd/system/probe.service; systemctl daemon-reload",
    )?;
    ensure!(state.starts_with("active"), "the probe did not run: {state}");
    nothing_in_clear(&mut capture, scene, &[&secret, &inside])?;
    let failed = run(&scene.cell, "systemctl --failed --no-legend --plain")?;
    ensure!(failed.trim().is_empty(), "units failed: {failed}");
    scene.foreign_is_there()
}

/// Waits until the cell says that all is well; what it says else is in the error.
pub(crate) fn wait_well(scene: &Scene<'_>) -> Result<()> {
    let mut last = String::new();
    let probe = || {
        Ok(match scene.is_well() {
            Ok(()) => Some(()),
            Err(error) => {
                last = format!("{error:#}");
                None
            }
        })
    };
    let waited = wait::value_every(Duration::from_millis(500), Duration::from_secs(60), "a well cell", probe);
    waited.with_context(|| last)
}

/// Waits until a ping comes back: the phone must find out first that the cell has forgotten its session.
fn recovered(phone: &Vm<'_>, target: &str) -> Result<()> {
    wait::value_every(
        Duration::from_millis(300),
        Duration::from_secs(60),
        &format!("{target} from the phone"),
        || Ok(phone.ssh(&format!("ping -n -c 1 -W 2 {target}"))?.status.success().then_some(())),
    )
}

/// A machine that pings until this is dropped.
pub(crate) struct Pinger<'vm> {
    vm: &'vm Vm<'vm>,
    unit: String,
}

impl Drop for Pinger<'_> {
    fn drop(&mut self) {
        // The machine may be down or gone.
        let _ = self.vm.ssh(&format!("systemctl stop {}", self.unit));
    }
}

/// Pings five times a second with the marker in the payload.
pub(crate) fn ping_to<'vm>(vm: &'vm Vm<'_>, target: &str, marker: &Marker) -> Result<Pinger<'vm>> {
    let hex = marker.hex();
    let unit = format!("ping-{}-{}", target.replace(':', "-"), &hex[..8]);
    run(vm, &format!("systemd-run --quiet --collect --unit={unit} ping -n -q -i 0.2 -p {hex} {target}"))?;
    Ok(Pinger { vm, unit })
}

/// Fails if a marked packet, or any from or to an address of the tunnel, was on the wire.
pub(crate) fn nothing_in_clear(capture: &mut Capture, scene: &Scene<'_>, secrets: &[&Marker]) -> Result<()> {
    for secret in secrets {
        capture.ensure_none(secret)?;
    }
    let inner = scene.inner()?.map(|address| address.parse::<IpAddr>());
    let [v4, v6] = inner;
    let (v4, v6) = (v4?, v6?);
    let packets = capture.packets()?;
    let leaks: Vec<_> = packets
        .iter()
        .filter(|packet| {
            packet.addresses().is_some_and(|(from, to)| {
                [from, to].iter().any(|ip| of_tunnel(*ip, v4) || of_tunnel(*ip, v6))
            })
        })
        .map(ToString::to_string)
        .collect();
    ensure!(leaks.is_empty(), "{} packets of the tunnel in clear:\n{}", leaks.len(), leaks.join("\n"));
    ensure!(packets.len() > 10, "the wire was silent: {} packets", packets.len());
    Ok(())
}

/// Whether an address is in the tunnel's network, known by the cell's own: a /16 or a /64.
fn of_tunnel(ip: IpAddr, cell: IpAddr) -> bool {
    match (ip, cell) {
        (IpAddr::V4(ip), IpAddr::V4(cell)) => ip.octets()[..2] == cell.octets()[..2],
        (IpAddr::V6(ip), IpAddr::V6(cell)) => ip.octets()[..8] == cell.octets()[..8],
        _ => false,
    }
}
