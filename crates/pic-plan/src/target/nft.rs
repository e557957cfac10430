//! The nftables table as plain data: what the driver encodes, what tests print and what a simulator can walk.

mod elements;
mod shared;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};
use pic_model::limit::Limit;
use sha2::{Digest, Sha256};

pub use elements::{Elements, Flow, Meter};
pub use shared::Shared;

/// The table `inet pic`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Named sets; they hold everything whose number grows.
    pub sets: BTreeMap<String, Elements>,
    /// Chains in the order they are created (a chain jumped to stands before the one that jumps).
    pub chains: Vec<Chain>,
}

/// Elements to add to and remove from one set; both of the set's own type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetDelta {
    /// Set.
    pub set: String,
    /// To add.
    pub add: Elements,
    /// To remove.
    pub remove: Elements,
}

/// One chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Name.
    pub name: String,
    /// Hook, for a chain the kernel calls.
    pub base: Option<Base>,
    /// Rules in order.
    pub rules: Vec<Rule>,
}

/// Where the kernel calls a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// Type.
    pub kind: ChainKind,
    /// Hook.
    pub hook: Hook,
    /// Priority; lower is called first.
    pub priority: i32,
    /// What happens at the end of the chain: accepted, else dropped.
    pub accept: bool,
}

/// Type of a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainKind {
    /// Packets pass or not.
    Filter,
    /// First packets of connections are translated.
    Nat,
    /// A changed mark of an outgoing packet is routed again.
    Route,
}

/// Hook of a base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Before routing.
    Prerouting,
    /// To the host itself.
    Input,
    /// Through the host.
    Forward,
    /// From the host itself.
    Output,
    /// After routing.
    Postrouting,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Matches, then what happens.
    pub exprs: Vec<Expr>,
    /// What it is for; shown as the rule's comment. At most 100 bytes.
    pub why: &'static str,
}

/// One match or statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// Came in by this interface (by name, which need not exist), or not by it. A name ending in `*` is a prefix.
    Iif(Is, String),
    /// Goes out by this interface, or not by it. A name ending in `*` is a prefix.
    Oif(Is, String),
    /// Is of this network family; needed before a match on addresses.
    Family(crate::target::rule::Family),
    /// Is of this transport.
    L4(L4),
    /// Came in by an interface that is in a set of [`Elements::TallyLinks`].
    IifIn(String),
    /// Goes out by an interface that is in such a set.
    OifIn(String),
    /// Source address in a named set, or not; the set's type says the family.
    SourceIn(Is, String),
    /// Destination address in a named set, or not.
    DestinationIn(Is, String),
    /// The v4 address that a map of [`Elements::Twins6`] has for the source is in a set of [`Elements::Rates4`]: that map,
    /// and that set.
    SourceTwinIn(String, String),
    /// The same for the destination.
    DestinationTwinIn(String, String),
    /// Source and destination, each cut to a length, in a set of [`Elements::Pairs4`], or with transport and destination
    /// port in one of [`Elements::Flows4`]; the set's type says which, and the family.
    FlowIn(Shape, String),
    /// Source in a v4 network, or not.
    Source4(Is, Ipv4Net),
    /// Destination in a v4 network, or not.
    Destination4(Is, Ipv4Net),
    /// Source in a v6 network, or not.
    Source6(Is, Ipv6Net),
    /// Destination in a v6 network, or not.
    Destination6(Is, Ipv6Net),
    /// Destination port (of the transport matched before).
    DestinationPort(u16),
    /// Source port (of the transport matched before).
    SourcePort(u16),
    /// Destination port in a named set.
    DestinationPortIn(String),
    /// TCP segment that does not begin a connection: one without SYN.
    TcpRunning,
    /// TCP segment with SYN, which begins or answers.
    TcpBegins,
    /// ICMP type (of the transport matched before).
    IcmpType(u8),
    /// IPv6 hop limit has this value.
    HopLimit6(u8),
    /// Connection is in one of these states: sum of the `CT_*` bits.
    CtState(u32),
    /// Packet travels in the reply direction of its connection (`ct direction reply`).
    CtReply,
    /// Packet travels in the direction of its connection's first one (`ct direction original`).
    CtOriginal,
    /// Connection was translated on its destination.
    CtDnat,
    /// Destination is one of the host's own addresses, of any kind but unicast elsewhere (`fib daddr type local`).
    DestinationLocal(Is),
    /// Mark masked with [`crate::marks::MARK_MASK`] has this value.
    Mark(Is, u32),
    /// Sets our bits of the mark to this value and leaves the others.
    SetMark(u32),
    /// Sets the packet's priority to one of the classes that share a line, by a hash of its source in this family.
    ShareOfSource(crate::target::rule::Family),
    /// The same by its destination.
    ShareOfDestination(crate::target::rule::Family),
    /// At most this many per second, with this burst; over it the rule does not match.
    Limit(u64, u32),
    /// More packets than this of one source, kept count of in a set of [`Elements::Meter4`] or its v6 twin.
    Over(Limit, String),
    /// The destination stays for its whole life again in a set of [`Elements::Learned4`] or its v6 twin.
    Refresh(String),
    /// Counts packets and bytes.
    Counter,
    /// Counts them for the packet's source, in a set of [`Elements::Tally4`] or its v6 twin.
    CountSource(String),
    /// The same for its destination.
    CountDestination(String),
    /// Lowers the TCP maximum segment size of a SYN to the path's.
    ClampMss,
    /// Source becomes the outgoing interface's address.
    Masquerade,
    /// Destination becomes what a map of [`Elements::Forwards4`] or its v6 twin holds for the packet's transport and
    /// port; without an entry the rule does not match.
    ForwardBy(String),
    /// Destination becomes this address and port, for packets of its family.
    Onto(std::net::SocketAddr),
    /// Passes (other tables may still drop it).
    Accept,
    /// Vanishes.
    Drop,
    /// Refused with an ICMP error "administratively prohibited".
    Reject,
    /// Refused with a TCP reset, which ends the sender's connection; of TCP only.
    Reset,
    /// Goes on in another chain and comes back.
    Jump(String),
    /// Goes on in another chain; where that ends, so does this one.
    Goto(String),
    /// Back to the calling chain.
    Return,
}

