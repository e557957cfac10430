//! Routes, always with our protocol number.

use std::net::IpAddr;

use ipnet::IpNet;

/// One route of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Routing table.
    pub table: u32,
    /// Destination.
    pub destination: IpNet,
    /// Priority; lower wins.
    pub metric: u32,
    /// Where it leads.
    pub kind: RouteKind,
}

/// Where a [`Route`] leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    /// Nowhere, with an ICMP error to the sender.
    Unreachable,
    /// Out of an interface.
    Device(String),
    /// Through a router.
    Gateway {
        /// Interface that the router is on.
        device: String,
        /// The router.
        via: IpAddr,
    },
}
