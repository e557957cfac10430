//! Proxies written by others, in places of their own: `microsocks` (SOCKS5) and `tinyproxy` (HTTP). Unpacked, as to install
//! one would start a daemon here.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::netns::internet::address;
use crate::{Child, Internet, Namespace, Scratch, files, scratch, wait};

/// Where the SOCKS5 proxy is, and so whom the outside sees, v4 and v6.
pub const PLACE: [&str; 2] = ["203.0.113.70", "2001:db8:1::70"];
/// Ports.
pub const SOCKS5: u16 = 1080;
/// Of the HTTP proxy.
pub const HTTP: u16 = 3128;
/// Who may use them: a user and a password.
pub const LOGIN: [&str; 2] = ["ada", "pass-of-the-proxy"];

fn program(name: &str) -> Result<PathBuf> {
    let path = scratch::workspace().join("build/tools/proxies/usr/bin").join(name);
    path.exists()
        .then_some(path)
        .with_context(|| format!("{name} is not unpacked: run `scripts/test --tier T1` once"))
}

/// A place on the public network with both addresses of [`PLACE`].
pub fn place(lab: &Internet) -> Result<Namespace> {
    let place = Namespace::new("proxies")?;
    lab.public.plug(&place, "eth0")?;
    for ((own, prefix), gateway) in PLACE.into_iter().zip(address::PREFIX).zip(address::PROVIDER) {
        place.address("eth0", &format!("{own}/{prefix}"))?;
        place.default_route(gateway)?;
    }
    Ok(place)
}

/// Starts a SOCKS5 proxy for who knows the login.
pub fn socks5(place: &Namespace) -> Result<Child> {
    let mut command = place.command(program("microsocks")?);
    command.args(["-i", "::", "-p", &SOCKS5.to_string(), "-u", LOGIN[0], "-P", LOGIN[1]]);
    started(place, command, SOCKS5)
}

/// Starts an HTTP proxy for who knows the login.
pub fn http(place: &Namespace, scratch: &Scratch) -> Result<Child> {
    let file = scratch.join("tinyproxy.conf");
    let text = format!(
        "Port {HTTP}\nTimeout 600\nMaxClients 200\nBasicAuth {} {}\nLogLevel Error\n",
        LOGIN[0], LOGIN[1]
    );
    files::write(&file, text)?;
    let mut command = place.command(program("tinyproxy")?);
    command.arg("-d").arg("-c").arg(file);
    started(place, command, HTTP)
}

fn started(place: &Namespace, mut command: std::process::Command, port: u16) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = Child::spawn(command)?;
    wait::until(Duration::from_secs(20), "the proxy", || {
        place.run(&format!("ss -Hltn sport = :{port}")).is_ok_and(|out| !out.stdout.trim().is_empty())
    })?;
    Ok(child)
}
