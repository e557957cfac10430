//! Names.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A record that the cell answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsRecord {
    /// Full name, without the dot at its end.
    pub name: String,
    /// Type, as `A`.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Value in presentation format, names absolute with their dot.
    pub value: String,
    /// Seconds an answer may be kept.
    pub ttl: u32,
    /// Who sees it beside the cell's own host: of a `[[dns.record]]` as it is written there, of others the device itself and
    /// views, as in `/api/dns/clients`; absent: everyone who may reach the cell.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub audience: Option<Vec<String>>,
    /// Where it comes from.
    pub source: RecordSource,
}

/// Where a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordSource {
    /// The cell itself.
    Cell,
    /// A device.
    Peer,
    /// A `[[service]]`: another name of its host.
    Service,
    /// A `[[reservation]]`, whether the device was ever seen or not.
    Reservation,
    /// What a device of a LAN calls itself, while it has a lease.
    Lease,
    /// A `[[dns.record]]`.
    Record,
}

/// Answer of `GET /api/dns/records`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsRecordList {
    /// Page of records in order of name, type and value.
    pub items: Vec<DnsRecord>,
    /// Number of records that match.
    pub total: usize,
    /// Cursor of the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /api/dns/records`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDnsRecord {
    /// Relative to the cell's zone, or full; `@` is the zone itself.
    pub name: String,
    /// Type, as `A`.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Value as in `cell.toml`.
    pub value: String,
    /// Seconds; absent is the zone's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// Who sees it: `peers`, or names of peers, groups and LANs; absent: everyone who may reach the cell.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub audience: Option<Vec<String>>,
}

/// Body of `POST /api/dns/records/import`: records added in one change, or none of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDnsRecords {
    /// The records.
    pub records: Vec<NewDnsRecord>,
}

/// Answer of `GET /api/dns/query`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsAnswer {
    /// Full name that was asked for.
    pub name: String,
    /// Type that was asked for.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Address that it was asked from.
    pub client: String,
    /// Response code, as `NOERROR`.
    pub rcode: String,
    /// Records of the answer.
    pub records: Vec<DnsAnswerRecord>,
    /// View that the client is in.
    pub view: String,
    /// Each step that led to the answer, one sentence each.
    pub why: Vec<String>,
    /// Time it took.
    pub microseconds: u64,
}

/// One record of a [`DnsAnswer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsAnswerRecord {
    /// Name.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Seconds.
    pub ttl: u32,
    /// Value.
    pub value: String,
}

/// Answer of `GET /api/dns/stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsStats {
    /// Addresses listened on.
    pub listening: Vec<String>,
    /// Addresses wanted but not had, with the reason.
    pub not_listening: Vec<String>,
    /// Why the newest state is not served, if so.
    pub snapshot_error: Option<String>,
    /// Resolvers asked for other names.
    pub upstreams: Vec<DnsUpstream>,
    /// Validation of their answers (DNSSEC), if it is on.
    pub dnssec: Option<DnssecState>,
    /// Answers to clients by TLS, if they are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<DnsTlsState>,
    /// Blocklists.
    pub blocklists: Vec<DnsBlocklist>,
    /// Answers held in the cache.
    pub cache_entries: usize,
    /// Answered from the cell's zones since the start.
    pub zone: u64,
    /// Answered from the cache.
    pub cached: u64,
    /// Sent upstream.
    pub forwarded: u64,
    /// Sent upstream without success.
    pub failed: u64,
    /// Sent upstream, and proven to be authentic (DNSSEC).
    pub authentic: u64,
    /// Sent upstream, and found to be forged or broken (DNSSEC).
    pub bogus: u64,
    /// Blocked by a list.
    pub blocked: u64,
    /// Refused.
    pub refused: u64,
    /// Not readable.
    pub malformed: u64,
    /// Dropped without an answer.
    pub dropped: u64,
    /// Not answered, or not in full, because somebody outside asked too often.
    pub limited: u64,
}

/// A blocklist as the name server has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsBlocklist {
    /// Its name.
    pub name: String,
    /// Names on it.
    pub entries: usize,
    /// Why its newest file is not used.
    pub error: Option<String>,
    /// When it was fetched or found unchanged last, RFC 3339; absent: never, or it is a file.
    pub fetched: Option<String>,
    /// Whether it counts now.
    pub active: bool,
    /// Its schedule in words; absent: always.
    pub when: Option<String>,
    /// When it begins or ends to count, RFC 3339; absent: never.
    pub changes: Option<String>,
}

/// A resolver that is asked for other names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsUpstream {
    /// Address and port.
    pub address: String,
    /// Whether it answered last time.
    pub healthy: bool,
    /// Whether its answers lack the signatures that DNSSEC needs.
    pub unsigned: bool,
}

/// The certificate shown to clients by TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsTlsState {
    /// Whether there is one in use.
    pub ready: bool,
    /// Why the newest one is not.
    pub error: Option<String>,
}

/// Validation of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnssecState {
    /// Why the trust anchors of `dns.trust_anchor` are not used, or older ones are.
    pub anchor_error: Option<String>,
    /// This machine's clock disagrees with the signature of the trust anchor, so dates of signatures are not looked at.
    pub clock_in_doubt: bool,
}

/// Answer of `POST /api/dns/flush`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsFlushed {
    /// Answers forgotten.
    pub entries: usize,
}

/// Questions since the start, each counted once by how it was treated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsTally {
    /// Answered from the cell's own zones.
    pub local: u64,
    /// Answered from the cache.
    pub cached: u64,
    /// Answered by an upstream.
    pub forwarded: u64,
    /// Blocked by a list.
    pub blocked: u64,
    /// No upstream had an answer that could be given.
    pub failed: u64,
    /// Refused.
    pub refused: u64,
}

/// Questions of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsClient {
    /// Its address.
    pub address: String,
    /// The peer or reservation that has the address, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// View that it is in now; absent: it may not ask any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// Seconds since its last question.
    pub idle: u64,
    /// Its questions.
    #[serde(flatten)]
    pub tally: DnsTally,
}

/// Questions of all clients of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsView {
    /// Its name.
    pub name: String,
    /// Their questions.
    #[serde(flatten)]
    pub tally: DnsTally,
}

/// Answer of `GET /api/dns/clients`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsClients {
    /// Clients, those that asked most first.
    pub items: Vec<DnsClient>,
    /// Clients that are told apart.
    pub total: usize,
    /// Questions of clients that are not told apart any more: only some thousand are, the latest.
    pub others: DnsTally,
    /// All views, then clients that are in none.
    pub views: Vec<DnsView>,
}

/// Answer of `GET /api/dns/log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsLog {
    /// Questions that are kept (`dns.query_log`); 0: none are.
    pub kept: u32,
    /// What to give as `after` for what comes next.
    pub next: u64,
    /// Questions, the oldest first.
    pub items: Vec<DnsLogEntry>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsLogEntry {
    /// Its number since the log was turned on.
    pub number: u64,
    /// When it was answered, RFC 3339.
    pub at: String,
    /// Address of who asked.
    pub client: String,
    /// The peer or reservation that has the address, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// View that the client was in.
    pub view: String,
    /// Name that was asked for.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// `local`, `cached`, `forwarded`, `blocked`, `failed` or `refused`.
    pub result: String,
    /// Response code, as `NOERROR`.
    pub rcode: String,
    /// How it came: `udp`, `tcp`, `tls` or `https`.
    pub transport: String,
    /// Time until the answer was ready.
    pub microseconds: u64,
}
