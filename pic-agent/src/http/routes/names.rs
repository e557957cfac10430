//! Names.

use pic_api::dns::{
    DnsAnswer, DnsClients, DnsFlushed, DnsLog, DnsRecordList, DnsStats, NewDnsRecord, NewDnsRecords,
};
use pic_api::operation::Operation;

use super::one;
use crate::http::handlers::dns;
use crate::http::route::Verb::{Delete, Get, Post};
use crate::http::route::{Route, of};

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
const DNS_LOG: &[(&str, &str)] = &[
    ("client", "name of a device, or an address; else all"),
    ("after", "only what came behind this number, the oldest first; else the newest"),
    ("limit", "at most so many, from 1 to 1000; else 100"),
];
const DNS_CLIENTS: &[(&str, &str)] = &[("limit", "at most so many clients, from 1 to 1000; else 100")];
const FLUSH: &[(&str, &str)] = &[("name", "only this name and all beneath it")];

pub(super) static ROUTES: &[Route] = &[
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
];