/// How many leading bits of source and destination count in a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Of the source.
    pub source: u8,
    /// Of the destination.
    pub destination: u8,
}

/// Whether a match is turned around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// As said.
    In,
    /// The opposite.
    NotIn,
}

/// Transport protocols that rules name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum L4 {
    /// TCP, 6.
    Tcp,
    /// UDP, 17.
    Udp,
    /// ICMP, 1.
    Icmp,
    /// ICMPv6, 58.
    Icmp6,
}

/// Connection state bits as the kernel's `NF_CT_STATE_BIT` gives them.
pub const CT_INVALID: u32 = 1;
/// A connection seen in both directions.
pub const CT_ESTABLISHED: u32 = 2;
/// A connection that another one announced, or an ICMP error about one.
pub const CT_RELATED: u32 = 4;
/// The first packet of a connection.
pub const CT_NEW: u32 = 8;

/// Our table as the kernel has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedTable {
    /// Frame of each chain by name.
    pub chains: BTreeMap<String, ObservedChain>,
    /// Elements of each set by name; `None` for a set of a type we never make.
    pub sets: BTreeMap<String, Option<Elements>>,
    /// Most elements that each set can hold; a set without a limit is absent.
    pub rooms: BTreeMap<String, u32>,
}

/// What a counter of the kernel says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes of their network headers and what is in them.
    pub bytes: u64,
}

/// What the kernel counts something by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// An address.
    Address(IpAddr),
    /// An interface.
    Link(String),
}

/// What the sets that count say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Number of the table that they are in, which the kernel gives to no other until the machine starts anew.
    pub table: u64,
    /// By set.
    pub counts: BTreeMap<String, Vec<(Counted, Count)>>,
}

impl Count {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// A chain without the content of its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedChain {
    /// Hook, if any.
    pub base: Option<Base>,
    /// Comment of each rule in order; each of ours ends in its tag. Empty for a rule without one.
    pub comments: Vec<String>,
}

impl ObservedTable {
    /// Takes a change that the kernel has acknowledged; `false` where it cannot be, and then what is here is no longer right.
    pub fn change(&mut self, deltas: &[SetDelta]) -> bool {
        deltas.iter().all(|delta| {
            let set = self.sets.get_mut(&delta.set).and_then(Option::as_mut);
            set.is_some_and(|set| set.change(&delta.add, &delta.remove))
        })
    }
}

impl L4 {
    /// Its number (IANA protocol numbers).
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmp => 1,
            Self::Icmp6 => 58,
        }
    }
}

impl Rule {
    /// The comment the rule carries in the kernel: why, and a tag over its content, so that a changed, added or
    /// removed rule is seen without decoding expressions.
    pub fn comment(&self) -> String {
        let digest = Sha256::digest(format!("{:?}", self.exprs).as_bytes());
        format!("{} [{:02x}{:02x}{:02x}{:02x}]", self.why, digest[0], digest[1], digest[2], digest[3])
    }
}

impl Table {
    /// What the driver must read back when the kernel has exactly this table.
    pub fn expected(&self) -> ObservedTable {
        let frame = |chain: &Chain| ObservedChain {
            base: chain.base,
            comments: chain.rules.iter().map(Rule::comment).collect(),
        };
        ObservedTable {
            chains: self.chains.iter().map(|chain| (chain.name.clone(), frame(chain))).collect(),
            sets: self.sets.iter().map(|(name, elements)| (name.clone(), Some(elements.clone()))).collect(),
            rooms: self.sets.iter().filter_map(|(name, set)| Some((name.clone(), set.room()?))).collect(),
        }
    }
}

impl Table {
    /// Whether the kernel's chains are exactly these, by hook and by each rule's comment.
    pub fn same_chains(&self, present: &ObservedTable) -> bool {
        self.chains.len() == present.chains.len()
            && self.chains.iter().all(|chain| {
                present.chains.get(&chain.name).is_some_and(|seen| {
                    seen.base == chain.base
                        && seen.comments.len() == chain.rules.len()
                        && seen
                            .comments
                            .iter()
                            .zip(&chain.rules)
                            .all(|(comment, rule)| *comment == rule.comment())
                })
            })
    }
}
