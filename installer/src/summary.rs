//! The last words: what the cell is, what to open, what to do next.

use std::net::IpAddr;

use pic_api::status::Status;

use crate::choice::is_public_v4;
use crate::options::Options;
use crate::out::Out;
use crate::service::complaints;

/// Prints them.
pub(crate) fn print(out: Out, status: &Status, options: &Options) {
    let cell = &status.cell;
    let port = status.wireguard.port;
    let v6 = cell.address6.as_deref().map(|ip| format!(" and {ip}")).unwrap_or_default();
    out.say(&format!(
        "The cell \"{}\" is up: {} at {}{v6}, WireGuard by the {}.",
        cell.name,
        cell.zone,
        cell.address,
        backend(status)
    ));
    let sudo = if std::env::var_os("SUDO_USER").is_some() { "sudo " } else { "" };
    for complaint in complaints(status) {
        out.say(&format!("Not as wanted yet: {complaint}. Look with: {sudo}picctl doctor"));
    }
    let endpoint = cell.endpoint.as_deref().unwrap_or("nothing yet");
    out.say(&format!(
        "Devices dial {endpoint}. A router or cloud firewall before this host must let udp/{port} in."
    ));
    if let Some(words) = private_endpoint(cell.endpoint.as_deref(), port) {
        out.say(&words);
    }
    out.say("");
    out.say("Next:");
    if options.peers.is_empty() {
        out.say(&format!("  {sudo}picctl peer add phone    a device, as a QR code to scan"));
    }
    out.say(&format!("  {sudo}picctl status            how the cell is"));
    out.say(&format!("  {sudo}picctl doctor            what could be better"));
    out.say(&format!(
        "  /etc/pic/cell.toml       the whole cell in one file; after an edit: {sudo}picctl plan, {sudo}picctl apply"
    ));
    out.say("To take it away again: the line that installed it, with --uninstall behind `sh -s --` (and --purge: keys, too).");
}

fn backend(status: &Status) -> &'static str {
    if status.wireguard.backend == "userspace" { "program pic-wg" } else { "kernel" }
}

/// An address that only this site knows is no use to a phone on the road.
fn private_endpoint(endpoint: Option<&str>, port: u16) -> Option<String> {
    let advice = "picctl config set wireguard.endpoint NAME-OR-ADDRESS";
    let Some(endpoint) = endpoint else {
        return Some(format!("Say what devices dial, once there is a way out: {advice}"));
    };
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let ip: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    let public = match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => !ip.is_unique_local(),
    };
    (!public).then(|| {
        format!("That is a private address: in the router, forward udp/{port} to it, and set what devices dial from elsewhere: {advice}. Devices added before then have the private one: change Endpoint in their app, or remove them and add them again.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_when_an_endpoint_is_private() {
        let says = |endpoint| private_endpoint(endpoint, 51820).is_some();
        assert!(says(Some("192.168.1.5:51820")) && says(Some("[fd00::1]:51820")) && says(None));
        assert!(
            !says(Some("203.0.113.10:51820"))
                && !says(Some("vpn.example.org:1"))
                && !says(Some("[2001:db8::1]:1"))
        );
    }
}
