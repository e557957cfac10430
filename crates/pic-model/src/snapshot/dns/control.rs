//! What the agent asks of `pic-dns` on its control socket: one line of JSON each way.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// What is asked of `pic-dns` on its control socket: one line of JSON, answered by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DnsRequest {
    /// Answer as this client would be answered, and say why. Answered by a [`DnsAnswer`].
    Query {
        /// Absolute name, with or without the trailing dot.
        name: String,
        /// Number of the type.
        rtype: u16,
        /// Address of the client.
        source: IpAddr,
    },
    /// How the service is. Answered by a [`DnsStatus`].
    Status,
    /// Forget answers of upstreams about a name and all beneath it; absent: all. Answered by a [`DnsFlushed`].
    Flush {
        /// Absolute name.
        name: Option<String>,
    },
    /// The last questions that were kept. Answered by a [`DnsLog`].
    Log {
        /// Only questions of these clients; empty: of all.
        clients: Vec<IpAddr>,
        /// Those behind this number, the oldest first; absent: the newest.
        after: Option<u64>,
        /// At most so many.
        limit: usize,
    },
    /// From here on the service tells on this connection which addresses it is about to give, a line of [`DnsLearned`] each,
    /// and gives them once they are acknowledged by a line of [`DnsNoted`].
    Egress,
    /// Questions by client and by view. Answered by a [`DnsClients`].
    Clients {
        /// At most so many clients: those that asked most.
        limit: usize,
    },
    /// Look for signs of life of exits, and ask for more. Answered by [`DnsSigns`].
    Signs {
        /// Whom to ask, and by which way.
        of: Vec<DnsProbe>,
    },
    /// Send something that goes nowhere, so that what counts packets is seen to count them. Answered by a [`DnsKnocked`].
    Knock {
        /// Where to, and by which way.
        at: DnsProbe,
    },
}

/// Somebody behind an interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsProbe {
    /// By this interface, and no other.
    pub interface: String,
    /// Whom.
    pub target: SocketAddr,
}

/// Answer to [`DnsRequest::Signs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsSigns {
    /// In the order of the question: whether anything came back since the last look; absent where nothing was asked before.
    pub signs: Vec<Option<bool>>,
}

/// Answer to [`DnsRequest::Knock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsKnocked {
    /// Why nothing left; absent: something did.
    pub error: Option<String>,
}

/// Addresses of names with a way out of their own, about to be given to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsLearned {
    /// Number to acknowledge it by.
    pub id: u64,
    /// Sets of the lines that they belong to.
    pub sets: Vec<String>,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
}

/// What became of a [`DnsLearned`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsNoted {
    /// Its number.
    pub id: u64,
    /// Whether packets to the addresses take the way of their lines now.
    pub done: bool,
}

/// How a question was treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsTreated {
    /// Answered from the cell's own zones.
    Local,
    /// Answered from the cache.
    Cached,
    /// Answered by an upstream.
    Forwarded,
    /// Blocked by a list.
    Blocked,
    /// No upstream had an answer that could be given.
    Failed,
    /// Refused: a kind of question, or a name, that this client may not ask.
    Refused,
}

impl DnsTreated {
    /// All of them, in the order of [`DnsTally`].
    pub const ALL: [Self; 6] =
        [Self::Local, Self::Cached, Self::Forwarded, Self::Blocked, Self::Failed, Self::Refused];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Cached => "cached",
            Self::Forwarded => "forwarded",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// Questions since the start, each counted once by how it was treated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsTally {
    /// [`DnsTreated::Local`].
    pub local: u64,
    /// [`DnsTreated::Cached`].
    pub cached: u64,
    /// [`DnsTreated::Forwarded`].
    pub forwarded: u64,
    /// [`DnsTreated::Blocked`].
    pub blocked: u64,
    /// [`DnsTreated::Failed`].
    pub failed: u64,
    /// [`DnsTreated::Refused`].
    pub refused: u64,
}

impl DnsTally {
    /// All questions.
    pub fn total(&self) -> u64 {
        self.local + self.cached + self.forwarded + self.blocked + self.failed + self.refused
    }

    /// Questions treated so.
    pub fn of(&self, treated: DnsTreated) -> u64 {
        match treated {
            DnsTreated::Local => self.local,
            DnsTreated::Cached => self.cached,
            DnsTreated::Forwarded => self.forwarded,
            DnsTreated::Blocked => self.blocked,
            DnsTreated::Failed => self.failed,
            DnsTreated::Refused => self.refused,
        }
    }
}

/// Answer to [`DnsRequest::Clients`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsClients {
    /// Clients, those that asked most first.
    pub clients: Vec<DnsClientTally>,
    /// Clients that are told apart, also those that are not in the list.
    pub known: usize,
    /// Questions of clients that are not told apart any more: only so many are, the latest.
    pub others: DnsTally,
    /// Views of the snapshot in their order, then clients that are in none.
    pub views: Vec<DnsViewTally>,
}

/// Questions of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsClientTally {
    /// Its address.
    pub address: IpAddr,
    /// View that it is in now; absent: it may not ask any more.
    pub view: Option<String>,
    /// Seconds since its last question.
    pub idle: u64,
    /// Its questions.
    pub tally: DnsTally,
}

/// Questions of all clients of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsViewTally {
    /// Its name.
    pub name: String,
    /// Their questions while the view had this name.
    pub tally: DnsTally,
}

/// Answer to [`DnsRequest::Log`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsLog {
    /// Questions that are kept; 0: none are.
    pub size: u32,
    /// What to ask behind for what comes next.
    pub next: u64,
    /// Questions, the oldest first.
    pub entries: Vec<DnsLogEntry>,
}

/// One question of a [`DnsLog`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsLogEntry {
    /// Its number since the log was turned on.
    pub number: u64,
    /// When it was answered, RFC 3339.
    pub at: String,
    /// Who asked.
    pub client: IpAddr,
    /// View of the client.
    pub view: String,
    /// Name in lower case, without the trailing dot.
    pub name: String,
    /// Type, as `A`.
    pub rtype: String,
    /// How it was treated.
    pub treated: DnsTreated,
    /// Response code, as `NOERROR`.
    pub rcode: String,
    /// How it came: `udp`, `tcp`, `tls` or `https`.
    pub transport: String,
    /// Time until the answer was ready.
    pub microseconds: u64,
}

/// Answer to [`DnsRequest::Query`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// As `NOERROR`; `DROPPED` where there is no answer.
    pub rcode: String,
    /// The answer section.
    pub records: Vec<DnsAnswerRecord>,
    /// The client's view.
    pub view: String,
    /// Each step that led to the answer, one sentence each.
    pub why: Vec<String>,
    /// Time it took.
    pub microseconds: u64,
}

/// One record of a [`DnsAnswer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAnswerRecord {
    /// Name.
    pub name: String,
    /// Type.
    pub rtype: String,
    /// Seconds.
    pub ttl: u32,
    /// Value in presentation format.
    pub value: String,
}

/// Answer to [`DnsRequest::Flush`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsFlushed {
    /// Answers forgotten.
    pub entries: usize,
}

/// Answer to a request that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRefused {
    /// Why.
    pub error: String,
}
