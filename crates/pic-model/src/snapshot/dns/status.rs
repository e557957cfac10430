//! What `pic-dns` says about itself.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What `pic-dns` says about itself: `/run/pic-dns/status.json`, replaced whole whenever something changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsStatus {
    /// [`super::VERSION`].
    pub version: u32,
    /// Generation of the snapshot being served; 0 before the first.
    pub generation: u64,
    /// Why the newest snapshot on disk is not the one being served.
    pub snapshot_error: Option<String>,
    /// Addresses listened on.
    pub listening: Vec<SocketAddr>,
    /// Addresses wanted but not had, with the reason. They are tried again every few seconds.
    pub not_listening: Vec<DnsListenFailure>,
    /// Upstreams in order of preference.
    pub upstreams: Vec<DnsUpstreamStatus>,
    /// Answers held in the cache.
    pub cache_entries: usize,
    /// Blocklists, in the order of the snapshot.
    #[serde(default)]
    pub blocklists: Vec<DnsBlocklistStatus>,
    /// Validation of answers, if it is on.
    #[serde(default)]
    pub dnssec: Option<DnssecStatus>,
    /// How it is with questions by TLS, if they are wanted.
    #[serde(default)]
    pub tls: Option<DnsTlsStatus>,
    /// Questions since the start.
    pub counters: DnsCounters,
}

/// State of the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsTlsStatus {
    /// Whether there is one in use; else nobody is answered by TLS.
    pub ready: bool,
    /// Why the newest one on disk is not.
    pub error: Option<String>,
    /// Until when the one in use holds, Unix seconds: the earliest end in its chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
}

/// An address that could not be bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsListenFailure {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub error: String,
}

/// State of a blocklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsBlocklistStatus {
    /// Its name.
    pub name: String,
    /// Names on it.
    pub entries: usize,
    /// Why the newest file is not used.
    pub error: Option<String>,
    /// When it was fetched or found unchanged last, RFC 3339; absent: never, or it is a file.
    #[serde(default)]
    pub fetched: Option<String>,
    /// Whether it counts now, as its schedule says.
    #[serde(default)]
    pub active: bool,
    /// Its schedule in words; absent: always.
    #[serde(default)]
    pub when: Option<String>,
    /// When it begins or ends to count, RFC 3339; absent: never.
    #[serde(default)]
    pub changes: Option<String>,
}

/// State of validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnssecStatus {
    /// Why the file of trust anchors is not used, or an older one is.
    pub anchor_error: Option<String>,
    /// From when to when the trust anchor's own signature is valid, in seconds since 1970 modulo 2^32, where this
    /// machine's clock is outside that: dates of signatures are not looked at until the two agree.
    pub clock_doubt: Option<(u32, u32)>,
    /// As [`super::Dnssec::required`].
    #[serde(default)]
    pub required: bool,
    /// Names outside are not answered at all: signatures are required, and no upstream was seen to hand any on.
    #[serde(default)]
    pub blind: bool,
}

/// How an upstream is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsUpstreamStatus {
    /// Its address.
    pub address: SocketAddr,
    /// Whether its last answer came in time.
    pub healthy: bool,
    /// Whether it gives no signatures, so that nothing it says about signed zones can be validated.
    #[serde(default)]
    pub unsigned: bool,
}

/// How questions were treated. What was asked is never recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsCounters {
    /// Answered from the cell's zones.
    pub zone: u64,
    /// Answered from the cache.
    pub cached: u64,
    /// Sent upstream.
    pub forwarded: u64,
    /// Sent upstream without success.
    pub failed: u64,
    /// Sent upstream, and proven to be authentic.
    #[serde(default)]
    pub authentic: u64,
    /// Sent upstream, and found to be forged or broken.
    #[serde(default)]
    pub bogus: u64,
    /// Blocked by a list.
    #[serde(default)]
    pub blocked: u64,
    /// Refused.
    pub refused: u64,
    /// Not readable.
    pub malformed: u64,
    /// Dropped without an answer.
    pub dropped: u64,
    /// Not answered, or not in full, because somebody outside asked too often.
    #[serde(default)]
    pub limited: u64,
}
