//! Client over the agent's unix socket: one typed method per route.
//!
//! Owns the HTTP exchange (a connection per call, bounded bodies, a deadline on everything) and the reading of errors.
//! It never retries a change and never decides what a failure means for a person: that is the caller's. Tested by
//! `picctl`'s tests, which run it against a scripted agent, and by the unit tests of [`events`].

mod events;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;

use crate::app::AppList;
use crate::ban::{Ban, BanList, NewBan};
use crate::config::{ChangeOptions, Config, NewConfig, PatchConfig};
use crate::dhcp::{LeaseList, NewReservation, ReservationList};
use crate::dns::{
    DnsAnswer, DnsClients, DnsFlushed, DnsLog, DnsRecordList, DnsStats, NewDnsRecord, NewDnsRecords,
};
use crate::exit::{Exit, ExitList, LeakTest, NewExit, PatchExit};
use crate::group::{Group, GroupList, NewGroup};
use crate::history::{Diff, History};
use crate::lan::LanList;
use crate::operation::{Confirm, Operation, Plan};
use crate::peer::{NewPeer, PatchPeer, Peer, PeerAdded, PeerConfig, PeerList, Tunnel};
use crate::policy::{Forward, ForwardList, GrantList, NamedServiceList, NewGrant, NewService, WhoList};
use crate::problem::ProblemDetails;
use crate::reach::{ReachTestList, Why};
use crate::status::{Check, Health, Status, WireguardStatus};
use crate::time::Time;
use crate::usage::UsageList;
use wire::{Call, Query, segment};

/// How long one call may take when nothing else is said. A change is waited for by the agent, so this is generous.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket, or this user may not connect.
    #[error("the agent cannot be reached at {}", socket.display())]
    NotReachable {
        /// The socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The agent answered with a problem.
    #[error("{}: {}", .0.title, .0.detail)]
    Problem(Box<ProblemDetails>),
    /// No answer in time.
    #[error("the agent did not answer {call} within {seconds} s")]
    TimedOut {
        /// Method and path.
        call: String,
        /// Limit.
        seconds: u64,
        /// Whether it asked for a change, which may have been made all the same.
        changes: bool,
    },
    /// The connection ended before the answer did: the agent was killed or restarted.
    #[error("the connection to the agent broke before its answer to {call} was there")]
    Broken {
        /// Method and path.
        call: String,
        /// Whether it asked for a change, which may have been made all the same.
        changes: bool,
    },
    /// The answer is not what the API promises.
    #[error("the agent's answer to {call} cannot be understood: {what}")]
    Protocol {
        /// Method and path.
        call: String,
        /// What is wrong.
        what: String,
    },
}

/// An answer, typed and exactly as it came.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// What it says.
    pub value: T,
    /// The body, byte for byte.
    pub json: Bytes,
    /// Its tag, for `If-Match`, where it has one.
    pub etag: Option<String>,
}

/// Whether a change is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wait {
    /// Answer when the change is kept, waits for its confirmation, or has failed.
    #[default]
    Settled,
    /// Answer as soon as it is accepted; [`Client::follow`] tells the rest.
    Accepted,
}

