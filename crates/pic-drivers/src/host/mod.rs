//! Facts about the host that decisions need: the way to the internet, its resolvers, the networks it already routes.
//!
//! Only reads. Our own interfaces and their networks are left out, so that the facts do not change because we act on
//! them. Tested in network namespaces (`tests/host.rs`); resolver files by unit tests.
#![forbid(unsafe_code)]

mod holder;
mod network;
mod resolvers;
mod uplink;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::route::RouteMessage;
use pic_model::name::InterfaceName;
use pic_plan::facts::{HostNetwork, UplinkFacts};

pub use holder::{Holder, port_holder};

use crate::netlink::{self, route_dump};

/// What the host is, as far as [`pic_plan::Facts`] needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// The interface of the default route, if there is one.
    pub uplink: Option<UplinkFacts>,
    /// The host's own resolvers, without the cell itself.
    pub resolvers: Vec<IpAddr>,
    /// Networks that the host routes by other interfaces than ours, in order.
    pub host_networks: Vec<HostNetwork>,
    /// Names of all interfaces.
    pub interfaces: BTreeSet<String>,
    /// Interfaces toward the outside that take router advertisements.
    pub advertised: BTreeSet<InterfaceName>,
}

/// Why the host could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel's tables.
    #[error("cannot read the host's {what}")]
    Kernel {
        /// Which.
        what: &'static str,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
}

/// Reads the facts of the calling thread's network namespace.
pub fn observe() -> Result<HostFacts, Error> {
    let table = Table::read()?;
    let own: Vec<IpAddr> = network::own_addresses(&table);
    Ok(HostFacts {
        uplink: uplink::find(&table),
        resolvers: resolvers::read(&own),
        host_networks: network::list(&table),
        interfaces: table.names.values().cloned().collect(),
        advertised: uplink::advertised(&table),
    })
}

/// The kernel's routes, addresses and interface names at about one moment.
struct Table {
    routes: Vec<RouteMessage>,
    addresses: Vec<AddressMessage>,
    names: BTreeMap<u32, String>,
}

impl Table {
    fn read() -> Result<Self, Error> {
        let routes = route_dump(RouteNetlinkMessage::GetRoute(RouteMessage::default()))
            .map_err(|source| Error::Kernel { what: "routes", source })?;
        let addresses = route_dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))
            .map_err(|source| Error::Kernel { what: "addresses", source })?;
        let names = crate::link::names().map_err(|source| Error::Kernel { what: "interfaces", source })?;
        let routes = routes.into_iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewRoute(route) => Some(route),
            _ => None,
        });
        let addresses = addresses.into_iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewAddress(address) => Some(address),
            _ => None,
        });
        Ok(Self { routes: routes.collect(), addresses: addresses.collect(), names })
    }

    /// Name of an interface that is not one of ours.
    fn foreign_name(&self, index: u32) -> Option<&str> {
        self.names.get(&index).map(String::as_str).filter(|name| !is_ours(name))
    }
}

/// Whether an interface is one of ours, as `pic0`.
fn is_ours(name: &str) -> bool {
    name.strip_prefix("pic").is_some_and(|rest| rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit()))
}
