//! One peer: read, change, remove, its configuration.

use pic_api::peer::{PatchPeer, PeerConfig};
use pic_api::problem::Code;
use pic_engine::{ChangeError, Current};
use pic_model::desired::Peer;
use pic_model::edit;
use pic_model::name::PeerName;
use pic_plan::compile::Network;
use pic_plan::compile::client::{self, Tunnel};

use super::add::not_taken;
use super::values::Reader;
use crate::http::call::{Call, Cell};
use crate::http::change::Wish;
use crate::http::client_conf;
use crate::http::failure::{Failure, from_edit, invalid, no_peer};
use crate::http::reply::{Outcome, Reply};
use crate::http::tags::Tags;
use crate::http::view::{self, Peers};

pub(crate) async fn read(call: Call) -> Outcome {
    let name = call.peer_name()?;
    call.freshen().await;
    let cell = call.cell()?;
    let peer = find(&cell, &name)?;
    let shown = Peers::new(&cell).view(&name, peer);
    let tag = view::peer_tag(cell.report.current.generation, peer, &shown);
    Ok(Reply::json(&shown)?.etag(&tag))
}

fn find<'a>(cell: &'a Cell, name: &PeerName) -> Outcome<&'a Peer> {
    cell.desired.peers.get(name).ok_or_else(|| Failure::not_found(no_peer(name.as_str())))
}

pub(crate) async fn change(call: Call) -> Outcome {
    let name = call.peer_name()?;
    let patch: PatchPeer = call.json()?;
    let patch = Patch::read(patch)?;
    let (tags, peer) = (call.if_match()?, name.clone());
    let wish = Wish::new(patch.reason(&name), move |current| {
        check(current, &peer, tags.as_ref())?;
        if let (Some(desired), Some(new)) = (&current.desired, &patch.name)
            && *new != peer
        {
            not_taken(desired, new)?;
        }
        patch.edit(&current.text, &peer)
    });
    call.make(Wish { has_own_tags: true, ..wish }).await?.reply()
}

pub(crate) async fn remove(call: Call) -> Outcome {
    let name = call.peer_name()?;
    let (tags, peer) = (call.if_match()?, name.clone());
    let wish = Wish::new(format!("remove peer {name}"), move |current| {
        check(current, &peer, tags.as_ref())?;
        edit::remove_peer(&current.text, &peer).map_err(from_edit)
    });
    call.make(Wish { has_own_tags: true, ..wish }).await?.reply()
}

/// The peer is there, and as the caller saw it.
fn check(current: &Current, name: &PeerName, tags: Option<&Tags>) -> Result<(), ChangeError> {
    let peer = current.desired.as_ref().and_then(|desired| desired.peers.get(name));
    let peer = peer.ok_or_else(|| ChangeError::NotFound(no_peer(name.as_str())))?;
    match tags {
        Some(tags) if !tags.include(|tag| view::peer_matches(tag, name, peer)) => {
            Err(ChangeError::Stale { generation: current.generation })
        }
        _ => Ok(()),
    }
}

/// A change of a peer, understood.
struct Patch {
    name: Option<PeerName>,
    enabled: Option<bool>,
    allow: Option<toml_edit::Array>,
    expires: Option<Option<jiff::Timestamp>>,
}

impl Patch {
    fn read(patch: PatchPeer) -> Outcome<Self> {
        let mut reader = Reader::default();
        let name = patch.name.as_deref().and_then(|name| reader.parse("name", name));
        let allow = patch.allow.as_deref().and_then(|words| reader.allow(words));
        let expires = match patch.expires {
            Some(Some(text)) => reader.expires(&text).map(Some),
            Some(None) => Some(None),
            None => None,
        };
        if !reader.0.is_empty() {
            return Err(invalid(reader.0).into());
        }
        let allow = allow.map(|all| all.iter().map(|allow| allow.as_str()).collect());
        let patch = Self { name, enabled: patch.enabled, allow, expires };
        if patch.name.is_none() && patch.enabled.is_none() && patch.allow.is_none() && patch.expires.is_none()
        {
            return Err(Failure::new(
                Code::BadRequest,
                "nothing is to be changed: name, enabled, allow or expires",
            ));
        }
        Ok(patch)
    }

    fn reason(&self, name: &PeerName) -> String {
        match (&self.name, self.enabled) {
            (Some(new), _) => format!("rename peer {name} to {new}"),
            (None, Some(true)) => format!("enable peer {name}"),
            (None, Some(false)) => format!("disable peer {name}"),
            (None, None) => format!("change peer {name}"),
        }
    }

    fn edit(self, text: &str, name: &PeerName) -> Result<String, ChangeError> {
        let mut text = text.to_owned();
        if let Some(enabled) = self.enabled {
            text = edit::enable_peer(&text, name, enabled).map_err(from_edit)?;
        }
        if let Some(allow) = self.allow {
            text = edit::set_peer(&text, name, "allow", Some(toml_edit::value(allow))).map_err(from_edit)?;
        }
        if let Some(expires) = self.expires {
            let item = expires.map(|at| toml_edit::value(at.to_string()));
            text = edit::set_peer(&text, name, "expires", item).map_err(from_edit)?;
        }
        // Last: the other edits find the peer by its old name.
        if let Some(new) = self.name {
            text = edit::rename_peer(&text, name, &new).map_err(from_edit)?;
        }
        Ok(text)
    }
}

pub(crate) fn config(call: &Call) -> Outcome {
    let name = call.peer_name()?;
    let tunnel = match call.query.get("tunnel").map(String::as_str) {
        None | Some("full") => Tunnel::Full,
        Some("split") => Tunnel::Split,
        Some(_) => return Err(Failure::bad("tunnel is full or split")),
    };
    let cell = call.cell()?;
    let peer = find(&cell, &name)?;
    let network = Network::new(&cell.desired, &cell.facts);
    let answer = PeerConfig {
        config: client_conf::render(&client_conf::owners(&call.api.cell_toml), &cell, peer, None, tunnel),
        endpoint: client::endpoint(&cell.desired, &cell.facts).unwrap_or_default(),
        dns: network.cell_addresses().map(|network| network.addr()).collect(),
    };
    // The preshared key is in it: wiped afterwards, and not kept for a repetition.
    Reply::secret_json(&answer, &serde_json::Value::Null)
}
