//! One comparable shape for "what should be" and "what is", one module per surface of the host.
//!
//! [`Targets`] holds what we want of our own objects; [`Observed`] holds our own objects as they are. Foreign objects
//! appear in neither.

pub mod file;
pub mod link;
pub mod nft;
pub mod queue;
pub mod resolver;
pub mod route;
pub mod rule;
pub mod sysctl;
pub mod unit;
pub mod wireguard;

use std::collections::BTreeMap;
use std::sync::Arc;

/// What our objects should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// Interfaces by name.
    pub links: BTreeMap<String, link::Link>,
    /// Addresses of ours on interfaces of the host; one named here must be up.
    pub host_links: BTreeMap<String, std::collections::BTreeSet<ipnet::IpNet>>,
    /// WireGuard devices by interface name.
    pub wireguard: BTreeMap<String, wireguard::Device>,
    /// Routes.
    pub routes: std::collections::BTreeSet<route::Route>,
    /// Policy rules.
    pub rules: std::collections::BTreeSet<rule::Rule>,
    /// The one nftables table.
    pub nft: Option<nft::Table>,
    /// Queues by interface.
    pub queues: BTreeMap<String, queue::Queue>,
    /// Kernel settings that must have a value while the cell runs.
    pub sysctls: BTreeMap<sysctl::Key, String>,
    /// Files, by path.
    pub files: BTreeMap<String, file::File>,
    /// Units that must run; those of ours not named here must not.
    pub units: BTreeMap<String, unit::Unit>,
    /// That the host itself asks the cell.
    pub resolver: Option<resolver::Resolver>,
    /// Names of exits by their interfaces, for words.
    pub exits: BTreeMap<String, String>,
    /// Unix seconds at which the same desired state compiles differently (a peer expires).
    pub next_change: Option<i64>,
}

/// What our objects are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Interfaces with our names, whoever made them.
    pub links: BTreeMap<String, link::Link>,
    /// All other interfaces of the host.
    pub host_links: BTreeMap<String, link::HostLink>,
    /// WireGuard devices among them.
    pub wireguard: BTreeMap<String, wireguard::Device>,
    /// Routes that carry our protocol number.
    pub routes: std::collections::BTreeSet<route::Route>,
    /// Rules in our preference range or with our protocol number, and the kernel's own two defaults.
    pub rules: std::collections::BTreeSet<rule::Rule>,
    /// Our nftables table, if it is there. Shared: it may have hundreds of thousands of elements.
    pub nft: Option<Arc<nft::ObservedTable>>,
    /// Queues by interface: ours, and what others have put in place of the kernel's own.
    pub queues: BTreeMap<String, queue::ObservedQueue>,
    /// Present values of the settings that the targets name or that we hold an original of.
    pub sysctls: BTreeMap<sysctl::Key, String>,
    /// Values these settings had before we first changed them.
    pub sysctl_originals: BTreeMap<sysctl::Key, String>,
    /// Our files, by path.
    pub files: BTreeMap<String, file::File>,
    /// Our units by name.
    pub units: BTreeMap<String, unit::UnitState>,
    /// Whom the host asks for names; `None` where that is not looked at.
    pub resolver: Option<resolver::ResolverState>,
}

impl Observed {
    /// Takes these domains from a newer look.
    pub fn take(&mut self, mut newer: Self, domains: &std::collections::BTreeSet<crate::plan::Domain>) {
        use crate::marks::WIREGUARD_INTERFACE;
        use crate::plan::Domain;
        for domain in domains {
            match domain {
                Domain::Link | Domain::Lan | Domain::Exit => {
                    let is_its = |name: &str| Domain::of_link(name) == *domain;
                    self.links.retain(|name, _| !is_its(name));
                    self.links.extend(newer.links.extract_if(.., |name, _| is_its(name)));
                    if *domain == Domain::Lan {
                        self.host_links = std::mem::take(&mut newer.host_links);
                    }
                    if *domain == Domain::Exit {
                        self.wireguard.retain(|name, _| !is_its(name));
                        self.wireguard.extend(newer.wireguard.extract_if(.., |name, _| is_its(name)));
                    }
                }
                Domain::Wireguard => {
                    self.wireguard.retain(|name, _| name != WIREGUARD_INTERFACE);
                    self.wireguard.extend(newer.wireguard.remove_entry(WIREGUARD_INTERFACE));
                }
                Domain::Route => self.routes = std::mem::take(&mut newer.routes),
                Domain::Rule => self.rules = std::mem::take(&mut newer.rules),
                Domain::Firewall => self.nft = std::mem::take(&mut newer.nft),
                Domain::Queue => self.queues = std::mem::take(&mut newer.queues),
                Domain::Sysctl => {
                    self.sysctls = std::mem::take(&mut newer.sysctls);
                    self.sysctl_originals = std::mem::take(&mut newer.sysctl_originals);
                }
                Domain::File => self.files = std::mem::take(&mut newer.files),
                Domain::Unit => self.units = std::mem::take(&mut newer.units),
                Domain::Resolver => self.resolver = newer.resolver.take(),
            }
        }
    }
}
