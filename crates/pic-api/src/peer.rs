//! Devices.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pic_model::key::PublicKey;
use pic_model::name::PeerName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Peer {
    /// Name.
    #[schema(value_type = String)]
    pub name: PeerName,
    /// Key.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// Address in the tunnel.
    #[schema(value_type = String)]
    pub address: Ipv4Addr,
    /// v6 address in the tunnel, unless v6 is off.
    #[schema(value_type = Option<String>)]
    pub address6: Option<Ipv6Addr>,
    /// Name that resolves to it.
    pub fqdn: String,
    /// Groups that it is in.
    pub groups: Vec<String>,
    /// What it may reach.
    pub allow: Vec<String>,
    /// Its own ways to the internet in order of preference; empty: those of a group that it is in, or the uplink.
    pub exit: Vec<String>,
    /// The way that it leaves by now: the name of an exit, or `direct`.
    pub leaves_by: String,
    /// Its own quota, as `50GB/month`; absent: that of its group, or none.
    pub quota: Option<String>,
    /// Its own rate, as `20mbit`; absent: that of its group, or none.
    pub rate: Option<String>,
    /// RFC 3339, UTC; absent is never.
    pub expires: Option<String>,
    /// Switched on.
    pub enabled: bool,
    /// Switched on and not expired: the cell lets it in.
    pub active: bool,
    /// Whether a preshared key is mixed in.
    pub preshared: bool,
    /// Where it was last seen.
    #[schema(value_type = Option<String>)]
    pub endpoint: Option<std::net::SocketAddr>,
    /// Last handshake, RFC 3339, UTC.
    pub last_handshake: Option<String>,
    /// Bytes received from it.
    pub rx_bytes: u64,
    /// Bytes sent to it.
    pub tx_bytes: u64,
}

/// Answer of `GET /api/peers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerList {
    /// Page of peers in order of `sort`.
    pub items: Vec<Peer>,
    /// Number of peers that match.
    pub total: usize,
    /// Cursor of the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /api/peers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPeer {
    /// Name.
    pub name: String,
    /// The device's own key. Absent: the cell makes a key pair, hands the private half out once and forgets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Address; absent is the next free one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<Ipv4Addr>,
    /// Groups that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What it may reach; absent is internet and cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// RFC 3339 time after which it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Without a preshared key.
    #[serde(default)]
    pub no_preshared: bool,
    /// Where the cell dials it, as `host:port`: another cell that listens. Its configuration then says the port and no endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// It is another cell, which leaves by this one's internet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offer: bool,
    /// What the printed configuration sends into the tunnel.
    #[serde(default)]
    pub tunnel: Tunnel,
}

/// What a client's configuration sends into the tunnel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tunnel {
    /// Everything.
    #[default]
    Full,
    /// Only what is behind the cell.
    Split,
}

/// Answer of `POST /api/peers`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerAdded {
    /// The peer.
    pub peer: Peer,
    /// The client's configuration. With a private key inside when the cell made it: shown here and nowhere again. Empty in the
    /// answer to a repeated request.
    pub config: String,
    /// The change that added it.
    pub operation: crate::operation::Operation,
}

impl std::fmt::Debug for PeerAdded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerAdded").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Body of `PUT /api/peers/{name}`: absent keeps, null clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchPeer {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Switch on or off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Groups that it is in, in place of those before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// What it may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Ways to the internet in order of preference, in place of those before; an empty list is that of its group, or the
    /// uplink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Vec<String>>,
    /// What it may use of the internet, as `50GB/month`; null is what its group says, or no end.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub quota: Option<Option<String>>,
    /// How fast, as `20mbit`; null is what its group says, or as fast as it goes.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub rate: Option<Option<String>>,
    /// RFC 3339 time; null is never.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub expires: Option<Option<String>>,
}

/// Tells an absent field from a null one.
mod nullable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<Option<String>>, s: S) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<String>>, D::Error> {
        Option::deserialize(d).map(Some)
    }
}

/// Answer of `GET /api/peers/{name}/config`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeerConfig {
    /// For `wg-quick`, with a line saying where the device's private key goes: the cell does not know it.
    pub config: String,
    /// Where the cell is dialled.
    #[schema(value_type = String)]
    pub endpoint: String,
    /// Resolvers the device should use.
    #[schema(value_type = Vec<String>)]
    pub dns: Vec<IpAddr>,
}

impl std::fmt::Debug for PeerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerConfig").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
