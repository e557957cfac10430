//! The last words: what the cell is, what to open, what to do next.

use pic_api::status::Status;
use pic_model::Desired;
use pic_model::name::PeerName;

use crate::choice::private_address;
use crate::options::Options;
use crate::out::Out;
use crate::service::complaints;

/// Prints them.
pub(crate) fn print(out: Out, status: &Status, earlier: Option<&Desired>, options: &Options) {
    let cell = &status.cell;
    let port = status.wireguard.port;
    let v6 = cell.address6.as_deref().map(|ip| format!(" and {ip}")).unwrap_or_default();
    out.say(&format!(
        "The cell \"{}\" is up{}: {} at {}{v6}, WireGuard by the {}.",
        cell.name,
        earlier.map(as_before).unwrap_or_default(),
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

/// A cell that is not new, installed again or repaired, has what it had.
fn as_before(earlier: &Desired) -> String {
    const NAMED: usize = 5;
    let names: Vec<&str> = earlier.peers.keys().map(PeerName::as_str).collect();
    let devices = match names.as_slice() {
        [] => "no device yet".to_owned(),
        [name] => format!("its device {name}"),
        names if names.len() <= NAMED => format!("its {} devices ({})", names.len(), names.join(", ")),
        names => format!("its {} devices", names.len()),
    };
    format!(" again as it was, with its key and {devices}")
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
    private_address(endpoint).map(|_| {
        format!("That is a private address: in the router, forward udp/{port} to it, and set what devices dial from elsewhere: {advice}. Devices added before then have the private one: change Endpoint in their app, or remove them and add them again.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_an_earlier_cell_has() {
        let cell = |names: &[&str]| {
            let peer = |(at, name): (usize, &&str)| {
                let key = pic_model::key::PublicKey::from_bytes([u8::try_from(at).unwrap_or(0) + 1; 32]);
                format!(
                    "[[peer]]\nname = \"{name}\"\npublic_key = \"{key}\"\naddress = \"10.77.0.{}\"\n",
                    at + 2
                )
            };
            let peers: String = names.iter().enumerate().map(peer).collect();
            as_before(&pic_model::config::parse(&format!("[cell]\nname = \"den\"\n{peers}")).unwrap())
        };
        assert!(cell(&[]).ends_with("no device yet") && cell(&["tv"]).ends_with("its device tv"));
        assert_eq!(cell(&["tv", "phone"]), " again as it was, with its key and its 2 devices (phone, tv)");
        assert!(cell(&["a", "b", "c", "d", "e", "f"]).ends_with("its 6 devices"));
    }

    #[test]
    fn says_when_an_endpoint_is_private() {
        let says = |endpoint| private_endpoint(endpoint, 51820).is_some();
        assert!(says(Some("192.168.1.5:51820")) && says(Some("[fd00::1]:51820")) && says(None));
        assert!(!says(Some("203.0.113.10:51820")) && !says(Some("vpn.example.org:1")));
    }
}
