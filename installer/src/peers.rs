//! The first devices: added through the agent, their configurations shown once and kept nowhere.

use anyhow::Result;
use pic_api::client::{Client, ClientError, Wait};
use pic_api::peer::{NewPeer, PeerAdded, Tunnel};
use pic_api::problem::Code;
use pic_model::name::PeerName;
use serde::Serialize;

use crate::out::Out;

/// A device that was asked for.
#[derive(Serialize)]
pub(crate) struct Added {
    name: PeerName,
    fqdn: String,
    address: String,
    address6: Option<String>,
    /// Absent for a device that was there before: its key is known to itself alone.
    config: Option<String>,
}

/// Adds those that do not exist.
pub(crate) async fn add(client: &Client, names: &[PeerName], out: Out) -> Result<Vec<Added>> {
    let mut all = Vec::new();
    for name in names {
        let (peer, config) = match client.peer(name.as_str()).await {
            Ok(answer) => {
                out.note(&format!("{name} exists already and is left as it is"));
                (answer.value, None)
            }
            Err(ClientError::Problem(problem)) if problem.code == Code::NotFound => {
                let answer = client.add_peer(&new(name), Wait::Settled).await?;
                say(&answer.value, out);
                (answer.value.peer, Some(answer.value.config))
            }
            Err(error) => return Err(error.into()),
        };
        all.push(Added {
            name: peer.name,
            fqdn: peer.fqdn,
            address: peer.address.to_string(),
            address6: peer.address6.map(|ip| ip.to_string()),
            config,
        });
    }
    Ok(all)
}

fn new(name: &PeerName) -> NewPeer {
    NewPeer {
        name: name.to_string(),
        public_key: None,
        address: None,
        allow: None,
        expires: None,
        groups: Vec::new(),
        no_preshared: false,
        endpoint: None,
        offer: false,
        tunnel: Tunnel::Full,
    }
}

/// Their codes, on a terminal: the very last, as whatever follows makes them scroll away.
pub(crate) fn show_codes(all: &[Added], out: Out) {
    let new = all.iter().filter_map(|added| Some((added, added.config.as_ref()?)));
    for (added, config) in new.filter(|_| out.is_terminal()) {
        if let Some(code) = picctl::terminal_qr(config, out.colours()) {
            out.say(&format!("\n{}:", added.name));
            out.text(&code);
        }
    }
}

fn say(added: &PeerAdded, out: Out) {
    let peer = &added.peer;
    out.say(&format!(
        "# {}: {}, {}. For the WireGuard app or wg-quick; shown only now.",
        peer.name, peer.fqdn, peer.address
    ));
    out.text(&added.config);
    out.say("");
}
