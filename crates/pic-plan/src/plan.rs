//! Plans: ordered steps, each with the reason that asked for it.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::target::link::Kind;
use crate::target::queue::Queue;
use crate::target::route::Route;
use crate::target::rule::Rule;
use crate::target::{file, nft, sysctl, wireguard};

/// One thing to do to the host. The driver does exactly this and decides nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Create an interface. Only kernel WireGuard ones and VLANs are created by us.
    LinkCreate {
        /// Name.
        name: String,
        /// Kind.
        kind: Kind,
        /// Bytes.
        mtu: u32,
        /// Interface that carries a VLAN.
        parent: Option<String>,
    },
    /// Bring an interface of the host up, and change nothing else about it.
    LinkUp {
        /// Name.
        name: String,
    },
    /// Delete an interface; a WireGuard device is emptied of peers first (deleting a full one takes minutes).
    LinkDelete {
        /// Name.
        name: String,
    },
    /// Set size and bring up.
    LinkSet {
        /// Name.
        name: String,
        /// Bytes.
        mtu: u32,
        /// Up.
        up: bool,
    },
    /// Add an address, marked as ours (on a tunnel without duplicate address detection; there is no neighbour).
    AddressAdd {
        /// Interface.
        link: String,
        /// Address with its prefix.
        address: IpNet,
    },
    /// Remove an address.
    AddressRemove {
        /// Interface.
        link: String,
        /// Address with its prefix.
        address: IpNet,
    },
    /// Change a WireGuard device.
    WireguardSet {
        /// Interface.
        name: String,
        /// What changes.
        delta: wireguard::Delta,
    },
    /// Add a route.
    RouteAdd(Route),
    /// Remove a route.
    RouteRemove(Route),
    /// Add a rule.
    RuleAdd(Rule),
    /// Remove a rule.
    RuleRemove(Rule),
    /// Replace the whole nftables table in one transaction.
    NftReplace(nft::Table),
    /// Change set elements in one transaction.
    NftElements(Vec<nft::SetDelta>),
    /// Remove the nftables table.
    NftDelete,
    /// Put a queue in place of the kernel's own, or of one of ours.
    QueueSet {
        /// Interface.
        interface: String,
        /// What it does.
        queue: Queue,
    },
    /// Leave an interface to the kernel's own queue again.
    QueueRemove {
        /// Interface.
        interface: String,
    },
    /// Set a kernel setting; its original is kept first.
    SysctlSet {
        /// Setting.
        key: sysctl::Key,
        /// Value.
        value: String,
    },
    /// Put a kernel setting's original back and forget it.
    SysctlRestore {
        /// Setting.
        key: sysctl::Key,
        /// Original.
        value: String,
    },
    /// Write a file whole.
    FileWrite {
        /// Absolute path.
        path: String,
        /// Content and mode.
        file: file::File,
    },
    /// Remove a file.
    FileRemove {
        /// Absolute path.
        path: String,
    },
    /// Start a unit and wait until it is active.
    UnitStart {
        /// Name.
        name: String,
    },
    /// Stop a unit.
    UnitStop {
        /// Name.
        name: String,
    },
    /// Have the host ask the cell for names, if the cell answers.
    ResolverTake {
        /// Whom it asks then.
        server: std::net::IpAddr,
    },
    /// Have the host ask whom it asked before.
    ResolverRelease,
}

/// Part of the host a step belongs to; status is kept per domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Domain {
    /// The tunnel's interface and its addresses.
    Link,
    /// LANs: VLANs, and addresses on interfaces of the host. Apart, so that one that fails costs no tunnel.
    Lan,
    /// WireGuard devices and peers.
    Wireguard,
    /// Exits: their interfaces, addresses and devices. Apart, so that one that fails costs nobody else anything.
    Exit,
    /// Routes.
    Route,
    /// Policy rules.
    Rule,
    /// The nftables table.
    Firewall,
    /// Queues that share a line fairly.
    Queue,
    /// Kernel settings.
    Sysctl,
    /// Files.
    File,
    /// Units.
    Unit,
    /// Whom the host itself asks for names.
    Resolver,
}

impl Domain {
    /// All domains.
    pub const ALL: [Self; 12] = [
        Self::Link,
        Self::Lan,
        Self::Wireguard,
        Self::Exit,
        Self::Route,
        Self::Rule,
        Self::Firewall,
        Self::Queue,
        Self::Sysctl,
        Self::File,
        Self::Unit,
        Self::Resolver,
    ];

