//! The uninstall: the host is as it was before.

use anyhow::{Result, ensure};
use pic_lab::Footprint;

use crate::Installer;
use crate::install::one_line;
use crate::scene::{Scene, run};

pub(crate) fn remove(scene: &Scene<'_>, who: Installer, before: &Footprint) -> Result<()> {
    let _ = scene.cell.ssh("systemctl stop extra-listener.service");
    let output = one_line(scene, who, "--uninstall --purge --yes")?;
    ensure!(output.ends_with("the connection lives\n"), "the connection did not survive:\n{output}");
    run(&scene.cell, "! command -v picctl")?;
    let different = scene.footprint()?.since(before);
    ensure!(different.is_empty(), "the host is not as it was:\n{different}\nit said:\n{output}");
    Ok(())
}
