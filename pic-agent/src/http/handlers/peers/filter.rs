//! Which peers a list shows.

use pic_model::desired::{Allow, Peer};
use pic_model::name::PeerName;
use pic_plan::compile::is_active;

use crate::http::call::Call;
use crate::http::failure::Failure;
use crate::http::reply::Outcome;
use crate::http::view::Peers;

/// What a peer must be like; all of it at once.
#[derive(Debug, Default)]
pub(super) struct Filter {
    q: Option<String>,
    enabled: Option<bool>,
    active: Option<bool>,
    allow: Option<Allow>,
}

impl Filter {
    pub(super) fn read(call: &Call) -> Outcome<Self> {
        let allow = call.query.get("filter[allow]").map(|word| {
            let known = [Allow::Internet, Allow::Cell].into_iter().find(|allow| allow.as_str() == word);
            known.ok_or_else(|| Failure::bad("filter[allow] is internet or cell"))
        });
        Ok(Self {
            q: call.query.get("q").map(|q| q.to_ascii_lowercase()),
            enabled: call.choice("filter[enabled]")?,
            active: call.choice("filter[active]")?,
            allow: allow.transpose()?,
        })
    }

    /// Whether it lets all peers through.
    pub(super) fn is_empty(&self) -> bool {
        self.q.is_none() && self.enabled.is_none() && self.active.is_none() && self.allow.is_none()
    }

    pub(super) fn fits(&self, peers: &Peers<'_>, name: &PeerName, peer: &Peer) -> bool {
        self.enabled.is_none_or(|enabled| peer.enabled == enabled)
            && self.active.is_none_or(|active| is_active(peer, peers.now()) == active)
            && self.allow.is_none_or(|allow| peer.allow.contains(&allow))
            && self.q.as_ref().is_none_or(|q| {
                name.as_str().contains(q) || peers.addresses(peer).any(|address| address.contains(q))
            })
    }
}
