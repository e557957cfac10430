//! Adding a device. When it brings no key, its key pair is made here, handed out in this one answer and forgotten.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use pic_api::peer::{NewPeer, PeerAdded, Tunnel};
use pic_engine::{ChangeError, Current};
use pic_model::chain;
use pic_model::desired::{Allow, Endpoint, Peer, UseLimits};
use pic_model::edit;
use pic_model::key::{PrivateKey, PublicKey};
use pic_model::name::{GroupName, PeerName};
use pic_model::{Desired, ProblemCode, address};
use pic_plan::compile::client;
use zeroize::Zeroize;

use super::values::Reader;
use crate::host::random;
use crate::http::call::Call;
use crate::http::change::{Made, Wish};
use crate::http::client_conf;
use crate::http::failure::{Failure, field, from_edit, invalid};
use crate::http::reply::{Outcome, Reply};
use crate::http::view::{self, Peers};

pub(crate) async fn add(call: Call) -> Outcome {
    let new: NewPeer = call.json()?;
    let tunnel = match new.tunnel {
        Tunnel::Full => client::Tunnel::Full,
        Tunnel::Split => client::Tunnel::Split,
    };
    let asked = Asked::read(new)?;
    let private_key = asked.private_key.clone();
    let name = asked.name.clone();
    let given = Arc::new(Mutex::new(None));
    let place = Arc::clone(&given);
    // The key of a plan would be lost before it is applied, and the peer's with it.
    let repeatable = private_key.is_none();
    let wish = Wish {
        repeatable,
        ..Wish::new(format!("add peer {name}"), move |current| {
            let (text, peer) = asked.edit(current)?;
            *place.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(peer);
            Ok(text)
        })
    };
    let made = call.make(wish).await?;
    let is_done = matches!(made, Made::Settled(_));
    let operation = match made {
        Made::Plan(plan) => return Reply::json(&plan),
        Made::Running(operation) | Made::Settled(operation) => operation,
    };
    let peer = given.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let peer = peer.ok_or_else(|| Failure::internal("the change was made without its peer"))?;
    let cell = call.cell()?;
    let view = Peers::new(&cell).view(&name, &peer);
    let template = client_conf::owners(&call.api.cell_toml);
    let config = |key| client_conf::render(&template, &cell, &peer, key, tunnel);
    let mut added =
        PeerAdded { peer: view.clone(), config: config(private_key.as_ref()), operation: operation.clone() };
    // The preshared key is in it as well, and a repetition is kept on disk.
    let again = PeerAdded { peer: view, config: String::new(), operation };
    let reply = Reply::secret_json(&added, &again);
    added.config.zeroize();
    let location = if is_done {
        format!("/api/peers/{name}")
    } else {
        format!("/api/operations/{}", added.operation.id)
    };
    let status = if is_done { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let tag = view::peer_tag(added.operation.generation, &peer, &added.peer);
    let reply = reply?.with_status(status).location(&location);
    Ok(if is_done { reply.etag(&tag) } else { reply })
}

/// A new peer, understood; not yet with an address.
struct Asked {
    name: PeerName,
    public_key: PublicKey,
    /// When it was made here.
    private_key: Option<PrivateKey>,
    address: Option<Ipv4Addr>,
    groups: Vec<GroupName>,
    allow: Option<BTreeSet<Allow>>,
    expires: Option<jiff::Timestamp>,
    no_preshared: bool,
    endpoint: Option<Endpoint>,
    offer: bool,
}

impl Asked {
    fn read(new: NewPeer) -> Outcome<Self> {
        let mut reader = Reader::default();
        let name = reader.parse::<PeerName>("name", &new.name);
        let own_key = new.public_key.as_deref().map(|key| reader.parse::<PublicKey>("public_key", key));
        let allow = new.allow.as_deref().and_then(|words| reader.allow(words));
        let groups = reader.groups(&new.groups);
        let expires = new.expires.as_deref().and_then(|text| reader.expires(text));
        let endpoint = new.endpoint.as_deref().and_then(|text| reader.endpoint(text));
        let (Some(name), true) = (name, reader.0.is_empty()) else { return Err(invalid(reader.0).into()) };
        let (public_key, private_key) = match own_key.flatten() {
            Some(key) => (key, None),
            None => {
                let bytes = random().map_err(|error| Failure::internal(chain(&error)))?;
                let key = PrivateKey::from_random(*bytes);
                (key.public(), Some(key))
            }
        };
        let (address, no_preshared, offer) = (new.address, new.no_preshared, new.offer);
        Ok(Self {
            name,
            public_key,
            private_key,
            address,
            groups,
            allow,
            expires,
            no_preshared,
            endpoint,
            offer,
        })
    }

    /// The new text, and the peer as it will be.
    fn edit(self, current: &Current) -> Result<(String, Peer), ChangeError> {
        let desired = current.desired.as_ref().ok_or(ChangeError::NoCell)?;
        not_taken(desired, &self.name)?;
        let address = match self.address {
            Some(address) => address,
            None => free_address(desired)?,
        };
        let new = edit::NewPeer {
            name: self.name,
            public_key: self.public_key,
            address,
            groups: self.groups.clone(),
            allow: self.allow.as_ref().map(|allow| allow.iter().copied().collect()),
            expires: self.expires,
            no_preshared: self.no_preshared,
            endpoint: self.endpoint.clone(),
            offer: self.offer,
        };
        let text = edit::add_peer(&current.text, &new).map_err(from_edit)?;
        let peer = Peer {
            public_key: self.public_key,
            address,
            address6: None,
            groups: self.groups.into_iter().collect(),
            endpoint: self.endpoint,
            offer: self.offer,
            exit: None,
            limits: UseLimits::default(),
            allow: self.allow.unwrap_or_else(|| [Allow::Internet, Allow::Cell].into()),
            expires: self.expires.map(|at| at.as_second()),
            enabled: true,
            preshared: !self.no_preshared,
        };
        Ok((text, peer))
    }
}

/// The file's own check would name lines that the file does not have yet.
pub(super) fn not_taken(desired: &Desired, name: &PeerName) -> Result<(), ChangeError> {
    if !desired.peers.contains_key(name) {
        return Ok(());
    }
    let message = format!("there is a peer named \"{name}\" already");
    let hint = format!("choose another name, or remove that one first: `picctl peer remove {name}`");
    Err(invalid(vec![field("name", ProblemCode::Duplicate, message, &hint)]))
}

fn free_address(desired: &Desired) -> Result<Ipv4Addr, ChangeError> {
    let taken = desired.peers.values().map(|peer| peer.address).collect();
    address::next_free_v4(desired.wireguard.ipv4, &taken).ok_or_else(|| {
        let message = format!("no address is left in {}", desired.wireguard.ipv4);
        invalid(vec![field(
            "address",
            ProblemCode::Exhausted,
            message,
            "remove a peer or widen wireguard.ipv4",
        )])
    })
}
