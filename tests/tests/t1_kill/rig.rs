//! A cell in a namespace, and every place where its state can be read.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use pic_lab::cell::Cell;
use pic_lab::netns::{Namespace, veth};
use pic_lab::{cmd, wait};

/// A new start has this long to make everything agree again.
pub(crate) const CONVERGED: Duration = Duration::from_secs(5);
const CELL: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"192.0.2.53\"]\n";

/// A cell with two devices on a host with an uplink.
pub(crate) struct Rig {
    // Fields are dropped in this order: the cell takes itself off its namespace first.
    pub(crate) cell: Cell,
    namespace: Namespace,
    _provider: Namespace,
}

impl Rig {
    pub(crate) fn start() -> Result<Self> {
        let (namespace, provider) = (Namespace::new("cell")?, Namespace::new("provider")?);
        veth(&namespace, "up0", &provider, "cell")?;
        namespace.ip("addr add 203.0.113.5/24 dev up0")?;
        namespace.ip("link set up0 up")?;
        provider.ip("link set cell up")?;
        namespace.ip("route add default via 203.0.113.1")?;
        let cell = Cell::start(&namespace, CELL)?;
        for name in ["phone", "tv"] {
            cell.add(name, "")?;
        }
        Ok(Self { cell, namespace, _provider: provider })
    }

    /// The agent's own process.
    pub(crate) fn agent(&self) -> Result<u32> {
        let socket = self.cell.socket().display().to_string();
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let is_agent = std::fs::read_link(path.join("exe")).is_ok_and(|exe| exe.ends_with("pic-agent"));
            let words = std::fs::read_to_string(path.join("cmdline")).unwrap_or_default();
            let name = path.file_name().and_then(|name| name.to_str());
            if let (true, true, Some(name)) = (is_agent, words.contains(&socket), name) {
                return name.parse().context("a process without a number");
            }
        }
        bail!("the agent is not running\n{}", self.log_end())
    }

    /// The last lines of the agent's log.
    pub(crate) fn log_end(&self) -> String {
        let log = self.cell.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Waits until all places agree; what they agree on.
    pub(crate) fn settled(&self, patience: Duration) -> Result<BTreeSet<String>> {
        let begin = Instant::now();
        loop {
            match self.agreed() {
                Ok(addresses) => return Ok(addresses),
                Err(error) if begin.elapsed() >= patience => {
                    return Err(error.context(format!("not settled within {patience:?}\n{}", self.log_end())));
                }
                Err(_) => wait::pause(Duration::from_millis(50)),
            }
        }
    }

    /// The addresses of the devices, if picctl, the WireGuard device, the firewall and cell.toml say the same.
    fn agreed(&self) -> Result<BTreeSet<String>> {
        let listed = self.in_force()?;
        let file = addresses(&std::fs::read_to_string(self.cell.path("etc/cell.toml")).unwrap_or_default());
        ensure!(listed == file, "picctl says {listed:?}, cell.toml {file:?}");
        Ok(listed)
    }

    /// The same without cell.toml, which may say something that is not applied.
    pub(crate) fn in_force(&self) -> Result<BTreeSet<String>> {
        let listed = addresses(&self.cell.picctl("peer list --json")?.ok()?);
        let (device, firewall) = self.in_kernel()?;
        ensure!(listed == device, "picctl says {listed:?}, the device {device:?}");
        ensure!(listed == firewall, "picctl says {listed:?}, the firewall {firewall:?}");
        Ok(listed)
    }

    /// What the WireGuard device and the firewall know, whether an agent runs or not.
    pub(crate) fn in_kernel(&self) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
        let device = addresses(&self.in_namespace("wg show pic0 allowed-ips")?);
        Ok((device, addresses(&self.in_namespace("nft list set inet pic internet4")?)))
    }

    /// Applying the file once more has nothing to do.
    pub(crate) fn nothing_left(&self) -> Result<()> {
        let plan = self.cell.picctl("plan --json")?.ok()?;
        ensure!(plan.contains("\"total\":0"), "a second apply would do something:\n{plan}");
        let status = self.cell.picctl("status --json")?.ok()?;
        ensure!(
            status.contains("\"pending\":null") || !status.contains("\"pending\""),
            "still pending: {status}"
        );
        Ok(())
    }

    /// What devices know the cell by: its public key and the key shared with each. Another one cuts them off.
    pub(crate) fn identity(&self) -> Result<BTreeSet<String>> {
        let keys = self.in_namespace("wg show pic0 public-key")?
            + &self.in_namespace("wg show pic0 preshared-keys")?;
        Ok(keys.lines().map(str::to_owned).collect())
    }

    /// Runs a command line where the cell's sockets are in their usual place.
    fn in_namespace(&self, line: &str) -> Result<String> {
        let script = format!("mount --bind \"$1\" /run/wireguard && exec {line}");
        let mut command = cmd::command("ip");
        command.args(["netns", "exec", self.namespace.name(), "sh", "-c", &script, "sh"]);
        cmd::run(command.arg(self.cell.path("sockets")))?.ok()
    }

    /// The files that hold the cell's state, by their path in its folder.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let mut found = vec!["etc/cell.toml".to_owned()];
        walk(&self.cell.path(""), "state", &mut found)?;
        found.retain(|name| self.cell.path(name).exists());
        Ok(found)
    }
}

fn walk(top: &Path, folder: &str, found: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(top.join(folder))? {
        let entry = entry?;
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() { walk(top, &name, found)? } else { found.push(name) }
    }
    Ok(())
}

/// Writes a file as a person or a bad disk does: in place.
pub(crate) fn put(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = std::fs::File::create(path).with_context(|| format!("write {}", path.display()))?;
    Ok(file.write_all(content)?)
}

/// All addresses of devices in a text: those of the network but the cell's own.
fn addresses(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    let devices =
        words.filter(|word| word.starts_with("10.77.") && !["10.77.0.1", "10.77.0.0"].contains(word));
    devices.filter(|word| word.parse::<std::net::Ipv4Addr>().is_ok()).map(str::to_owned).collect()
}
