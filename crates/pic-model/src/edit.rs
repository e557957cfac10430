//! Machine edits of `cell.toml` that keep comments and order.
//!
//! Adding a peer, a grant or a record appends text, and removing records cuts lines out, so that their cost does not grow
//! with the file; everything else goes through the document tree of `toml_edit`. The result is always read again by [`crate::config::parse`] before it counts.

mod exits;
mod groups;
mod policy;
mod records;
mod setting;

pub use exits::{add_exit, enable_exit, remove_exit, set_ways, users as exit_users};
pub use groups::{add_group, remove_group, set_groups};
pub use policy::{add_forward, add_grant, add_service, remove_forward, remove_service, revoke};
pub use records::{NewRecord, RecordMatch, add_records, remove_records};
pub use setting::set;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value, value};

use crate::desired::{Allow, Endpoint};
use crate::key::PublicKey;
use crate::lan::{ClientId, Mac, Reservation};
use crate::name::{GroupName, PeerName};

/// Why an edit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The present text is not TOML.
    #[error("the present cell.toml cannot be read: {0}")]
    Syntax(String),
    /// Peers stand in an inline list, where a table cannot be added and comments have no place.
    #[error("peer is an inline list, which is not edited: write each peer as a [[peer]] table")]
    InlinePeers,
    /// No such peer.
    #[error("there is no peer named \"{0}\"")]
    NoPeer(String),
    /// No such reservation.
    #[error("there is no reservation of \"{0}\"")]
    NoReservation(String),
    /// No such group.
    #[error("there is no group named \"{0}\"")]
    NoGroup(String),
    /// Nothing that names both.
    #[error("nothing grants {1} to {0} by these names; `picctl who {1}` tells what does")]
    NoGrant(String, String),
    /// No such service.
    #[error("there is no service named \"{0}\"")]
    NoService(String),
    /// No such forward.
    #[error("{0} is not forwarded")]
    NoForward(String),
    /// No such exit.
    #[error("there is no exit named \"{0}\"")]
    NoExit(String),
    /// No such record.
    #[error("there is no such record")]
    NoRecord,
    /// The path of a setting leads nowhere.
    #[error("\"{0}\" is not the path of a setting; write it as \"wireguard.port\"")]
    BadPath(String),
    /// The new value is not TOML.
    #[error("\"{0}\" is not a value; write a number, true, false, \"a text\" or [\"a\", \"list\"]")]
    BadValue(String),
}

/// What a new `[[peer]]` table carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPeer {
    /// Name.
    pub name: PeerName,
    /// Key.
    pub public_key: PublicKey,
    /// Address inside the v4 network.
    pub address: Ipv4Addr,
    /// Groups that it is in.
    pub groups: Vec<GroupName>,
    /// Grants; `None` leaves the default.
    pub allow: Option<Vec<Allow>>,
    /// Expiry as written in the file.
    pub expires: Option<jiff::Timestamp>,
    /// Without a preshared key.
    pub no_preshared: bool,
    /// Where the cell dials it, as `host:port`.
    pub endpoint: Option<Endpoint>,
    /// Whether it is another cell that leaves by this one's internet.
    pub offer: bool,
}

/// Appends a peer. A TOML array of tables may be continued anywhere after its last element, so the end of the text is
/// always a right place. A file whose `peer` is something else is refused.
pub fn add_peer(text: &str, peer: &NewPeer) -> Result<String, EditError> {
    // Reading the whole document would make the last of ten thousand peers dearer than the first.
    if !text.starts_with("[[peer]]") && !text.contains("\n[[peer]]") {
        only_tables(&document(text)?)?;
    }
    let mut out = String::with_capacity(text.len() + 256);
    out.push_str(text);
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&format!(
        "\n[[peer]]\nname = \"{}\"\npublic_key = \"{}\"\naddress = \"{}\"\n",
        peer.name, peer.public_key, peer.address
    ));
    if !peer.groups.is_empty() {
        out.push_str(&format!("groups = {}\n", groups::list(&peer.groups)));
    }
    if let Some(allow) = &peer.allow {
        let list: Vec<_> = allow.iter().map(|a| format!("\"{}\"", a.as_str())).collect();
        out.push_str(&format!("allow = [{}]\n", list.join(", ")));
    }
    if let Some(expires) = peer.expires {
        out.push_str(&format!("expires = \"{expires}\"\n"));
    }
    if peer.no_preshared {
        out.push_str("preshared = false\n");
    }
    if let Some(endpoint) = &peer.endpoint {
        out.push_str(&format!("endpoint = \"{endpoint}\"\n"));
    }
    if peer.offer {
        out.push_str("offer = true\n");
    }
    Ok(out)
}