/// A change of the desired state that answers an [`Operation`]. (Adding a peer answers more: [`Client::add_peer`].)
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Apply a plan that was shown, exactly.
    Plan(&'a str),
    /// Replace the whole text, if it still has this tag.
    Replace(&'a NewConfig, Option<&'a str>),
    /// Set and unset settings by path, if the state still has this tag.
    Patch(&'a PatchConfig, Option<&'a str>),
    /// Change a peer, if it still has this tag.
    Peer(&'a str, &'a PatchPeer, Option<&'a str>),
    /// Remove a peer, if it still has this tag.
    RemovePeer(&'a str, Option<&'a str>),
    /// Make a group.
    AddGroup(&'a NewGroup),
    /// Remove a group.
    RemoveGroup(&'a str),
    /// Grant something.
    Grant(&'a NewGrant),
    /// Take from somebody what lets him reach something.
    Revoke(&'a str, &'a str),
    /// Name a target.
    AddService(&'a NewService),
    /// Remove a service.
    RemoveService(&'a str),
    /// Lead a port to a host behind the cell.
    AddForward(&'a Forward),
    /// Lead a port nowhere any more.
    RemoveForward(&'a str),
    /// Add an exit, or give one another file.
    AddExit(&'a NewExit),
    /// Switch an exit on or off.
    Exit(&'a str, PatchExit),
    /// Remove an exit.
    RemoveExit(&'a str),
    /// Keep an address for a device.
    Reserve(&'a NewReservation),
    /// Keep it no longer; by hardware address, name or address.
    Unreserve(&'a str),
    /// Add a record.
    AddRecord(&'a NewDnsRecord),
    /// Add many records.
    ImportRecords(&'a NewDnsRecords),
    /// Remove the records of a name, of a type and value where these are given.
    RemoveRecords(&'a str, Option<&'a str>, Option<&'a str>),
    /// Go back to a generation, if the state still has this tag. Only its plan can be had without one.
    Rollback(u64, &'a ChangeOptions, Option<&'a str>),
}

impl Change<'_> {
    fn call(&self) -> Result<Call, ClientError> {
        match *self {
            Self::Plan(id) => Ok(Call::new(Method::POST, format!("/api/plans/{}/apply", segment(id)))),
            Self::Replace(config, tag) => {
                Ok(Call::new(Method::PUT, "/api/config").body(config)?.if_match(tag))
            }
            Self::Patch(patch, tag) => Ok(Call::new(Method::PATCH, "/api/config").body(patch)?.if_match(tag)),
            Self::Peer(name, patch, tag) => {
                Ok(Call::new(Method::PUT, peer_path(name)).body(patch)?.if_match(tag))
            }
            Self::RemovePeer(name, tag) => Ok(Call::new(Method::DELETE, peer_path(name)).if_match(tag)),
            Self::AddGroup(new) => Call::new(Method::POST, GROUPS).body(new),
            Self::RemoveGroup(name) => Ok(Call::new(Method::DELETE, format!("{GROUPS}/{}", segment(name)))),
            Self::Grant(new) => Call::new(Method::POST, GRANTS).body(new),
            Self::Revoke(from, to) => {
                Ok(Call::new(Method::DELETE, GRANTS).query("from", from).query("to", to))
            }
            Self::AddService(new) => Call::new(Method::POST, SERVICES).body(new),
            Self::RemoveService(name) => {
                Ok(Call::new(Method::DELETE, format!("{SERVICES}/{}", segment(name))))
            }
            Self::AddForward(new) => Call::new(Method::POST, FORWARDS).body(new),
            Self::RemoveForward(listen) => Ok(Call::new(Method::DELETE, FORWARDS).query("listen", listen)),
            Self::AddExit(new) => Call::new(Method::POST, EXITS).body(new),
            Self::Exit(name, ref patch) => {
                Call::new(Method::PUT, format!("{EXITS}/{}", segment(name))).body(patch)
            }
            Self::RemoveExit(name) => Ok(Call::new(Method::DELETE, format!("{EXITS}/{}", segment(name)))),
            Self::Reserve(new) => Call::new(Method::POST, "/api/dhcp/reservations").body(new),
            Self::Unreserve(which) => {
                Ok(Call::new(Method::DELETE, format!("/api/dhcp/reservations/{}", segment(which))))
            }
            Self::AddRecord(record) => Call::new(Method::POST, RECORDS).body(record),
            Self::ImportRecords(records) => {
                Call::new(Method::POST, format!("{RECORDS}/import")).body(records)
            }
            Self::RemoveRecords(name, rtype, value) => {
                let mut call = Call::new(Method::DELETE, RECORDS).query("name", name);
                for (key, word) in [("type", rtype), ("value", value)] {
                    if let Some(word) = word {
                        call = call.query(key, word);
                    }
                }
                Ok(call)
            }
            Self::Rollback(to, options, tag) => {
                let path = format!("/api/history/{to}/rollback");
                Ok(Call::new(Method::POST, path).body(options)?.if_match(tag))
            }
        }
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Default)]
pub struct PageQuery<'a> {
    /// Part of a name or address.
    pub q: Option<&'a str>,
    /// At most this many.
    pub limit: Option<usize>,
    /// Where the previous page ended.
    pub cursor: Option<&'a str>,
}

impl PageQuery<'_> {
    fn behind(&self, path: &str) -> String {
        let mut text = Query::default();
        text.push("q", self.q);
        text.push("limit", self.limit.map(|limit| limit.to_string()).as_deref());
        text.push("cursor", self.cursor);
        text.behind(path)
    }
}

/// Which leases are wanted.
#[derive(Debug, Clone, Default)]
pub struct LeaseQuery<'a> {
    /// Part of a name, address, hardware address or vendor.
    pub q: Option<&'a str>,
    /// Of this LAN or subnet.
    pub lan: Option<&'a str>,
    /// In this state.
    pub state: Option<&'a str>,
    /// Kept for a device, or not.
    pub reserved: Option<bool>,
}

const RECORDS: &str = "/api/dns/records";
const GROUPS: &str = "/api/groups";
const BANS: &str = "/api/bans";
const GRANTS: &str = "/api/grants";
const SERVICES: &str = "/api/services";
const FORWARDS: &str = "/api/forwards";
const EXITS: &str = "/api/exits";

/// The agent, by its socket. Cheap: connects anew for each call.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    timeout: Duration,
    /// How its user is logged in, as [`crate::session`] writes it.
    session: Option<String>,
}

impl Client {
    /// A client of the agent listening at `socket`, usually [`crate::SOCKET`].
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), timeout: TIMEOUT, session: None }
    }

    /// The same with another limit per call.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same for somebody who is logged in by ssh: a change that closes this way waits for its confirmation, over another
    /// connection.
    pub fn logged_in(self, session: &crate::session::Session) -> Self {
        Self { session: Some(crate::session::write(session)), ..self }
    }

    /// Where it connects.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the agent lives.
    pub async fn health(&self) -> Result<Answer<Health>, ClientError> {
        self.get("/health").await
    }

    /// How the cell is.
    pub async fn status(&self) -> Result<Answer<Status>, ClientError> {
        self.get("/api/status").await
    }

    /// What could be better.
    pub async fn doctor(&self) -> Result<Answer<Vec<Check>>, ClientError> {
        self.get("/api/doctor").await
    }

    /// The desired state as text.
    pub async fn config(&self) -> Result<Answer<Config>, ClientError> {
        self.get("/api/config").await
    }

    /// What applying the edited `/etc/pic/cell.toml` would do.
    pub async fn pending(&self) -> Result<Answer<Plan>, ClientError> {
        self.get("/api/config/pending").await
    }

    /// The whole desired state with its defaults.
    pub async fn export(&self) -> Result<Answer<serde_json::Value>, ClientError> {
        self.get("/api/export").await
    }

    /// One page of peers.
    pub async fn peers(&self, query: &PageQuery<'_>) -> Result<Answer<PeerList>, ClientError> {
        self.get(&query.behind("/api/peers")).await
    }

    /// One peer.
    pub async fn peer(&self, name: &str) -> Result<Answer<Peer>, ClientError> {
        self.get(&peer_path(name)).await
    }

    /// A peer's configuration, without its private key.
    pub async fn peer_config(&self, name: &str, tunnel: Tunnel) -> Result<Answer<PeerConfig>, ClientError> {
        let tunnel = match tunnel {
            Tunnel::Full => "full",
            Tunnel::Split => "split",
        };
        self.get(&format!("{}/config?tunnel={tunnel}", peer_path(name))).await
    }

    /// Tests an exit for leaks.
    pub async fn test_exit(&self, name: &str) -> Result<Answer<LeakTest>, ClientError> {
        self.exchange(Call::new(Method::POST, format!("{EXITS}/{}/test", segment(name)))).await
    }

    /// The time that the cell serves.
    pub async fn time(&self) -> Result<Answer<Time>, ClientError> {
        self.get("/api/time").await
    }

    /// Leases.
    pub async fn leases(&self, query: &LeaseQuery<'_>) -> Result<Answer<LeaseList>, ClientError> {
        let mut text = Query::default();
        text.push("q", query.q);
        text.push("filter[lan]", query.lan);
        text.push("filter[state]", query.state);
        text.push("filter[reserved]", query.reserved.map(|reserved| reserved.to_string()).as_deref());
        self.get(&text.behind("/api/dhcp/leases")).await
    }

    /// Ends a lease.
    pub async fn release(&self, address: &str) -> Result<Answer<LeaseList>, ClientError> {
        self.exchange(Call::new(Method::DELETE, format!("/api/dhcp/leases/{}", segment(address)))).await
    }

    /// LANs and their networks.
    pub async fn lans(&self) -> Result<Answer<LanList>, ClientError> {
        self.get("/api/lans").await
    }

    /// Programs with a network namespace of their own.
    pub async fn apps(&self) -> Result<Answer<AppList>, ClientError> {
        self.get("/api/apps").await
    }

    /// Addresses kept for devices.
    pub async fn reservations(&self) -> Result<Answer<ReservationList>, ClientError> {
        self.get("/api/dhcp/reservations").await
    }

    /// One page of records.
    pub async fn records(&self, query: &PageQuery<'_>) -> Result<Answer<DnsRecordList>, ClientError> {
        self.get(&query.behind(RECORDS)).await
    }

    /// What a client is answered, and why.
    pub async fn dns_query(
        &self,
        name: &str,
        rtype: Option<&str>,
        client: Option<&str>,
    ) -> Result<Answer<DnsAnswer>, ClientError> {
        let mut text = Query::default();
        text.push("name", Some(name));
        text.push("type", rtype);
        text.push("as", client);
        self.get(&text.behind("/api/dns/query")).await
    }

    /// What the state in force does with a connection, and why.
    pub async fn why(&self, from: &str, to: &str, live: Option<u64>) -> Result<Answer<Why>, ClientError> {
        let mut text = Query::default();
        text.push("from", Some(from));
        text.push("to", Some(to));
        text.push("live", live.map(|seconds| seconds.to_string()).as_deref());
        self.get(&text.behind("/api/why")).await
    }

    /// One page of bans.
    pub async fn bans(&self, query: &PageQuery<'_>) -> Result<Answer<BanList>, ClientError> {
        self.get(&query.behind(BANS)).await
    }

    /// Has nothing answer somebody for a while.
    pub async fn ban(&self, new: &NewBan) -> Result<Answer<Ban>, ClientError> {
        self.exchange(Call::new(Method::POST, BANS).body(new)?).await
    }

    /// Takes a ban back.
    pub async fn unban(&self, address: &str) -> Result<Answer<BanList>, ClientError> {
        self.exchange(Call::new(Method::DELETE, BANS).query("address", address)).await
    }

    /// One page of grants.
    pub async fn grants(&self, query: &PageQuery<'_>) -> Result<Answer<GrantList>, ClientError> {
        self.get(&query.behind(GRANTS)).await
    }

    /// Who may reach something.
    pub async fn who(&self, to: &str) -> Result<Answer<WhoList>, ClientError> {
        let mut text = Query::default();
        text.push("to", Some(to));
        self.get(&text.behind("/api/who")).await
    }

    /// Named targets.
    pub async fn services(&self) -> Result<Answer<NamedServiceList>, ClientError> {
        self.get(SERVICES).await
    }

    /// Ports that lead to hosts behind the cell.
    pub async fn forwards(&self) -> Result<Answer<ForwardList>, ClientError> {
        self.get(FORWARDS).await
    }

    /// The tests of the state in force, judged.
    pub async fn tests(&self) -> Result<Answer<ReachTestList>, ClientError> {
        self.get("/api/tests").await
    }

    /// What devices and LANs have used, all of it.
    pub async fn usage(&self) -> Result<Answer<UsageList>, ClientError> {
        self.get("/api/usage?limit=20000").await
    }

    /// All exits.
    pub async fn exits(&self) -> Result<Answer<ExitList>, ClientError> {
        self.get(EXITS).await
    }

    /// One exit.
    pub async fn exit(&self, name: &str) -> Result<Answer<Exit>, ClientError> {
        self.get(&format!("{EXITS}/{}", segment(name))).await
    }

    /// All groups.
    pub async fn groups(&self) -> Result<Answer<GroupList>, ClientError> {
        self.get(GROUPS).await
    }

    /// One group.
    pub async fn group(&self, name: &str) -> Result<Answer<Group>, ClientError> {
        self.get(&format!("{GROUPS}/{}", segment(name))).await
    }

    /// How the name server is doing.
    pub async fn dns_stats(&self) -> Result<Answer<DnsStats>, ClientError> {
        self.get("/api/dns/stats").await
    }

    /// Questions by client and by view.
    pub async fn dns_clients(&self) -> Result<Answer<DnsClients>, ClientError> {
        self.get("/api/dns/clients?limit=1000").await
    }

    /// The last questions, or those behind a number.
    pub async fn dns_log(
        &self,
        client: Option<&str>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Answer<DnsLog>, ClientError> {
        let mut text = Query::default();
        text.push("client", client);
        text.push("after", after.map(|number| number.to_string()).as_deref());
        text.push("limit", Some(&limit.to_string()));
        self.get(&text.behind("/api/dns/log")).await
    }

    /// Forgets what other resolvers answered.
    pub async fn dns_flush(&self, name: Option<&str>) -> Result<Answer<DnsFlushed>, ClientError> {
        let mut text = Query::default();
        text.push("name", name);
        self.exchange(Call::new(Method::POST, text.behind("/api/dns/flush"))).await
    }

    /// WireGuard in short.
    pub async fn wireguard(&self) -> Result<Answer<WireguardStatus>, ClientError> {
        self.get("/api/wireguard/status").await
    }

    /// Generations, newest first: at most so many, or all.
    pub async fn history(&self, limit: Option<usize>) -> Result<Answer<History>, ClientError> {
        let mut query = Query::default();
        query.push("limit", limit.map(|limit| limit.to_string()).as_deref());
        self.get(&query.behind("/api/history")).await
    }

    /// The text of one generation.
    pub async fn generation(&self, number: u64) -> Result<Answer<Config>, ClientError> {
        self.get(&format!("/api/history/{number}")).await
    }

    /// What changed between two generations; `to` 0 is the edited file.
    pub async fn diff(&self, from: u64, to: u64) -> Result<Answer<Diff>, ClientError> {
        self.get(&format!("/api/history/{from}/diff/{to}")).await
    }

    /// A change under way or past.
    pub async fn operation(&self, id: &str) -> Result<Answer<Operation>, ClientError> {
        self.get(&format!("/api/operations/{}", segment(id))).await
    }

    /// What a text would change. The plan can then be applied exactly, by [`Change::Plan`].
    pub async fn plan(&self, config: &NewConfig) -> Result<Answer<Plan>, ClientError> {
        self.exchange(Call::new(Method::POST, "/api/plans").body(config)?).await
    }

    /// What a change would do, without doing it.
    pub async fn dry_run(&self, change: &Change<'_>) -> Result<Answer<Plan>, ClientError> {
        self.exchange(change.call()?.query("plan", "true")).await
    }

    /// Makes a change.
    pub async fn change(&self, change: &Change<'_>, wait: Wait) -> Result<Answer<Operation>, ClientError> {
        self.exchange(change.call()?.wait(wait)).await
    }

    /// Adds a peer. The answer holds its private key unless the peer brought its own.
    pub async fn add_peer(&self, peer: &NewPeer, wait: Wait) -> Result<Answer<PeerAdded>, ClientError> {
        self.exchange(Call::new(Method::POST, "/api/peers").body(peer)?.wait(wait)).await
    }

    /// What adding a peer would do.
    pub async fn dry_run_add_peer(&self, peer: &NewPeer) -> Result<Answer<Plan>, ClientError> {
        self.exchange(Call::new(Method::POST, "/api/peers").body(peer)?.query("plan", "true")).await
    }

    /// Keeps the change that waits for its confirmation.
    pub async fn confirm(&self, confirm: &Confirm) -> Result<Answer<Operation>, ClientError> {
        self.exchange(Call::new(Method::POST, "/api/confirm").body(confirm)?).await
    }

    /// Takes back the change that waits for its confirmation.
    pub async fn revert(&self) -> Result<Answer<Operation>, ClientError> {
        self.exchange(Call::new(Method::POST, "/api/revert")).await
    }

    /// Undoes edits of `cell.toml` that were not applied.
    pub async fn discard(&self) -> Result<Answer<Operation>, ClientError> {
        self.exchange(Call::new(Method::POST, "/api/config/discard")).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, ClientError> {
        self.exchange(Call::new(Method::GET, path)).await
    }
}

fn peer_path(name: &str) -> String {
    format!("/api/peers/{}", segment(name))
}
