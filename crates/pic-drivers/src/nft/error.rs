//! What can go wrong with the firewall, in words for the admin.

use std::io;

/// A failure of the table `inet pic`. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection to nftables.
    #[error("cannot talk to nftables over netlink; it needs CAP_NET_ADMIN and a kernel with nf_tables")]
    Socket(#[source] io::Error),
    /// The transaction did not reach the kernel.
    #[error("cannot send a transaction of {bytes} bytes to nftables")]
    Send {
        /// Its size.
        bytes: usize,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The answer did not reach us.
    #[error("cannot read the answer of nftables")]
    Receive(#[source] io::Error),
    /// The kernel refused one message of the transaction, so all of it.
    #[error("nftables refused {object}{note}")]
    Refused {
        /// What the message was about.
        object: String,
        /// The kernel's own words, if any, in brackets.
        note: String,
        /// Its error number.
        #[source]
        source: io::Error,
    },
    /// The kernel did not say whether it did something.
    #[error("nftables gave no answer about {object}")]
    Unanswered {
        /// What the message was about.
        object: String,
    },
    /// A message from the kernel that makes no sense.
    #[error("nftables sent something unreadable about {object}")]
    Malformed {
        /// What was asked.
        object: &'static str,
    },
    /// Somebody kept changing rules, so no consistent picture could be had.
    #[error("the ruleset changed each time it was read; find what keeps changing it with `nft monitor`")]
    Restless,
    /// A name with a zero byte.
    #[error("{name:?} cannot be a name in nftables")]
    Name {
        /// It.
        name: String,
    },
    /// A rule that cannot be encoded.
    #[error("rule \"{why}\" of chain {chain} {problem}")]
    Rule {
        /// Chain.
        chain: String,
        /// What the rule is for.
        why: String,
        /// What is wrong.
        problem: RuleProblem,
    },
    /// Elements to add and remove that cannot be of one set.
    #[error("set {set}: the elements to add and to remove are of different types")]
    Types {
        /// Set.
        set: String,
    },
    /// libnftnl is too old, or has no memory.
    #[error("libnftnl cannot make a {what}; PIC needs version 1.2.4 or later")]
    Library {
        /// Kind of object.
        what: String,
    },
    /// An action of another domain.
    #[error("an action on the domain {domain} was given to the firewall")]
    NotOurs {
        /// Domain.
        domain: &'static str,
    },
}

/// Why a rule cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleProblem {
    /// A port without a transport that has ports.
    #[error("names a port, but not TCP or UDP before it")]
    PortWithoutTransport,
    /// An ICMP type without ICMP.
    #[error("names an ICMP type, but not ICMP or ICMPv6 before it")]
    TypeWithoutIcmp,
    /// A set that the table does not have.
    #[error("names the set {0}, which the table does not have")]
    NoSuchSet(String),
    /// A set of the wrong type.
    #[error("names the set {0}, whose elements are of another kind")]
    WrongSet(String),
    /// A prefix longer than an address.
    #[error("counts {0} bits of an address, which has fewer")]
    Length(u8),
    /// A chain whose name cannot be.
    #[error("jumps to the chain {0:?}, which cannot be")]
    NoSuchChain(String),
    /// An interface name that no interface can have.
    #[error("names the interface {0:?}; a name has 1 to 15 bytes")]
    Interface(String),
    /// Longer than the kernel keeps.
    #[error("has a comment of more than 127 bytes")]
    Comment,
}
