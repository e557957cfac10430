//! Who may reach what, and by which way out.

use pic_api::ban::{Ban, BanList, NewBan};
use pic_api::exit::{Exit, ExitList, LeakTest, NewExit, PatchExit};
use pic_api::operation::Operation;
use pic_api::policy::{Forward, ForwardList, GrantList, NamedServiceList, NewGrant, NewService, WhoList};
use pic_api::reach::{ReachTestList, Why};

use super::one;
use crate::http::handlers::{bans, exits, policy, reach};
use crate::http::route::Verb::{Delete, Get, Post, Put};
use crate::http::route::{Route, of};

const WHY: &[(&str, &str)] = &[
    ("from", "who begins: a peer, LAN or reservation, an address, internet or cell"),
    ("to", "where it leads: the same, with a port as in nas:445 or cell:udp/53; else a ping"),
    ("live", "follow a real packet beside it, waiting for the first one 1 to 60 seconds"),
];
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

pub(super) static ROUTES: &[Route] = &[
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
        Post,
        "/api/exits/{name}/test",
        "test-exit",
        "Test whether an exit leaks; nothing is sent anywhere, and real packets are counted for two seconds",
        one::<LeakTest>(),
        later!(exits::test),
    ),
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
];