/// Appends a reservation.
pub fn add_reservation(text: &str, kept: &Reservation) -> String {
    let mut out = text.to_owned();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&format!("\n[[reservation]]\nlan = \"{}\"\n", kept.lan));
    if let Some(mac) = kept.mac {
        out.push_str(&format!("mac = \"{mac}\"\n"));
    }
    if let Some(id) = &kept.client_id {
        out.push_str(&format!("client_id = \"{id}\"\n"));
    }
    if let Some(duid) = &kept.duid {
        out.push_str(&format!("duid = \"{duid}\"\n"));
    }
    out.push_str(&format!("address = \"{}\"\n", kept.address));
    if let Some(address6) = kept.address6 {
        out.push_str(&format!("address6 = \"{address6}\"\n"));
    }
    if let Some(name) = &kept.name {
        out.push_str(&format!("name = \"{name}\"\n"));
    }
    if !kept.groups.is_empty() {
        out.push_str(&format!("groups = {}\n", groups::list(&kept.groups)));
    }
    out
}

/// Removes the reservation with this name, address, hardware address or client identifier.
pub fn remove_reservation(text: &str, which: &str) -> Result<String, EditError> {
    let mut document = document(text)?;
    let missing = || EditError::NoReservation(which.chars().take(60).collect());
    let all = document.get_mut("reservation").and_then(Item::as_array_of_tables_mut).ok_or_else(missing)?;
    let mac = which.parse::<Mac>().ok();
    let id = which.parse::<ClientId>().ok();
    let is_it = |table: &Table| {
        let text = |field| table.get(field).and_then(Item::as_str);
        let same_mac =
            text("mac").and_then(|text| text.parse::<Mac>().ok()).is_some_and(|own| Some(own) == mac);
        let same_id = text("client_id")
            .and_then(|text| text.parse::<ClientId>().ok())
            .is_some_and(|own| Some(own) == id);
        same_mac || same_id || text("name") == Some(which) || text("address") == Some(which)
    };
    let index = all.iter().position(is_it).ok_or_else(missing)?;
    all.remove(index);
    Ok(document.to_string())
}

/// Removes a peer's table with the comments above it.
pub fn remove_peer(text: &str, name: &PeerName) -> Result<String, EditError> {
    edit_peers(text, name, |peers, index| {
        peers.remove(index);
    })
}

/// Gives a peer another name.
pub fn rename_peer(text: &str, name: &PeerName, new: &PeerName) -> Result<String, EditError> {
    set_peer(text, name, "name", Some(value(new.as_str())))
}

/// Enables or disables a peer.
pub fn enable_peer(text: &str, name: &PeerName, enabled: bool) -> Result<String, EditError> {
    set_peer(text, name, "enabled", if enabled { None } else { Some(value(false)) })
}

/// Sets or removes (`None`) one field of a peer.
pub fn set_peer(text: &str, name: &PeerName, field: &str, new: Option<Item>) -> Result<String, EditError> {
    edit_peers(text, name, |peers, index| {
        if let Some(table) = peers.get_mut(index) {
            match new {
                Some(item) => put(table, field, item),
                None => drop(table.remove(field)),
            }
        }
    })
}

/// Writes these addresses into the tables of their peers, wherever those stand.
pub fn give_addresses(text: &str, given: &BTreeMap<PeerName, Ipv4Addr>) -> Result<String, EditError> {
    let mut document = document(text)?;
    let address = |name: Option<&Item>| {
        let name = name.and_then(Item::as_str)?.parse::<PeerName>().ok()?;
        given.get(&name).map(|address| value(address.to_string()))
    };
    match document.get_mut("peer") {
        Some(Item::ArrayOfTables(peers)) => {
            for peer in peers.iter_mut() {
                if let Some(address) = address(peer.get("name")) {
                    put(peer, "address", address);
                }
            }
        }
        Some(Item::Value(Value::Array(peers))) => {
            for peer in peers.iter_mut().filter_map(Value::as_inline_table_mut) {
                let name = peer.get("name").cloned().map(Item::Value);
                if let Some(Item::Value(address)) = address(name.as_ref()) {
                    peer.insert("address", address);
                }
            }
        }
        _ => {}
    }
    Ok(document.to_string())
}

fn only_tables(document: &DocumentMut) -> Result<(), EditError> {
    match document.get("peer") {
        Some(peers) if !peers.is_array_of_tables() => Err(EditError::InlinePeers),
        _ => Ok(()),
    }
}

fn edit_peers(
    text: &str,
    name: &PeerName,
    edit: impl FnOnce(&mut ArrayOfTables, usize),
) -> Result<String, EditError> {
    let mut document = document(text)?;
    only_tables(&document)?;
    let missing = || EditError::NoPeer(name.to_string());
    let peers = document.get_mut("peer").and_then(Item::as_array_of_tables_mut).ok_or_else(missing)?;
    let is_it = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name.as_str());
    let index = peers.iter().position(is_it).ok_or_else(missing)?;
    edit(peers, index);
    Ok(document.to_string())
}

