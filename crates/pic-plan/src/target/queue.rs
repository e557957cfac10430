//! Queues in front of lines: what an interface sends, held to a rate and shared fairly.

use pic_model::quota::Rate;

/// A queue of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// What is sent in a second.
    pub rate: Rate,
    /// Among whom it is shared.
    pub fair: Fair,
}

/// Among whom a line is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fair {
    /// Those who send, by their addresses before translation.
    Senders,
    /// Those who are sent to.
    Receivers,
}

/// What a queue is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The kernel's `cake`: fair among hosts, and among the connections of each.
    Cake,
    /// The kernel's `htb` with classes of equal share, which the firewall's table chooses by a hash of the address.
    Htb,
}

/// What stands at an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservedQueue {
    /// One of ours.
    Ours {
        /// What it is made of.
        kind: Kind,
        /// What it sends in a second; `None` where it is not whole.
        rate: Option<Rate>,
        /// Among whom it shares; `None` where the firewall says that.
        fair: Option<Fair>,
    },
    /// One that somebody else has put there, as `fq 8001:`.
    Foreign(String),
}

impl ObservedQueue {
    /// Whether it does what this one would.
    pub fn meets(&self, queue: &Queue) -> bool {
        match self {
            Self::Ours { rate, fair, .. } => {
                *rate == Some(queue.rate) && fair.is_none_or(|fair| fair == queue.fair)
            }
            Self::Foreign(_) => false,
        }
    }
}
