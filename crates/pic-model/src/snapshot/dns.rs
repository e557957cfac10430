//! The snapshot `pic-dns` serves from: `/var/lib/pic/dns/zone.json`, written whole by the agent, read by `pic-dns`.

mod control;
mod leases;
mod status;

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;
pub use control::{
    DnsAnswer, DnsAnswerRecord, DnsClientTally, DnsClients, DnsFlushed, DnsKnocked, DnsLearned, DnsLog,
    DnsLogEntry, DnsNoted, DnsProbe, DnsRefused, DnsRequest, DnsSigns, DnsTally, DnsTreated, DnsViewTally,
};
pub use status::{
    DnsBlocklistStatus, DnsCounters, DnsListenFailure, DnsStatus, DnsTlsStatus, DnsUpstreamStatus,
    DnssecStatus,
};

/// Version of this format; a service refuses another one and keeps serving what it has.
pub const VERSION: u32 = 1;

/// Everything `pic-dns` needs to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsSnapshot {
    /// [`VERSION`].
    pub version: u32,
    /// A number of the writer's choice, reported in the service's status. The agent always says 0, so that the file
    /// depends on what is served alone.
    pub generation: u64,
    /// Addresses to listen on, UDP and TCP. They may not exist yet at start (bind with `IP_FREEBIND`).
    pub listen: Vec<SocketAddr>,
    /// Source networks that may ask; everyone else is refused.
    pub clients: Vec<IpNet>,
    /// Authoritative zones.
    pub zones: Vec<Zone>,
    /// Reverse zones, as `77.10.in-addr.arpa`. The service fills them with the pointers that follow from the hosts of
    /// all zones; an address in none of them gets no pointer.
    pub reverse: Vec<String>,
    /// Where questions outside our zones go, in order of preference. Empty: such questions get SERVFAIL.
    pub upstreams: Vec<Upstream>,
    /// Classes of clients; what is restricted names them by their place in this list. A client belongs to the view with
    /// the longest prefix around it; one in none of them sees everything that is not restricted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<View>,
    /// Ways by which questions of some views leave; they name them by their place in this list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<DnsExit>,
    /// Names whose addresses the agent must know before they are told to those views that say so; at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<DnsEgress>,
    /// Records of reverse zones beside the pointers that follow from hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<Record>,
    /// Zones that are asked elsewhere. They win over zones of ours that they lie in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<Forward>,
    /// Names beneath these may have private addresses although they come from `upstreams`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private: Vec<String>,
    /// Lists of names that are not answered to the views that say so; at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocklists: Vec<Blocklist>,
    /// Names that no list blocks, with all beneath them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Zone of the tz database on whose clock schedules are; absent: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whether and how answers of upstreams are validated; absent: not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnssec: Option<Dnssec>,
    /// Last questions that are kept in memory to be looked at; 0: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub query_log: u32,
    /// Where questions are taken by TLS, with the certificate that the agent leaves beside this file; absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsListen>,
    /// Who sees names of leases, by their networks; where nothing is said, all who see the cell's names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leases: Vec<LeaseViews>,
    /// The view of everybody on the internet, by its place in [`Self::views`]: shown what names it, and nothing else. Absent:
    /// they get no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<u16>,
}

/// Addresses to listen on by TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsListen {
    /// For DNS over TLS, usually port 853.
    pub dns: Vec<SocketAddr>,
    /// For DNS over HTTPS, usually port 443.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub https: Vec<SocketAddr>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How answers of upstreams are validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dnssec {
    /// File of DS or DNSKEY records that are trusted, read by the service itself and followed; absent: the keys of the
    /// internet's root that are built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_anchor: Option<String>,
    /// Answer nothing where no upstream hands signatures on; else such answers are given unvalidated.
    #[serde(default)]
    pub required: bool,
}

/// A list of names that are not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocklist {
    /// For people.
    pub name: String,
    /// Path of a file, followed, or an address `https://…`, fetched once a day; both by the service itself. Hosts file,
    /// list of domains, or host rules of an adblock list.
    #[serde(alias = "path")]
    pub source: String,
    /// When it counts; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Schedule>,
}

impl DnsSnapshot {
    /// One without names, clients and upstreams.
    pub fn empty() -> Self {
        Self {
            version: VERSION,
            generation: 0,
            listen: Vec::new(),
            clients: Vec::new(),
            zones: Vec::new(),
            reverse: Vec::new(),
            upstreams: Vec::new(),
            views: Vec::new(),
            exits: Vec::new(),
            egress: Vec::new(),
            pointers: Vec::new(),
            forwards: Vec::new(),
            private: Vec::new(),
            blocklists: Vec::new(),
            allow: Vec::new(),
            dnssec: None,
            timezone: None,
            query_log: 0,
            tls: None,
            leases: Vec::new(),
            outside: None,
        }
    }
}

