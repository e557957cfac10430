//! Every route, once: the router and the OpenAPI document are both made from this table.
//!
//! Large because it is one list: a route is found, and compared with its neighbours, in one place.

use pic_api::ban::{Ban, BanList, NewBan};
use pic_api::config::{ChangeOptions, Config, NewConfig, PatchConfig};
use pic_api::dhcp::{LeaseList, NewReservation, ReservationList};
use pic_api::dns::{
    DnsAnswer, DnsClients, DnsFlushed, DnsLog, DnsRecordList, DnsStats, NewDnsRecord, NewDnsRecords,
};
use pic_api::event::Event;
use pic_api::exit::{Exit, ExitList, NewExit, PatchExit};
use pic_api::group::{Group, GroupList, NewGroup};
use pic_api::history::{Diff, History};
use pic_api::lan::LanList;
use pic_api::operation::{Confirm, Operation, OperationList, Plan};
use pic_api::peer::{NewPeer, PatchPeer, Peer, PeerAdded, PeerConfig, PeerList};
use pic_api::policy::{Forward, ForwardList, GrantList, NamedServiceList, NewGrant, NewService, WhoList};
use pic_api::reach::{ReachTestList, Why};
use pic_api::status::{ActiveServices, Check, Health, HealthHistory, Services, Status, WireguardStatus};
use pic_api::time::Time;
use utoipa::ToSchema;

use super::handlers::{
    bans, config, confirm, dhcp, dns, doctor, events, exits, export, groups, history, lans, operation_list,
    operations, peers, plans, policy, reach, services, status, time,
};
use super::openapi;
use super::route::Verb::{Delete, Get, Patch, Post, Put};
use super::route::{Answer, Route, of};

/// A handler that answers from memory.
macro_rules! now {
    ($handler:path) => {
        |call| Box::pin(async move { $handler(&call) })
    };
}

/// A handler that waits for the engine.
macro_rules! later {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
}

const fn one<T: ToSchema>() -> Answer {
    Answer::One(200, of::<T>())
}

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
const HISTORY: &[(&str, &str)] = &[
    ("limit", "how many; else all"),
    ("cursor", "`next` of the page before"),
    ("sort", "-number, newest first, as without it; or number"),
];
const OPERATIONS: &[(&str, &str)] = &[
    ("q", "part of the reason"),
    ("limit", "how many, else 50"),
    ("cursor", "`next` of the page before"),
    ("sort", "-number, newest first, as without it; or number"),
    ("filter[state]", "applying, verifying, awaiting-confirm, kept, reverting, reverted or failed"),
    ("filter[author]", "name of a user"),
];
const LEASES: &[(&str, &str)] = &[
    ("q", "part of a name, address, hardware address or vendor"),
    ("limit", "at most this many, else all"),
    ("cursor", "`next` of the page before"),
    ("filter[lan]", "of this LAN or subnet"),
    ("filter[state]", "bound, offered, expired, released or declined"),
    ("filter[reserved]", "true or false: kept for a device"),
];
const RECORDS: &[(&str, &str)] = &[
    ("q", "part of a name or value"),
    ("limit", "1 to 10000, else 100"),
    ("cursor", "`next` of the page before"),
];
const RECORD: &[(&str, &str)] = &[
    ("name", "relative to the cell's zone, or full"),
    ("type", "only records of this type"),
    ("value", "only the record with this value; needs type"),
];
const DNS_QUERY: &[(&str, &str)] = &[
    ("name", "what to ask for; one label is a name of the cell"),
    ("type", "type, else A"),
    ("as", "name of a peer or an address to ask from, else the cell's own"),
];
const WHY: &[(&str, &str)] = &[
    ("from", "who begins: a peer, LAN or reservation, an address, internet or cell"),
    ("to", "where it leads: the same, with a port as in nas:445 or cell:udp/53; else a ping"),
];
const DNS_LOG: &[(&str, &str)] = &[
    ("client", "name of a device, or an address; else all"),
    ("after", "only what came behind this number, the oldest first; else the newest"),
    ("limit", "at most so many, from 1 to 1000; else 100"),
];
const DNS_CLIENTS: &[(&str, &str)] = &[("limit", "at most so many clients, from 1 to 1000; else 100")];
const GRANTS: &[(&str, &str)] = &[
    ("q", "part of a name at one of the ends"),
    ("limit", "1 to 10000, else 100"),
    ("cursor", "`next` of the page before"),
];
const BANS: &[(&str, &str)] = &[
    ("q", "part of an address or reason"),
    ("limit", "1 to 20000, else 100"),
    ("cursor", "`next` of the page before"),
];
const UNBAN: &[(&str, &str)] = &[("address", "address or network, as it was banned")];
const REVOKE: &[(&str, &str)] = &[("from", "who"), ("to", "what, as the grant says it")];
const WHO: &[(&str, &str)] = &[("to", "a service, host with or without a port, network, internet, cell")];
const UNFORWARD: &[(&str, &str)] = &[("listen", "the port, as tcp/8443")];
const FLUSH: &[(&str, &str)] = &[("name", "only this name and all beneath it")];

