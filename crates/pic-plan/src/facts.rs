//! What the host is: everything a decision needs that is not in `cell.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use pic_model::ban::Ban;
use pic_model::exit::openvpn::Profile;
use pic_model::exit::provider::Provider;
use pic_model::exit::proxy::Credentials;
use pic_model::key::{PresharedSeed, PrivateKey};
use pic_model::name::{DomainName, ExitName, InterfaceName, PeerName};
pub use pic_model::snapshot::dhcp::RoutedPrefix;
use pic_model::snapshot::openvpn::OpenvpnGiven;

/// Facts about the host at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Unix seconds; decides which peers have expired.
    pub now: i64,
    /// Number of the generation being compiled; services report it.
    pub generation: u64,
    /// The cell's identity on the wire.
    pub private_key: PrivateKey,
    /// Seed of the peers' preshared keys.
    pub preshared_seed: PresharedSeed,
    /// Whether the kernel can make WireGuard devices.
    pub kernel_wireguard: bool,
    /// The interface of the default route, if there is one.
    pub uplink: Option<UplinkFacts>,
    /// The host's own resolvers, without the cell itself.
    pub resolvers: Vec<IpAddr>,
    /// Networks that the host routes by other interfaces than ours.
    pub host_networks: Vec<HostNetwork>,
    /// Names of all interfaces.
    pub interfaces: BTreeSet<String>,
    /// Interfaces toward the outside that take router advertisements (`accept_ra` 1 or 2): forwarding stops that
    /// unless it is 2.
    pub advertised: BTreeSet<InterfaceName>,
    /// Prefixes that the uplink delegated, in order.
    pub delegated: Vec<DelegatedPrefix>,
    /// Prefixes that routers on LANs were given, in order.
    pub routed: Vec<RoutedPrefix>,
    /// Whether the host forwarded packets before it was a cell.
    pub routed_before: bool,
    /// Whom nothing here answers for a while. Kept beside the desired state, as they come and go by themselves.
    pub bans: Vec<Ban>,
    /// Whether the program that serves time, `chronyd`, is installed.
    pub chronyd: bool,
    /// Exits, as far as the host knows something of them.
    pub exits: ExitFacts,
    /// Peers that have used up their quota.
    pub spent: BTreeSet<PeerName>,
    /// Addresses of names with a way out of their own that were told to devices, by what their lines know them by.
    pub learned: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl Facts {
    /// What is known of a host that was not looked at, as early in a boot: nothing but the cell's own secrets.
    pub fn unread(private_key: PrivateKey, preshared_seed: PresharedSeed) -> Self {
        Self {
            now: 0,
            generation: 0,
            private_key,
            preshared_seed,
            kernel_wireguard: true,
            uplink: None,
            resolvers: Vec::new(),
            host_networks: Vec::new(),
            interfaces: BTreeSet::new(),
            advertised: BTreeSet::new(),
            delegated: Vec::new(),
            routed: Vec::new(),
            routed_before: false,
            bans: Vec::new(),
            chronyd: false,
            exits: ExitFacts::default(),
            spent: BTreeSet::new(),
            learned: BTreeMap::new(),
        }
    }
}

/// What is known of exits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExitFacts {
    /// Files of the folder of exits by name: what each says, or what is wrong with it.
    pub files: BTreeMap<String, Result<Provider, String>>,
    /// Files of users and passwords at proxies: what each says, or what is wrong with it.
    pub credentials: BTreeMap<String, Result<Credentials, String>>,
    /// The same of OpenVPN files.
    pub profiles: BTreeMap<String, Result<Profile, String>>,
    /// What servers of exits by OpenVPN gave last, by interface.
    pub given: BTreeMap<String, OpenvpnGiven>,
    /// Where providers are that are told by name, as far as these names resolved.
    pub endpoints: BTreeMap<DomainName, IpAddr>,
    /// Exits that do not work at this moment. One of which nothing is known yet counts as working: what it cannot carry
    /// is stopped.
    pub down: BTreeSet<ExitName>,
    /// Whether the program of exits into the Tor network, `tor`, is installed.
    pub tor: bool,
    /// Whether the program of exits by OpenVPN, `openvpn`, is installed.
    pub openvpn: bool,
}

/// The way to the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UplinkFacts {
    /// Interface.
    pub interface: InterfaceName,
    /// Its first global v4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its first global v6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether v6 packets to everywhere leave by it.
    pub routes6: bool,
}

/// A prefix that the uplink delegated to the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelegatedPrefix {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Whether it is in use; one that is not goes, and hosts are told so.
    pub current: bool,
}

/// A network that is not ours to use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostNetwork {
    /// The network.
    pub network: IpNet,
    /// Interface it is reached by.
    pub interface: String,
}
