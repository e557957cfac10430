//! Interfaces, addresses and routes of a namespace.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Namespace;
use crate::{cmd, wait};

/// A cable: interface `a_name` in `a`, `b_name` in `b`, both up.
pub fn veth(a: &Namespace, a_name: &str, b: &Namespace, b_name: &str) -> Result<()> {
    let mut command = cmd::command("ip");
    command.args(["link", "add", a_name, "netns", a.name(), "type", "veth"]);
    command.args(["peer", "name", b_name, "netns", b.name()]);
    cmd::run(&mut command)?.ok()?;
    for (namespace, name) in [(a, a_name), (b, b_name)] {
        quiet(namespace, name)?;
        namespace.ip(&format!("link set {name} up"))?;
    }
    Ok(())
}

/// No duplicate-address wait and no address from router advertisements: a lab decides its addresses itself.
fn quiet(namespace: &Namespace, interface: &str) -> Result<()> {
    namespace.sysctl(&format!("net.ipv6.conf.{interface}.accept_dad"), "0")?;
    namespace.sysctl(&format!("net.ipv6.conf.{interface}.accept_ra"), "0")
}

impl Namespace {
    /// A bridge without spanning tree, up.
    pub fn bridge(&self, name: &str) -> Result<()> {
        self.ip(&format!("link add {name} type bridge stp_state 0 forward_delay 0"))?;
        quiet(self, name)?;
        self.ip(&format!("link set {name} up"))?;
        Ok(())
    }

    /// Gives an interface an address (`192.0.2.1/24`, `2001:db8::1/64`), usable at once.
    pub fn address(&self, interface: &str, cidr: &str) -> Result<()> {
        let nodad = if cidr.contains(':') { "nodad" } else { "" };
        self.ip(&format!("address add {cidr} dev {interface} {nodad}"))?;
        Ok(())
    }

    /// Default route, of the family of `gateway`.
    pub fn default_route(&self, gateway: &str) -> Result<()> {
        self.route("default", gateway)
    }

    /// Route to `network` by `gateway`, of the family of `gateway`.
    pub fn route(&self, network: &str, gateway: &str) -> Result<()> {
        let family = if gateway.contains(':') { "-6" } else { "-4" };
        self.ip(&format!("{family} route add {network} via {gateway}"))?;
        Ok(())
    }

    /// Waits until an interface is there.
    pub fn wait_for_interface(&self, name: &str, deadline: Duration) -> Result<()> {
        let what = format!("interface {name} in {}", self.name());
        wait::until(deadline, &what, || self.ip(&format!("link show dev {name}")).is_ok())
    }

    /// Fails with the link's state unless it is up and has carrier.
    pub fn ensure_up(&self, name: &str) -> Result<()> {
        let state = self.ip(&format!("-o link show dev {name}"))?;
        ensure!(state.contains("LOWER_UP"), "interface {name} in {} is not up: {state}", self.name());
        Ok(())
    }
}