/// The table.
pub(crate) static ROUTES: &[Route] = &[
    Route::new(Get, "/health", "health", "Whether the agent lives", one::<Health>(), now!(status::health))
        .early(),
    Route::new(Get, "/openapi.json", "openapi", "This document", Answer::Object, now!(openapi::answer))
        .early(),
    Route::new(Get, "/api/status", "status", "How the cell is", one::<Status>(), later!(status::status)),
    Route::new(
        Get,
        "/api/health/history",
        "health-history",
        "When the cell became better or worse",
        one::<HealthHistory>(),
        now!(status::history),
    ),
    Route::new(
        Get,
        "/api/services/status",
        "services",
        "The services of the cell",
        one::<Services>(),
        later!(services::status),
    ),
    Route::new(
        Get,
        "/api/services/active",
        "active-services",
        "Names of the services that run",
        one::<ActiveServices>(),
        later!(services::active),
    ),
    Route::new(
        Get,
        "/api/doctor",
        "doctor",
        "What could be better",
        Answer::Many(of::<Check>()),
        later!(doctor::doctor),
    ),
    Route::new(
        Get,
        "/api/config",
        "read-config",
        "The desired state as text",
        one::<Config>(),
        now!(config::read),
    ),
    Route::new(
        Put,
        "/api/config",
        "replace-config",
        "Replace the desired state",
        one::<Operation>(),
        later!(config::replace),
    )
    .takes_body(of::<NewConfig>())
    .changes()
    .large(),
    Route::new(
        Patch,
        "/api/config",
        "patch-config",
        "Set and unset settings by path",
        one::<Operation>(),
        later!(config::patch),
    )
    .takes_body(of::<PatchConfig>())
    .changes(),
    Route::new(
        Get,
        "/api/config/pending",
        "pending",
        "What applying the edited file would do",
        one::<Plan>(),
        later!(config::pending),
    ),
    Route::new(
        Post,
        "/api/config/apply",
        "apply-config",
        "Apply a text, or the edited file",
        one::<Operation>(),
        later!(config::apply),
    )
    .may_take_body(of::<NewConfig>())
    .changes()
    .large(),
    Route::new(
        Post,
        "/api/config/discard",
        "discard",
        "Undo edits of the file that were not applied",
        one::<Operation>(),
        later!(config::discard),
    )
    .changes(),
    Route::new(
        Post,
        "/api/plans",
        "make-plan",
        "What a text, or the edited file, would change",
        one::<Plan>(),
        later!(plans::make),
    )
    .may_take_body(of::<NewConfig>())
    .large(),
    Route::new(
        Post,
        "/api/plans/{id}/apply",
        "apply-plan",
        "Apply a plan exactly as it was shown",
        one::<Operation>(),
        later!(plans::apply),
    )
    .changes(),
    Route::new(
        Get,
        "/api/export",
        "export",
        "The whole desired state with its defaults",
        Answer::Object,
        now!(export::export),
    ),
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
        "/api/exits",
        "list-exits",
        "Exits, whether they work, and who uses them",
        one::<ExitList>(),
        now!(exits::list),
    ),
    Route::new(
        Post,
        "/api/exits",
        "add-exit",
        "Make an exit from a provider's file, or give one another file",
        one::<Operation>(),
        later!(exits::add),
    )
    .takes_body(of::<NewExit>())
    .changes(),
    Route::new(Get, "/api/exits/{name}", "read-exit", "One exit", one::<Exit>(), now!(exits::read)),
    Route::new(
        Put,
        "/api/exits/{name}",
        "change-exit",
        "Switch an exit on or off",
        one::<Operation>(),
        later!(exits::change),
    )
    .takes_body(of::<PatchExit>())
    .changes(),
    Route::new(
        Delete,
        "/api/exits/{name}",
        "remove-exit",
        "Remove an exit that nobody uses",
        one::<Operation>(),
        later!(exits::remove),
    )
    .changes(),
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
        "End a lease; the device gets an address again when it asks",
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
    Route::new(
        Get,
        "/api/dns/records",
        "list-records",
        "What the cell answers by itself",
        one::<DnsRecordList>(),
        later!(dns::list),
    )
    .query(RECORDS)
    .list(),
    Route::new(Post, "/api/dns/records", "add-record", "Add a record", one::<Operation>(), later!(dns::add))
        .takes_body(of::<NewDnsRecord>())
        .changes(),
    Route::new(
        Delete,
        "/api/dns/records",
        "remove-record",
        "Remove records of a name",
        one::<Operation>(),
        later!(dns::remove),
    )
    .query(RECORD)
    .changes(),
    Route::new(
        Post,
        "/api/dns/records/import",
        "import-records",
        "Add many records in one change",
        one::<Operation>(),
        later!(dns::import),
    )
    .takes_body(of::<NewDnsRecords>())
    .changes()
    .large(),
    Route::new(
        Get,
        "/api/dns/query",
        "query-dns",
        "What a client is answered, and why",
        one::<DnsAnswer>(),
        later!(dns::query),
    )
    .query(DNS_QUERY),
    Route::new(
        Get,
        "/api/dns/stats",
        "dns-stats",
        "How the name server is doing",
        one::<DnsStats>(),
        later!(dns::stats),
    ),
    Route::new(
        Get,
        "/api/dns/log",
        "dns-log",
        "The last questions, where the owner has them kept",
        one::<DnsLog>(),
        later!(dns::log),
    )
    .query(DNS_LOG),
    Route::new(
        Get,
        "/api/dns/clients",
        "dns-clients",
        "Questions by client and by view",
        one::<DnsClients>(),
        later!(dns::clients),
    )
    .query(DNS_CLIENTS),
    Route::new(
        Post,
        "/api/dns/flush",
        "flush-dns",
        "Forget what other resolvers answered",
        one::<DnsFlushed>(),
        later!(dns::flush),
    )
    .query(FLUSH),
    Route::new(
        Get,
        "/api/why",
        "why",
        "What the state in force does with a connection, and why",
        one::<Why>(),
        later!(reach::why),
    )
    .query(WHY),
    Route::new(
        Get,
        "/api/grants",
        "list-grants",
        "Who is granted what, and whether it counts at this moment",
        one::<GrantList>(),
        later!(policy::grants),
    )
    .query(GRANTS),
    Route::new(Post, "/api/grants", "grant", "Grant something", one::<Operation>(), later!(policy::grant))
        .takes_body(of::<NewGrant>())
        .changes(),
    Route::new(
        Delete,
        "/api/grants",
        "revoke",
        "Take from somebody what lets him reach something",
        one::<Operation>(),
        later!(policy::revoke),
    )
    .query(REVOKE)
    .changes(),
    Route::new(
        Get,
        "/api/who",
        "who",
        "Who may reach something, and by which grant",
        one::<WhoList>(),
        later!(policy::who_may),
    )
    .query(WHO),
    Route::new(
        Get,
        "/api/services",
        "list-services",
        "Named targets",
        one::<NamedServiceList>(),
        now!(policy::services),
    ),
    Route::new(
        Post,
        "/api/services",
        "add-service",
        "Name a target",
        one::<Operation>(),
        later!(policy::add_service),
    )
    .takes_body(of::<NewService>())
    .changes(),
    Route::new(
        Delete,
        "/api/services/{name}",
        "remove-service",
        "Remove a service; refused while a grant names it",
        one::<Operation>(),
        later!(policy::remove_service),
    )
    .changes(),
    Route::new(
        Get,
        "/api/forwards",
        "list-forwards",
        "Ports of the cell that lead to a host behind it",
        one::<ForwardList>(),
        now!(policy::forwards),
    ),
    Route::new(
        Post,
        "/api/forwards",
        "add-forward",
        "Lead a port to a host behind the cell",
        one::<Operation>(),
        later!(policy::add_forward),
    )
    .takes_body(of::<Forward>())
    .changes(),
    Route::new(
        Delete,
        "/api/forwards",
        "remove-forward",
        "Lead a port nowhere any more",
        one::<Operation>(),
        later!(policy::remove_forward),
    )
    .query(UNFORWARD)
    .changes(),
    Route::new(Get, "/api/bans", "list-bans", "Bans that count", one::<BanList>(), now!(bans::list))
        .query(BANS),
    Route::new(
        Post,
        "/api/bans",
        "ban",
        "Have nothing answer somebody for a while",
        one::<Ban>(),
        later!(bans::ban),
    )
    .takes_body(of::<NewBan>()),
    Route::new(
        Delete,
        "/api/bans",
        "unban",
        "Take a ban back; answers how many are left",
        one::<BanList>(),
        later!(bans::unban),
    )
    .query(UNBAN),
    Route::new(
        Get,
        "/api/tests",
        "list-tests",
        "What must be reachable and what must not, and whether it holds",
        one::<ReachTestList>(),
        later!(reach::tests),
    ),
    Route::new(Get, "/api/history", "history", "Generations", one::<History>(), later!(history::list))
        .query(HISTORY)
        .list(),
    Route::new(
        Get,
        "/api/history/{n}",
        "read-generation",
        "The text of a generation",
        one::<Config>(),
        later!(history::read),
    ),
    Route::new(
        Post,
        "/api/history/{n}/rollback",
        "rollback",
        "Go back to a generation",
        one::<Operation>(),
        later!(history::rollback),
    )
    .may_take_body(of::<ChangeOptions>())
    .changes()
    .guarded(),
    Route::new(
        Get,
        "/api/history/{a}/diff/{b}",
        "diff",
        "What changed; 0 is the edited file",
        one::<Diff>(),
        later!(history::diff),
    ),
    Route::new(
        Get,
        "/api/operations",
        "list-operations",
        "Changes under way and past",
        one::<OperationList>(),
        later!(operation_list::list),
    )
    .query(OPERATIONS)
    .list(),
    Route::new(
        Post,
        "/api/operations/{id}/cancel",
        "cancel-operation",
        "Take a change back that waits for its confirmation",
        one::<Operation>(),
        later!(operations::cancel),
    ),
    Route::new(
        Get,
        "/api/events",
        "events",
        "What happens, as it happens; Last-Event-ID goes on from there",
        Answer::Events(of::<Event>()),
        later!(events::follow),
    ),
    Route::new(
        Get,
        "/api/operations/{id}",
        "read-operation",
        "A change under way or past",
        one::<Operation>(),
        later!(operations::read),
    ),
    Route::new(
        Get,
        "/api/operations/{id}/events",
        "follow-operation",
        "Its states as they come",
        Answer::Events(of::<Operation>()),
        later!(operations::events),
    ),
    Route::new(
        Post,
        "/api/confirm",
        "confirm",
        "Keep the change that waits",
        one::<Operation>(),
        later!(confirm::confirm),
    )
    .may_take_body(of::<Confirm>())
    .matched(),
    Route::new(
        Post,
        "/api/revert",
        "revert",
        "Take the change that waits back",
        one::<Operation>(),
        later!(confirm::revert),
    ),
];