    /// Name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Lan => "lan",
            Self::Wireguard => "wireguard",
            Self::Exit => "exit",
            Self::Route => "route",
            Self::Rule => "rule",
            Self::Firewall => "firewall",
            Self::Queue => "queue",
            Self::Sysctl => "sysctl",
            Self::File => "file",
            Self::Unit => "unit",
            Self::Resolver => "resolver",
        }
    }

    /// Whose an interface is: the tunnel's, an exit's, or else about LANs.
    pub fn of_link(name: &str) -> Self {
        match name {
            crate::marks::WIREGUARD_INTERFACE => Self::Link,
            name if crate::marks::is_exit(name) => Self::Exit,
            _ => Self::Lan,
        }
    }

    /// Whether a change is taken back when this does not come out as wanted. Whom the host asks for names depends on
    /// others, and the host resolves names either way; a line without a queue carries packets all the same.
    pub fn is_vital(self) -> bool {
        !matches!(self, Self::Resolver | Self::Queue)
    }

    /// Domains that must be right before a step of this one makes sense.
    pub fn needs(self) -> &'static [Self] {
        match self {
            Self::Wireguard => &[Self::Link],
            // Forwarding is only switched on behind a firewall.
            Self::Sysctl => &[Self::Firewall, Self::Rule],
            // No interface carries packets before both layers that stop them stand.
            Self::Link | Self::Lan | Self::Exit => &[Self::Firewall, Self::Rule],
            Self::Route
            | Self::Rule
            | Self::Firewall
            | Self::Queue
            | Self::File
            | Self::Unit
            | Self::Resolver => &[],
        }
    }
}

/// When a step runs. Additions go from what blocks to what opens, removals from what opens to what blocks, so that no
/// half-done plan lets through what both states forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wave {
    /// Forwarding off.
    Close,
    /// Rules and unreachable routes that stop what nothing else has decided.
    Guard,
    /// The firewall, in one transaction.
    Firewall,
    /// What is no longer wanted.
    Remove,
    /// Files.
    Files,
    /// Interfaces, addresses and units that carry tunnels.
    Links,
    /// WireGuard devices and peers.
    Tunnels,
    /// Routes out of interfaces.
    Routes,
    /// Routes out of tunnels of exits, which are up by now.
    Exits,
    /// Services.
    Services,
    /// Forwarding on.
    Open,
    /// The host asks the cell, which by now answers.
    Names,
    /// On the way to no cell: the firewall goes when nothing is left behind it.
    Unfirewall,
    /// On the way to no cell: rules and unreachable routes last.
    Unguard,
}

/// An action with its wave and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub wave: Wave,
    /// What.
    pub action: Action,
    /// The setting that asked for it, as `peer phone` or `wireguard.port`.
    pub why: String,
}

/// Something about a plan that the admin must confirm through the changed path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Risk {
    /// What could be lost, in words.
    pub words: String,
}

/// Ordered steps and their risks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Steps in the order they run.
    pub steps: Vec<Step>,
    /// Empty when the plan needs no confirmation.
    pub risks: Vec<Risk>,
    /// Grants lost and gained, in words.
    pub grants: Vec<String>,
    /// What else to know, in words.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether the host is as it should be.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Domains the plan touches.
    pub fn domains(&self) -> BTreeSet<Domain> {
        self.steps.iter().map(|step| step.action.domain()).collect()
    }
}

impl Action {
    /// Domain it belongs to.
    pub fn domain(&self) -> Domain {
        match self {
            Self::LinkUp { .. } => Domain::Lan,
            Self::LinkCreate { name, .. } | Self::LinkDelete { name } | Self::LinkSet { name, .. } => {
                Domain::of_link(name)
            }
            Self::AddressAdd { link, .. } | Self::AddressRemove { link, .. } => Domain::of_link(link),
            Self::WireguardSet { name, .. } if crate::marks::is_exit(name) => Domain::Exit,
            Self::WireguardSet { .. } => Domain::Wireguard,
            Self::RouteAdd(_) | Self::RouteRemove(_) => Domain::Route,
            Self::RuleAdd(_) | Self::RuleRemove(_) => Domain::Rule,
            Self::NftReplace(_) | Self::NftElements(_) | Self::NftDelete => Domain::Firewall,
            Self::QueueSet { .. } | Self::QueueRemove { .. } => Domain::Queue,
            Self::SysctlSet { .. } | Self::SysctlRestore { .. } => Domain::Sysctl,
            Self::FileWrite { .. } | Self::FileRemove { .. } => Domain::File,
            Self::UnitStart { .. } | Self::UnitStop { .. } => Domain::Unit,
            Self::ResolverTake { .. } | Self::ResolverRelease => Domain::Resolver,
        }
    }
}
