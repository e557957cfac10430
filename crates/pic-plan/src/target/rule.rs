//! Policy rules (`ip rule`).

/// One policy rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Family.
    pub family: Family,
    /// Preference; lower is asked first.
    pub preference: u32,
    /// Only packets that came in by this interface.
    pub iif: Option<String>,
    /// Only packets with this source; of the rule's family.
    pub from: Option<std::net::IpAddr>,
    /// Only packets of sockets that are bound to this interface.
    pub oif: Option<String>,
    /// Only packets whose mark, masked, has this value: (value, mask).
    pub fwmark: Option<(u32, u32)>,
    /// Table to look in.
    pub table: u32,
    /// Whether a default route found there does not count (`suppress_prefixlength 0`).
    pub no_default: bool,
    /// Whose it is.
    pub owner: Owner,
}

/// Address family of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Whose rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Ours: carries our protocol number, removed when no longer wanted.
    Cell,
    /// One of the kernel's own defaults (main at 32766, default at 32767): put back when someone flushed the rules,
    /// since without them the host routes nothing, and never removed.
    Kernel,
}
