//! The one line, and the same line again.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use pic_lab::{Vm, stage};

use crate::Installer;
use crate::scene::{Scene, run};

const OPTIONS: &str = "--name home --peer phone --yes";

/// What an install gave.
pub(crate) struct Installed {
    /// The phone's configuration as it was printed.
    pub(crate) config: String,
}

pub(crate) fn install(scene: &Scene<'_>, who: Installer) -> Result<Installed> {
    let listener = "systemd-run --quiet --unit=extra-listener socat TCP6-LISTEN:8080,fork,reuseaddr,ipv6only=0 SYSTEM:'echo open'";
    run(&scene.cell, listener)?;
    let (start, still) = (Instant::now(), scene.cell.stood_still());
    let output = one_line(scene, who, OPTIONS)?;
    let (wall, still) = (start.elapsed(), scene.cell.stood_still().saturating_sub(still));
    stage::note(&format!(
        "figure: install on Debian {} {:.1} s, of which {:.1} s without a processor",
        scene.cell.release().version(),
        wall.as_secs_f64(),
        still.as_secs_f64()
    ));
    for line in output.lines().filter(|line| !line.contains("Key = ")) {
        stage::note(&format!("  | {line}"));
    }
    ensure!(output.ends_with("the connection lives\n"), "the connection did not survive:\n{output}");
    scene.foreign_is_there()?;
    scene.is_well()?;
    run(
        &scene.cell,
        "ls /usr/share/man/man1/picctl.1.gz /usr/share/man/man1/picctl-peer-add.1.gz /usr/share/man/man5/cell.toml.5.gz \
         /usr/share/man/man8/pic-installer.8.gz /usr/share/bash-completion/completions/picctl /usr/share/doc/pic/errors.md*",
    )?;
    // The names of the lab are not signed.
    run(&scene.cell, "picctl config set --yes dns.dnssec false")?;
    let config = printed_config(&output).context("the installer printed no configuration")?;
    Ok(Installed { config })
}

/// The same line: nothing changes.
pub(crate) fn again(scene: &Scene<'_>, who: Installer) -> Result<()> {
    let state = "sha256sum /etc/pic/cell.toml; find /var/lib/pic/secrets -type f -exec sha256sum {} +; wg show pic0 public-key; wg show pic0 peers";
    let before = run(&scene.cell, state)?;
    one_line(scene, who, OPTIONS)?;
    let after = run(&scene.cell, state)?;
    ensure!(before == after, "a second run changed something:\n{before}\n{after}");
    scene.is_well()
}

/// `curl … | sh -s -- OPTIONS`, as a person types it; everything it printed. Fails unless it succeeds.
pub(crate) fn one_line(scene: &Scene<'_>, who: Installer, options: &str) -> Result<String> {
    let url = scene.repository.url();
    let line = format!(
        "set -o pipefail; curl -fsSL {url}/install.sh | PIC_URL={url} sh -s -- {options} 2>&1 && sleep 1 && echo the connection lives"
    );
    // dash has no pipefail.
    let line = format!("bash -c '{line}'");
    let output = match who {
        Installer::Root => scene.cell.ssh(&line)?,
        Installer::Admin => scene.cell.ssh_as_admin(&line)?,
    };
    output.ok()
}

/// The lines of a WireGuard configuration, from its first section to the first line that belongs to something else.
pub(crate) fn printed_config(output: &str) -> Option<String> {
    let lines = output.lines().skip_while(|line| *line != "[Interface]");
    let config: Vec<_> =
        lines.take_while(|line| line.is_empty() || line.starts_with('[') || line.contains(" = ")).collect();
    config.iter().any(|line| line.starts_with("Endpoint = ")).then(|| config.join("\n") + "\n")
}

/// Adds a device; gives its configuration.
pub(crate) fn add(cell: &Vm<'_>, name: &str) -> Result<String> {
    let output = run(cell, &format!("picctl peer add {name}"))?;
    printed_config(&output).with_context(|| format!("picctl printed no configuration: {output}"))
}