/// Who sees the names that leases brought along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseViews {
    /// Of leases in these networks.
    pub networks: Vec<IpNet>,
    /// As of [`Host::views`].
    pub views: Vec<u16>,
}

/// A class of clients that get the same answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// For people.
    pub name: String,
    /// Who belongs to it.
    pub clients: Vec<IpNet>,
    /// Sees names of our zones. Without it a client sees its own name alone.
    pub cell: bool,
    /// May ask for names outside our zones.
    pub internet: bool,
    /// May be given private addresses from outside: no browser is led astray by them here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// Lists that it is blocked by, by their place in [`DnsSnapshot::blocklists`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocklists: Vec<u16>,
    /// Exit that its questions for names outside our zones leave by, by its place in [`DnsSnapshot::exits`]; absent: by the
    /// routes of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u16>,
    /// Lines of [`DnsSnapshot::egress`] that count for it, by their place there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<u16>,
}

/// Names with a way out of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsEgress {
    /// Absolute names in lower case without the trailing dot; one that begins with `*.` is all names beneath the rest.
    pub names: Vec<String>,
    /// What the agent knows the addresses by.
    pub set: String,
    /// Exit that questions for them leave by, by its place in [`DnsSnapshot::exits`]; absent: by the routes of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u16>,
    /// Answer although the agent cannot be told: whoever uses the addresses then leaves as to every other destination.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// A way by which questions leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsExit {
    /// For people.
    pub name: String,
    /// Interface that they leave by, and by no other.
    pub interface: String,
    /// Whom to ask there, in order of preference. Empty: such questions get SERVFAIL.
    pub upstreams: Vec<Upstream>,
    /// Whether answers come without signatures there, as from Tor, so that none can be checked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
}

/// A zone that is asked elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Absolute name in lower case without the trailing dot.
    pub zone: String,
    /// In order of preference.
    pub upstreams: Vec<Upstream>,
}

/// One authoritative zone. SOA and NS are synthesised by the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Absolute name in lower case without the trailing dot, as `home.cell`.
    pub name: String,
    /// Seconds a resolver may keep a host's address or pointer.
    pub ttl: u32,
    /// Names with addresses, sorted by name: what there are thousands of, so each is said once and short.
    pub hosts: Vec<Host>,
    /// Everything else. Sorted by name, then data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Record>,
}

/// A name of a zone and its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Relative to the zone, in lower case; empty for the zone itself.
    pub name: String,
    /// Its addresses, v4 and v6.
    pub addresses: Vec<IpAddr>,
    /// Views that see it, by their place in [`DnsSnapshot::views`]; absent: all. From its own addresses it always sees
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<Vec<u16>>,
}

/// One record. TTL in seconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Absolute owner name in lower case without the trailing dot.
    pub name: String,
    /// Seconds a resolver may keep it.
    pub ttl: u32,
    /// Type and value.
    pub data: RecordData,
    /// Views that see it, as of [`Host::views`]. Where records of one name and type differ in this, a client gets those
    /// that the fewest views see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub views: Option<Vec<u16>>,
}

/// Record types the cell compiles by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", content = "value")]
pub enum RecordData {
    /// Address of a host, v4 or v6 by its own type.
    #[serde(rename = "ADDRESS")]
    Address(IpAddr),
    /// Pointer to an absolute name without the trailing dot.
    #[serde(rename = "PTR")]
    Ptr(String),
    /// Any other type, already in wire form.
    #[serde(rename = "RAW")]
    Raw {
        /// Number of the type.
        rtype: u16,
        /// RDATA as hex digits, names uncompressed.
        hex: String,
    },
}

/// A resolver to forward to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Upstream {
    /// Plain DNS over UDP with TCP on truncation.
    Plain {
        /// Address and port, usually 53.
        address: SocketAddr,
    },
    /// DNS over TLS, RFC 7858; the certificate is checked against `name`.
    Tls {
        /// Address and port, usually 853.
        address: SocketAddr,
        /// Name (or address literal) that the certificate must carry.
        name: String,
    },
    /// DNS over HTTPS, RFC 8484; the certificate is checked against `name`.
    Https {
        /// Address and port, usually 443.
        address: SocketAddr,
        /// Name (or address literal) that the certificate must carry, and value of `Host`.
        name: String,
        /// Path, beginning with a slash.
        path: String,
    },
}

impl Upstream {
    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Plain { address } | Self::Tls { address, .. } | Self::Https { address, .. } => *address,
        }
    }
}
