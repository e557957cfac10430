//! One peer: read, change, remove, its configuration.

use pic_api::peer::{PatchPeer, PeerConfig};
use pic_api::problem::Code;
use pic_engine::{ChangeError, Current};
use pic_model::desired::Peer;
use pic_model::edit;
use pic_model::exit::WayOut;
use pic_model::name::{GroupName, PeerName};
use pic_model::quota::{Quota, Rate};
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
    let (shown, tag) = show(&call.cell()?, &name)?;
    Ok(Reply::json(&shown)?.etag(&tag))
}

/// A peer as it is shown, with its tag.
fn show(cell: &Cell, name: &PeerName) -> Outcome<(pic_api::peer::Peer, String)> {
    let peer = find(cell, name)?;
    let shown = Peers::new(cell).view(name, peer);
    let tag = view::peer_tag(cell.report.current.generation, peer, &shown);
    Ok((shown, tag))
}

fn find<'a>(cell: &'a Cell, name: &PeerName) -> Outcome<&'a Peer> {
    cell.desired.peers.get(name).ok_or_else(|| Failure::not_found(no_peer(name.as_str())))
}

pub(crate) async fn change(call: Call) -> Outcome {
    let name = call.peer_name()?;
    let patch: PatchPeer = call.json()?;
    let patch = Patch::read(patch)?;
    let peer = name.clone();
    let wish = Wish::new(patch.reason(&name), move |current| {
        exists(current, &peer)?;
        if let (Some(desired), Some(new)) = (&current.desired, &patch.name)
            && *new != peer
        {
            not_taken(desired, new)?;
        }
        patch.edit(&current.text, &peer)
    });
    make(&call, &name, wish).await
}

pub(crate) async fn remove(call: Call) -> Outcome {
    let name = call.peer_name()?;
    let peer = name.clone();
    let wish = Wish::new(format!("remove peer {name}"), move |current| {
        exists(current, &peer)?;
        edit::remove_peer(&current.text, &peer).map_err(from_edit)
    });
    make(&call, &name, wish).await
}

/// Makes a change of one peer: the tags are the peer's, and whoever comes too late is shown the peer.
async fn make(call: &Call, name: &PeerName, wish: Wish) -> Outcome {
    let peer = name.clone();
    let matches = move |current: &Current, tags: &Tags| {
        exists(current, &peer).is_ok_and(|found| tags.include(|tag| view::peer_matches(tag, &peer, found)))
    };
    let made = call.make(Wish { matches: Box::new(matches), ..wish }).await;
    made.map_err(|failure| with_peer(call, name, failure))?.reply()
}

fn exists<'a>(current: &'a Current, name: &PeerName) -> Result<&'a Peer, ChangeError> {
    let peer = current.desired.as_ref().and_then(|desired| desired.peers.get(name));
    peer.ok_or_else(|| ChangeError::NotFound(no_peer(name.as_str())))
}

fn with_peer(call: &Call, name: &PeerName, mut failure: Failure) -> Failure {
    let Some(stale) = &mut failure.stale else { return failure };
    if let Ok((shown, tag)) = call.cell().and_then(|cell| show(&cell, name)) {
        // Plain data with string keys always serialises.
        stale.current = serde_json::to_value(&shown).unwrap_or_default();
        stale.etag = tag;
    }
    failure
}

/// A change of a peer, understood.
struct Patch {
    name: Option<PeerName>,
    enabled: Option<bool>,
    groups: Option<Vec<GroupName>>,
    exit: Option<Vec<WayOut>>,
    allow: Option<toml_edit::Array>,
    quota: Option<Option<Quota>>,
    rate: Option<Option<Rate>>,
    expires: Option<Option<jiff::Timestamp>>,
}

impl Patch {
    fn read(patch: PatchPeer) -> Outcome<Self> {
        let mut reader = Reader::default();
        let name = patch.name.as_deref().and_then(|name| reader.parse("name", name));
        let allow = patch.allow.as_deref().and_then(|words| reader.allow(words));
        let groups = patch.groups.as_deref().map(|words| reader.groups(words));
        let exit = patch.exit.as_deref().map(|words| reader.ways(words));
        let mut limits = (None, None);
        if let Some(quota) = &patch.quota {
            limits.0 = Some(quota.as_deref().and_then(|text| reader.parse("quota", text)));
        }
        if let Some(rate) = &patch.rate {
            limits.1 = Some(rate.as_deref().and_then(|text| reader.parse("rate", text)));
        }
        let (quota, rate) = limits;
        let expires = match patch.expires {
            Some(Some(text)) => reader.expires(&text).map(Some),
            Some(None) => Some(None),
            None => None,
        };
        if !reader.0.is_empty() {
            return Err(invalid(reader.0).into());
        }
        let allow = allow.map(|all| all.iter().map(|allow| allow.as_str()).collect());
        let patch = Self { name, enabled: patch.enabled, groups, exit, allow, quota, rate, expires };
        let keeps_rights = patch.groups.is_none()
            && patch.exit.is_none()
            && patch.allow.is_none()
            && patch.quota.is_none()
            && patch.rate.is_none()
            && patch.expires.is_none();
        if patch.name.is_none() && patch.enabled.is_none() && keeps_rights {
            return Err(Failure::new(
                Code::BadRequest,
                "nothing is to be changed: name, enabled, groups, exit, allow, quota, rate or expires",
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
        if let Some(groups) = self.groups {
            text = edit::set_groups(&text, name, &groups).map_err(from_edit)?;
        }
        if let Some(exit) = self.exit {
            text = edit::set_ways(&text, name, &exit).map_err(from_edit)?;
        }
        if let Some(allow) = self.allow {
            text = edit::set_peer(&text, name, "allow", Some(toml_edit::value(allow))).map_err(from_edit)?;
        }
        for (field, value) in [
            ("quota", self.quota.map(|quota| quota.map(|quota| quota.to_string()))),
            ("rate", self.rate.map(|rate| rate.map(|rate| rate.to_string()))),
        ] {
            if let Some(value) = value {
                text = edit::set_peer(&text, name, field, value.map(toml_edit::value)).map_err(from_edit)?;
            }
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
