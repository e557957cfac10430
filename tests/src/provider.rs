//! A provider of exits: a plain WireGuard server, written by others, that lets its customers out by its own address.

use std::path::PathBuf;

use anyhow::Result;

use crate::cell::own_sockets;

use crate::netns::internet::address;
use crate::{Internet, Namespace, Scratch, cmd, files};

/// What every provider does: its customers leave by its own addresses.
const NAT: &str = r#"
table inet provider {
    chain out {
        type nat hook postrouting priority srcnat;
        oifname "eth0" masquerade
    }
}
"#;

/// A running provider on the public network.
#[derive(Debug)]
pub struct Provider {
    /// Where it is; `eth0` is its wire to the world.
    pub place: Namespace,
    /// Its public addresses, v4 and v6.
    pub addresses: [String; 2],
    number: u8,
    private: [String; 2],
    file: PathBuf,
    scratch: Scratch,
}

impl Provider {
    /// Starts one with this number, which is the last part of its addresses.
    pub fn start(lab: &Internet, label: &str, number: u8) -> Result<Self> {
        let place = Namespace::new(label)?;
        let addresses = [format!("203.0.113.{number}"), format!("2001:db8:1::{number}")];
        lab.public.plug(&place, "eth0")?;
        for ((address, prefix), gateway) in addresses.iter().zip(address::PREFIX).zip(address::PROVIDER) {
            place.address("eth0", &format!("{address}/{prefix}"))?;
            place.default_route(gateway)?;
        }
        place.forward()?;
        place.nft(NAT)?;
        let scratch = Scratch::new("provider")?;
        let file = scratch.join(format!("{label}.conf"));
        let private = [wg("genkey", "")?, wg("genkey", "")?];
        let customer = wg("pubkey", &private[1])?;
        let server = format!(
            "[Interface]\nPrivateKey = {}\nAddress = 10.{number}.0.1/24, fd64:{number}::1/64\nListenPort = 51820\n\n\
             [Peer]\nPublicKey = {customer}\nAllowedIPs = 10.{number}.0.2/32, fd64:{number}::2/128\n",
            private[0]
        );
        files::write(&file, &server)?;
        let provider = Self { place, addresses, number, private, file, scratch };
        provider.wg_quick("up")?;
        Ok(provider)
    }

    /// The file that it gives its customer. `more` are further lines of `[Interface]`.
    pub fn config(&self, more: &str) -> Result<String> {
        let number = self.number;
        Ok(format!(
            "# A device of a customer\n[Interface]\nPrivateKey = {}\nAddress = 10.{number}.0.2/32,fd64:{number}::2/128\n\
             {more}\n[Peer]\nPublicKey = {}\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = {}:51820\n",
            self.private[1],
            wg("pubkey", &self.private[0])?,
            self.addresses[0]
        ))
    }

    /// The customer's private key, which nobody should ever see.
    pub fn customer_key(&self) -> &str {
        &self.private[1]
    }

    /// Cuts it off from the world, or connects it again.
    pub fn connect(&self, on: bool) -> Result<()> {
        self.place.ip(if on { "link set eth0 up" } else { "link set eth0 down" })?;
        if on {
            // What the kernel took with the link.
            self.place.address("eth0", &format!("{}/{}", self.addresses[1], address::PREFIX[1]))?;
            for gateway in address::PROVIDER {
                self.place.default_route(gateway)?;
            }
        }
        Ok(())
    }

    fn wg_quick(&self, verb: &str) -> Result<String> {
        let mut command = own_sockets(self.place.name(), &self.scratch);
        command
            .arg("wg-quick")
            .arg(verb)
            .arg(&self.file)
            .env("WG_QUICK_USERSPACE_IMPLEMENTATION", "wireguard-go");
        cmd::run(&mut command)?.ok()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.wg_quick("down");
    }
}

fn wg(verb: &str, input: &str) -> Result<String> {
    let mut command = cmd::command("wg");
    command.arg(verb);
    Ok(cmd::run_for(&mut command, cmd::DEADLINE, input.as_bytes())?.ok()?.trim().to_owned())
}