/// Replaces a value in place, so that the comment behind it stays.
fn put(table: &mut Table, field: &str, item: Item) {
    match (table.get_mut(field).and_then(Item::as_value_mut), item) {
        (Some(old), Item::Value(mut new)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        (_, item) => drop(table.insert(field, item)),
    }
}

fn document(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|error: toml_edit::TomlError| EditError::Syntax(error.message().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: &str = "# my cell\n[cell]\nname = \"home\" # short\n\n[[peer]]\n# the phone\nname = \"phone\"\npublic_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"\naddress = \"10.77.0.2\"\n";

    fn name(text: &str) -> PeerName {
        text.parse().unwrap()
    }

    #[test]
    fn adds_and_removes_without_losing_comments() {
        let peer = NewPeer {
            name: name("tv"),
            public_key: PublicKey::from_bytes([5; 32]),
            address: "10.77.0.3".parse().unwrap(),
            allow: Some(vec![Allow::Internet]),
            expires: None,
            groups: Vec::new(),
            no_preshared: false,
            endpoint: None,
            offer: false,
        };
        let added = add_peer(CELL, &peer).unwrap();
        assert_eq!(crate::config::parse(&added).unwrap().peers.len(), 2);
        let removed = remove_peer(&added, &name("tv")).unwrap();
        assert_eq!(crate::config::parse(&removed).unwrap().peers.len(), 1);
        assert!(removed.contains("# the phone") && removed.contains("# short"));
        assert_eq!(remove_peer(CELL, &name("tv")), Err(EditError::NoPeer("tv".into())));
    }

    #[test]
    fn reservations_come_and_go() {
        let kept = Reservation {
            duid: Some("00:03:00:01:02:00:00:00:00:01".parse().unwrap()),
            address6: Some("::10".parse().unwrap()),
            lan: "lan".parse().unwrap(),
            mac: Some("00:11:22:33:44:5a".parse().unwrap()),
            client_id: None,
            address: [192, 168, 40, 10].into(),
            name: Some("nas".parse().unwrap()),
            groups: Default::default(),
        };
        let lan =
            format!("{CELL}[[lan]]\nname = \"lan\"\ninterface = \"eth1\"\nipv4 = \"192.168.40.1/24\"\n");
        let text = add_reservation(&lan, &kept);
        assert_eq!(crate::config::parse(&text).unwrap().reservations, [kept]);
        for which in ["nas", "192.168.40.10", "00-11-22-33-44-5A"] {
            assert!(
                crate::config::parse(&remove_reservation(&text, which).unwrap())
                    .unwrap()
                    .reservations
                    .is_empty()
            );
        }
        assert_eq!(remove_reservation(&text, "tv"), Err(EditError::NoReservation("tv".into())));
    }

    #[test]
    fn addresses_are_written_where_none_stand() {
        let list = "peer = [\n  { name = \"a\", public_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\" }, # mine\n]\n[cell]\nname = \"home\"\n";
        let table =
            format!("{}# the end\n", CELL.replace("address = \"10.77.0.2\"\n", "enabled = false # lost\n"));
        for (text, kept) in
            [(list, "# mine"), (&table, "enabled = false # lost\naddress = \"10.77.0.2\"\n# the end")]
        {
            let read = crate::config::read(text, None).unwrap();
            assert_eq!(read.given.len(), 1);
            let whole = give_addresses(text, &read.given).unwrap();
            let again = crate::config::read(&whole, None).unwrap();
            assert_eq!((again.desired, again.given.len()), (read.desired, 0));
            assert!(whole.contains(kept), "{whole}");
        }
    }

    #[test]
    fn inline_lists_of_peers_are_refused_by_name() {
        let key = PublicKey::from_bytes([5; 32]);
        let text = format!("peer = [{{ name = \"tv\", public_key = \"{key}\" }}]\n[cell]\nname = \"home\"\n");
        assert_eq!(crate::config::parse(&text).unwrap().peers.len(), 1);
        let new = NewPeer {
            name: name("phone"),
            public_key: PublicKey::from_bytes([6; 32]),
            address: "10.77.0.3".parse().unwrap(),
            allow: None,
            expires: None,
            groups: Vec::new(),
            no_preshared: false,
            endpoint: None,
            offer: false,
        };
        assert_eq!(add_peer(&text, &new), Err(EditError::InlinePeers));
        assert_eq!(remove_peer(&text, &name("tv")), Err(EditError::InlinePeers));
        assert_eq!(enable_peer(&text, &name("tv"), false), Err(EditError::InlinePeers));
        assert!(EditError::InlinePeers.to_string().contains("[[peer]]"));
    }
}
