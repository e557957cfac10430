//! The kernel's CAKE in front of the uplink: kernels that T1 runs on may have none.

use anyhow::{Result, ensure};

use crate::scene::{Scene, run};

const SHOW: &str = "tc qdisc show dev ens4";

/// Names the speed of the line, looks at the queue, and takes it back.
pub(crate) fn shared(scene: &Scene<'_>) -> Result<()> {
    let before = run(&scene.cell, SHOW)?;
    run(&scene.cell, "picctl config set --yes uplink.upload 40mbit")?;
    let shown = run(&scene.cell, SHOW)?;
    for part in ["qdisc cake 7700: root", "bandwidth 40Mbit besteffort dual-srchost nat"] {
        ensure!(shown.contains(part), "\"{part}\" is not in: {shown}");
    }
    let doctor = run(&scene.cell, "picctl doctor || true")?;
    ensure!(doctor.contains("ens4 40mbit by CAKE"), "{doctor}");
    scene.is_well()?;
    run(&scene.cell, "picctl config unset --yes uplink.upload")?;
    let after = run(&scene.cell, SHOW)?;
    ensure!(after == before, "the queue was {before}, and is now {after}");
    Ok(())
}
