//! A second device, in a network namespace of the phone's machine.

use anyhow::{Context as _, Result};

use crate::scene::{Scene, run};

/// The second device. Its encrypted packets leave by the machine's own network, beside the phone's tunnel.
pub(crate) struct Tablet {
    pub(crate) addresses: Vec<String>,
}

impl Tablet {
    pub(crate) fn join(scene: &Scene<'_>, config: &str) -> Result<Self> {
        let value = |key: &str| {
            let line = config.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            line.with_context(|| format!("no {key} in {config}"))
        };
        let prefixed: Vec<_> = value("Address")?.split(", ").collect();
        scene.phone.write("/root/tablet.conf", config)?;
        let mut script = String::from(
            "set -e
            ip netns add tablet
            ip link add tablet type wireguard
            wg-quick strip /root/tablet.conf > /root/tablet.stripped
            wg setconf tablet /root/tablet.stripped
            # The mark by which wg-quick lets the phone's own encrypted packets out.
            wg set tablet fwmark $(wg show phone fwmark)
            ip link set tablet netns tablet
            ip -n tablet link set lo up
            ip -n tablet link set tablet up
            ip -n tablet route add default dev tablet
            ip -n tablet -6 route add default dev tablet\n",
        );
        for address in &prefixed {
            script.push_str(&format!("ip -n tablet address add {address} dev tablet\n"));
        }
        scene.phone.ssh_for("sh -s", pic_lab::vm::BOOT, script.as_bytes())?.ok()?;
        let addresses =
            prefixed.iter().filter_map(|address| Some(address.split_once('/')?.0.to_owned())).collect();
        let tablet = Self { addresses };
        for target in scene.inner()? {
            run(&scene.phone, &tablet.inside(&format!("ping -n -c 2 -i 0.2 -W 5 {target}")))?;
        }
        Ok(tablet)
    }

    /// A command line to run in its place.
    pub(crate) fn inside(&self, line: &str) -> String {
        format!("ip netns exec tablet {line}")
    }
}
