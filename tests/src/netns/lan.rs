//! A LAN: a bridge in a namespace of its own, to which namespaces, containers and VMs are plugged.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Namespace, veth};
use crate::{cmd, unique, wait};

const BRIDGE: &str = "br0";

/// A switch without an address. Keep it alive as long as what is plugged into it.
#[derive(Debug)]
pub struct Lan {
    namespace: Namespace,
}

impl Lan {
    /// A new LAN with nothing on it.
    pub fn new(label: &str) -> Result<Self> {
        let namespace = Namespace::new(label)?;
        namespace.bridge(BRIDGE)?;
        Ok(Self { namespace })
    }

    /// Where the bridge is: for a capture of the whole LAN (on [`Lan::bridge`]) or of one port.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The bridge's interface name.
    pub fn bridge(&self) -> &'static str {
        BRIDGE
    }

    /// Plugs `host` in: it gets `interface`, up and without address. Returns the port's name on our side.
    pub fn plug(&self, host: &Namespace, interface: &str) -> Result<String> {
        let port = unique::interface();
        veth(&self.namespace, &port, host, interface)?;
        self.namespace.ip(&format!("link set {port} master {BRIDGE}"))?;
        Ok(port)
    }

    /// Gives the bridge itself an address, which makes its namespace a host on the LAN.
    pub fn address(&self, cidr: &str) -> Result<()> {
        self.namespace.address(BRIDGE, cidr)
    }

    /// Takes in a TAP interface that a program is about to make in the machine's own namespace.
    ///
    /// An open TAP keeps working when it is moved, and goes when the program that opened it ends.
    pub(crate) fn adopt_tap(&self, tap: &str, deadline: Duration) -> Result<()> {
        wait::until(deadline, &format!("interface {tap}"), || {
            cmd::run(cmd::command("ip").args(["link", "show", "dev", tap])).is_ok_and(|o| o.status.success())
        })?;
        let mut command = cmd::command("ip");
        command.args(["link", "set", tap, "netns", self.namespace.name()]);
        cmd::run(&mut command)?.ok().with_context(|| format!("move {tap} into the lab"))?;
        self.namespace.ip(&format!("link set {tap} master {BRIDGE} up"))?;
        Ok(())
    }
}
