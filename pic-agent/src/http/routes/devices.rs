//! Devices, the networks that they are in, and what these are given.

use pic_api::app::AppList;
use pic_api::dhcp::{LeaseList, NewReservation, ReservationList};
use pic_api::group::{Group, GroupList, NewGroup};
use pic_api::lan::LanList;
use pic_api::operation::Operation;
use pic_api::peer::{NewPeer, PatchPeer, Peer, PeerAdded, PeerConfig, PeerList};
use pic_api::status::WireguardStatus;
use pic_api::time::Time;

use super::one;
use crate::http::handlers::{apps, dhcp, groups, lans, peers, status, time};
use crate::http::route::Verb::{Delete, Get, Post, Put};
use crate::http::route::{Answer, Route, of};

const TUNNEL: &[(&str, &str)] =
    &[("tunnel", "full: everything goes through the cell; split: only what is behind it")];
const PEERS: &[(&str, &str)] = &[
    ("q", "part of a name or address"),
    ("limit", "1 to 1000, else 100"),
    ("cursor", "`next` of the page before"),
    ("sort", "name, -name, last_handshake or -last_handshake"),
    ("filter[enabled]", "true or false: switched on or off"),
    ("filter[active]", "true or false: let in, or switched off or expired"),
    ("filter[allow]", "internet or cell: those who may reach it"),
];
const LEASES: &[(&str, &str)] = &[
    ("q", "part of a name, address, hardware address or vendor"),
    ("limit", "at most this many, else all"),
    ("cursor", "`next` of the page before"),
    ("filter[lan]", "of this LAN or subnet"),
    ("filter[state]", "bound, offered, expired, released or declined"),
    ("filter[reserved]", "true or false: kept for a device"),
];

pub(super) static ROUTES: &[Route] = &[
    Route::new(Get, "/api/peers", "list-peers", "Devices", one::<PeerList>(), later!(peers::list))
        .query(PEERS)
        .list(),
    Route::new(
        Post,
        "/api/peers",
        "add-peer",
        "Add a device",
        Answer::One(201, of::<PeerAdded>()),
        later!(peers::add),
    )
    .takes_body(of::<NewPeer>())
    .changes(),
    Route::new(Get, "/api/peers/{name}", "read-peer", "One device", one::<Peer>(), later!(peers::read)),
    Route::new(
        Put,
        "/api/peers/{name}",
        "change-peer",
        "Change a device",
        one::<Operation>(),
        later!(peers::change),
    )
    .takes_body(of::<PatchPeer>())
    .changes(),
    Route::new(
        Delete,
        "/api/peers/{name}",
        "remove-peer",
        "Remove a device",
        one::<Operation>(),
        later!(peers::remove),
    )
    .changes(),
    Route::new(
        Get,
        "/api/peers/{name}/config",
        "peer-config",
        "A device's configuration",
        Answer::Secret(of::<PeerConfig>()),
        now!(peers::config),
    )
    .query(TUNNEL),
    Route::new(
        Get,
        "/api/time",
        "time",
        "The time the cell serves, where it has it from, and who asks",
        one::<Time>(),
        later!(time::time),
    ),
    Route::new(
        Get,
        "/api/lans",
        "list-lans",
        "LANs with the networks they have at this moment",
        one::<LanList>(),
        later!(lans::list),
    ),
    Route::new(
        Get,
        "/api/apps",
        "list-apps",
        "Programs with a network namespace of their own",
        one::<AppList>(),
        later!(apps::list),
    ),
    Route::new(
        Get,
        "/api/groups",
        "list-groups",
        "Groups and what is in them",
        one::<GroupList>(),
        now!(groups::list),
    ),
    Route::new(Post, "/api/groups", "add-group", "Make a group", one::<Operation>(), later!(groups::add))
        .takes_body(of::<NewGroup>())
        .changes(),
    Route::new(Get, "/api/groups/{name}", "read-group", "One group", one::<Group>(), now!(groups::read)),
    Route::new(
        Delete,
        "/api/groups/{name}",
        "remove-group",
        "Remove a group; devices in it leave it",
        one::<Operation>(),
        later!(groups::remove),
    )
    .changes(),
    Route::new(
        Get,
        "/api/dhcp/leases",
        "list-leases",
        "Addresses on the LANs and who has them",
        one::<LeaseList>(),
        later!(dhcp::leases),
    )
    .query(LEASES)
    .list(),
    Route::new(
        Delete,
        "/api/dhcp/leases/{address}",
        "release-lease",
        "End a lease, of an address or of a router's prefix by its address; the device gets one again when it asks",
        one::<LeaseList>(),
        later!(dhcp::release),
    ),
    Route::new(
        Get,
        "/api/dhcp/reservations",
        "list-reservations",
        "Addresses kept for devices",
        one::<ReservationList>(),
        now!(dhcp::reservations),
    )
    .list(),
    Route::new(
        Post,
        "/api/dhcp/reservations",
        "add-reservation",
        "Keep an address for a device",
        one::<Operation>(),
        later!(dhcp::reserve),
    )
    .takes_body(of::<NewReservation>())
    .changes(),
    Route::new(
        Delete,
        "/api/dhcp/reservations/{which}",
        "remove-reservation",
        "Keep it no longer; by name, address, hardware address or client identifier",
        one::<Operation>(),
        later!(dhcp::unreserve),
    )
    .changes(),
    Route::new(
        Get,
        "/api/wireguard/status",
        "wireguard",
        "WireGuard in short",
        one::<WireguardStatus>(),
        later!(status::wireguard),
    ),
    Route::new(
        Get,
        "/api/wireguard/peers",
        "list-wireguard-peers",
        "Devices",
        one::<PeerList>(),
        later!(peers::list),
    )
    .query(PEERS)
    .list(),
    Route::new(
        Post,
        "/api/wireguard/peers",
        "add-wireguard-peer",
        "Add a device",
        Answer::One(201, of::<PeerAdded>()),
        later!(peers::add),
    )
    .takes_body(of::<NewPeer>())
    .changes(),
];
