//! The same peers for everyone: as `cell.toml` and as a configuration of `wg`.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result};

/// As many as there may be.
pub(crate) const MANY: u32 = 10_000;
/// A household.
pub(crate) const FEW: u32 = 10;

/// Peers that have something in `cell.toml`.
pub(crate) fn cell_toml(peers: u32) -> Result<String> {
    let mut text = String::from("[cell]\nname = \"home\"\n");
    for n in 0..peers {
        let (key, ip) = (key(n), address(n));
        write!(text, "\n[[peer]]\nname = \"p{n}\"\npublic_key = \"{key}\"\naddress = \"{ip}\"\n")?;
    }
    Ok(text)
}

/// The same peers for `wg setconf`, with a preshared key and both addresses each, as the cell gives them.
pub(crate) fn wg_conf(peers: u32) -> Result<String> {
    let out = Command::new("wg").arg("genkey").output().context("run wg")?;
    let private = String::from_utf8(out.stdout)?;
    let mut text = format!("[Interface]\nListenPort = 51820\nPrivateKey = {private}");
    for n in 0..peers {
        let (key, ip, low) = (key(n), address(n), n + 2);
        write!(
            text,
            "[Peer]\nPublicKey = {key}\nPresharedKey = {key}\nAllowedIPs = {ip}/32, fd77::{low:x}/128\n"
        )?;
    }
    Ok(text)
}

fn address(n: u32) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::from(0x0a4d_0002 + n)
}

/// 32 bytes in base64: eight letters of the number, then always the same.
fn key(n: u32) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = (0..8).rev().map(|place| LETTERS.get((n >> (4 * place)) as usize & 15).copied());
    let digits: String = digits.flatten().map(char::from).collect();
    format!("{digits}{}E=", "BCDF".repeat(8) + "GH")
}
