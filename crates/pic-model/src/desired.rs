//! What the owner wants: the validated content of `cell.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::dns::{Name, RData, RecordType};
use crate::egress::Egress;
use crate::exit::{Exit, WayOut};
use crate::key::PublicKey;
use crate::lan::{Dhcp, Lan, Reservation, Subnet};
use crate::limit::Limit;
use crate::name::{CellName, DomainName, ExitName, GroupName, InterfaceName, LanName, PeerName, SubjectName};
use crate::policy::{Forward, Grant, Service};
use crate::quota::{Quota, Rate};
use crate::reach::{Host, Target};
use crate::schedule::Schedule;
use crate::snapshot::dns::Upstream;
use crate::time::TimeSource;

/// The whole desired state of a cell. `None` in its place means "no cell": everything of ours goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Identity.
    pub cell: Cell,
    /// The way to the internet.
    pub uplink: Uplink,
    /// The cell's WireGuard network.
    pub wireguard: WireGuard,
    /// Groups that peers and devices of the LANs may be in.
    pub groups: BTreeSet<GroupName>,
    /// Ways out of groups that have one, for their members without one of their own.
    pub group_exits: BTreeMap<GroupName, Vec<WayOut>>,
    /// How much of the internet members of groups may use, and how fast, where they say nothing themselves.
    pub group_limits: BTreeMap<GroupName, UseLimits>,
    /// Named ways to the internet.
    pub exits: BTreeMap<ExitName, Exit>,
    /// Exits by destination, in the order of the file: the first that fits counts.
    pub egress: Vec<Egress>,
    /// Devices by name.
    /// Shared, so that the state after a change elsewhere costs no copy of ten thousand of them.
    pub peers: Arc<BTreeMap<PeerName, Peer>>,
    /// Networks on the host's own interfaces, and those of apps, by name.
    pub lans: BTreeMap<LanName, Lan>,
    /// Networks behind routers of the LANs, by name.
    pub subnets: BTreeMap<LanName, Subnet>,
    /// Addresses kept for devices of the LANs, in the order of the file, and behind them those of apps.
    pub reservations: Vec<Reservation>,
    /// Names.
    pub dns: Dns,
    /// Time.
    pub time: Time,
    /// The host's own stance.
    pub firewall: Firewall,
    /// What must be reachable and what must not, in the order of the file.
    pub tests: Vec<ReachTest>,
    /// Named targets.
    pub services: BTreeMap<SubjectName, Service>,
    /// Who may reach what, beside the `allow` of peers and LANs, in the order of the file. Shared, so
    /// that the state after a change costs no copy of a hundred thousand of them.
    pub grants: Vec<Arc<Grant>>,
    /// From the internet to hosts behind the cell, in the order of the file.
    pub forwards: Vec<Forward>,
}

impl Desired {
    /// The grants behind those of another state, where this one says nothing else than that one.
    pub fn grants_beyond(&self, other: &Self) -> Option<&[Arc<Grant>]> {
        let (own, beyond) = self.grants.split_at_checked(other.grants.len())?;
        // Named one by one, so that none is forgotten when there are more.
        let Self {
            cell,
            uplink,
            wireguard,
            groups,
            group_exits,
            group_limits,
            exits,
            egress,
            peers,
            lans,
            subnets,
            reservations,
            dns,
            time,
            firewall,
            tests,
            services,
            grants: _,
            forwards,
        } = self;
        let is_alike = own == other.grants
            && *cell == other.cell
            && *uplink == other.uplink
            && *wireguard == other.wireguard
            && *groups == other.groups
            && *group_exits == other.group_exits
            && *group_limits == other.group_limits
            && *exits == other.exits
            && *egress == other.egress
            && *peers == other.peers
            && *lans == other.lans
            && *subnets == other.subnets
            && *reservations == other.reservations
            && *dns == other.dns
            && *time == other.time
            && *firewall == other.firewall
            && *tests == other.tests
            && *services == other.services
            && *forwards == other.forwards;
        is_alike.then_some(beyond)
    }

    /// The LAN or subnet that has an address, with its network.
    pub fn network_of(&self, address: Ipv4Addr) -> Option<(&LanName, Ipv4Net)> {
        self.networks4().find(|(_, net)| net.contains(&address))
    }

    /// The v4 network of a LAN or subnet.
    pub fn network4(&self, name: &LanName) -> Option<Ipv4Net> {
        let lan = self.lans.get(name).map(|lan| lan.ipv4.trunc());
        lan.or_else(|| self.subnets.get(name).map(|subnet| subnet.ipv4))
    }

    fn networks4(&self) -> impl Iterator<Item = (&LanName, Ipv4Net)> {
        let lans = self.lans.iter().map(|(name, lan)| (name, lan.ipv4.trunc()));
        lans.chain(self.subnets.iter().map(|(name, subnet)| (name, subnet.ipv4)))
    }

    /// Addresses kept for devices, without those of apps.
    pub fn kept_on_lans(&self) -> impl Iterator<Item = &Reservation> {
        let is_app = |kept: &Reservation| self.lans.get(&kept.lan).is_some_and(|lan| lan.app.is_some());
        self.reservations.iter().filter(move |kept| !is_app(kept))
    }

    /// What is handed out, by the name of the LAN or subnet.
    pub fn dhcp(&self) -> impl Iterator<Item = (&LanName, &Dhcp)> {
        let lans = self.lans.iter().filter_map(|(name, lan)| Some((name, lan.dhcp.as_ref()?)));
        lans.chain(self.subnets.iter().filter_map(|(name, subnet)| Some((name, subnet.dhcp.as_ref()?))))
    }
}

/// `[cell]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// DNS label; the zone is `<name>.cell`.
    pub name: CellName,
    /// Public name, absent for a private cell.
    pub domain: Option<DomainName>,
    /// Name of the zone whose clock schedules mean, in the tz database; `UTC` when the file says none.
    pub timezone: String,
}

/// `[uplink]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// `None` is "auto": the interface of the default route.
    pub interface: Option<InterfaceName>,
    /// The v6 prefix out of which LANs have networks.
    pub prefix: UplinkPrefix,
    /// What the line carries to the internet; known, it is shared fairly.
    pub upload: Option<Rate>,
    /// The same from the internet, toward each of the cell's own networks.
    pub download: Option<Rate>,
}

/// `uplink.prefix`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UplinkPrefix {
    /// Asked for, unless the host itself asks the uplink for something by DHCPv6.
    #[default]
    Auto,
    /// Asked for in any case.
    Ask,
    /// None.
    Off,
    /// This one, which the provider routes to the host.
    Net(Ipv6Net),
}

/// `[wireguard]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireGuard {
    /// UDP port.
    pub port: u16,
    /// The peers' v4 network; the cell is its first host.
    pub ipv4: Ipv4Net,
    /// The peers' v6 network.
    pub ipv6: Ipv6Choice,
    /// What peers dial; `None` is "auto": the domain, else the uplink's address.
    pub endpoint: Option<Endpoint>,
    /// Bytes; 1420 fits a 1500-byte path in both families.
    pub mtu: u16,
}

/// `wireguard.ipv6`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv6Choice {
    /// A /64 of the cell's own ULA.
    Auto,
    /// No v6 inside the tunnel.
    Off,
    /// This /64.
    Net(Ipv6Net),
}

/// What a client dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: EndpointHost,
    /// Port when it differs from the one the cell listens on.
    pub port: Option<u16>,
}

impl std::fmt::Display for Endpoint {
    /// As written in the file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.host, self.port) {
            (EndpointHost::Name(name), None) => write!(f, "{name}"),
            (EndpointHost::Name(name), Some(port)) => write!(f, "{name}:{port}"),
            (EndpointHost::Address(address), None) => write!(f, "{address}"),
            (EndpointHost::Address(address), Some(port)) => {
                write!(f, "{}", std::net::SocketAddr::new(*address, port))
            }
        }
    }
}

/// Host part of an [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointHost {
    /// Resolved by the client.
    Name(DomainName),
    /// Literal.
    Address(IpAddr),
}

/// `[[peer]]`: a device with a WireGuard key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its identity on the wire.
    pub public_key: PublicKey,
    /// Inside `wireguard.ipv4`.
    pub address: Ipv4Addr,
    /// Inside `wireguard.ipv6`; `None` is the twin of `address`.
    pub address6: Option<Ipv6Addr>,
    /// Groups that it is in.
    pub groups: BTreeSet<GroupName>,
    /// What it may reach.
    pub allow: BTreeSet<Allow>,
    /// Where the cell dials it; `None`: it dials.
    pub endpoint: Option<Endpoint>,
    /// Whether it is another cell that leaves by this one's internet.
    pub offer: bool,
    /// Ways to the internet, the first that works counts; `None` is that of its group, or the uplink.
    pub exit: Option<Vec<WayOut>>,
    /// How much of the internet it may use, and how fast.
    pub limits: UseLimits,
    /// Unix seconds after which it is refused.
    pub expires: Option<i64>,
    /// A disabled peer keeps its place and loses its way in.
    pub enabled: bool,
    /// Whether a preshared key is mixed in.
    pub preshared: bool,
}

/// `quota` and `rate`, of a peer or a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UseLimits {
    /// How much; `None` is that of a group, or no end.
    pub quota: Option<Quota>,
    /// How fast; `None` is that of a group, or as fast as it goes.
    pub rate: Option<Rate>,
}

impl Desired {
    /// How much of the internet a peer may use.
    pub fn quota_of(&self, peer: &Peer) -> Option<Quota> {
        peer.limits.quota.or_else(|| self.of_groups(peer).find_map(|limits| limits.quota))
    }

    /// How fast it may.
    pub fn rate_of(&self, peer: &Peer) -> Option<Rate> {
        peer.limits.rate.or_else(|| self.of_groups(peer).find_map(|limits| limits.rate))
    }

    fn of_groups(&self, peer: &Peer) -> impl Iterator<Item = &UseLimits> {
        peer.groups.iter().filter_map(|group| self.group_limits.get(group))
    }
}

/// One entry of `peer.allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allow {
    /// The internet through the cell's uplink.
    Internet,
    /// What the cell itself serves.
    Cell,
}

impl Allow {
    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internet => "internet",
            Self::Cell => "cell",
        }
    }
}

/// `[dns]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// Whether the host itself asks the cell; `None` is "where that can be done cleanly".
    pub host: Option<bool>,
    /// `None` is "the host's own resolvers".
    pub upstreams: Option<Vec<Upstream>>,
    /// Whether answers of upstreams are validated; `None` is "where the upstreams hand signatures on".
    pub dnssec: Option<bool>,
    /// File of trust anchors in place of the built-in keys of the internet's root.
    pub trust_anchor: Option<String>,
    /// Names beneath these may have private addresses although they come from outside.
    pub private: Vec<Name>,
    /// Records of the owner, in the order of the file; there may be very many, and two states share them.
    pub records: Vec<Arc<DnsRecord>>,
    /// Zones that are asked elsewhere.
    pub forwards: Vec<DnsForward>,
    /// Lists of names that are not answered.
    pub blocklists: Vec<DnsBlocklist>,
    /// Names that no list blocks.
    pub allow: Vec<Name>,
    /// Last questions that are kept in memory to be looked at; 0 is none.
    pub query_log: u32,
    /// Names for clients that ask by TLS; `None` is by UDP and TCP alone.
    pub tls: Option<DnsTls>,
    /// Whether anybody on the internet is answered for records that are for them.
    pub outside: bool,
}

/// `[dns.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsTls {
    /// Absolute path of the chain of certificates, PEM.
    pub certificate: String,
    /// Absolute path of its key, PEM.
    pub key: String,
    /// TCP port of DNS over HTTPS; `None` is not served.
    pub https_port: Option<u16>,
}

/// `[[dns.blocklist]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsBlocklist {
    /// Name, unique among them.
    pub name: PeerName,
    /// Absolute path of the file, or an address as [`crate::https_url::HttpsUrl`].
    pub source: String,
    /// Whom it is for; `None` is all peers.
    pub audience: Option<BTreeSet<Audience>>,
    /// When it counts; `None` is always.
    pub when: Option<Schedule>,
}

/// `[[dns.record]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    /// Absolute name, in the cell's zone or among the reverse names.
    pub name: Name,
    /// Type.
    pub rtype: RecordType,
    /// Value.
    pub data: RData,
    /// Seconds; `None` is the zone's own.
    pub ttl: Option<u32>,
    /// Who sees it; `None` is everyone who may reach the cell.
    pub audience: Option<BTreeSet<Audience>>,
}

/// One entry of a list of whom something is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// All peers.
    Peers,
    /// Anybody on the internet, where `dns.outside` says so.
    Outside,
    /// A peer, the members of a group, or the hosts of a LAN: see [`Desired::subject`].
    Named(SubjectName),
}

impl Audience {
    /// As written in the file.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Peers => "peers",
            Self::Outside => "outside",
            Self::Named(name) => name.as_str(),
        }
    }
}

/// What a [`SubjectName`] stands for. No name stands for two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject<'d> {
    /// One device.
    Peer(&'d PeerName),
    /// Everything that is in the group.
    Group(&'d GroupName),
    /// Every host of the LAN, or of the subnet behind one, or an app.
    Lan(&'d LanName),
}

impl Desired {
    /// What a name stands for, if anything.
    pub fn subject(&self, name: &str) -> Option<Subject<'_>> {
        let peer = || name.parse().ok().and_then(|name: PeerName| self.peers.get_key_value(&name));
        let group = || name.parse().ok().and_then(|name: GroupName| self.groups.get(&name));
        let is_it = |lan: &&LanName| lan.as_str() == name;
        let lan = || self.lans.keys().chain(self.subnets.keys()).find(is_it);
        let peer = peer().map(|(name, _)| Subject::Peer(name));
        peer.or_else(|| group().map(Subject::Group)).or_else(|| lan().map(Subject::Lan))
    }
}

/// `[[dns.forward]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsForward {
    /// Absolute name; everything beneath it is asked there.
    pub zone: Name,
    /// Whom to ask.
    pub upstreams: Vec<Upstream>,
}

/// `[time]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// Whether devices can ask the cell for the time.
    pub serve: bool,
    /// Where the cell has it from; without any it serves none.
    pub upstreams: Vec<TimeSource>,
}

/// `[firewall]`: what the cell's table does with packets to the host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    /// Stance toward the outside.
    pub inbound: Inbound,
    /// TCP ports of the host's own sshd, open in every stance.
    pub ssh: BTreeSet<u16>,
    /// Addresses whose ssh is accepted before anything else is looked at.
    pub admin: BTreeSet<IpAddr>,
    /// Further open ports.
    pub open: BTreeSet<Port>,
    /// Connections that one source outside may begin; `None` is any number.
    pub limit: Option<Limit>,
    /// The same of those to the ssh ports.
    pub limit_ssh: Option<Limit>,
}

/// `firewall.inbound`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inbound {
    /// Only ssh, WireGuard and what the cell serves.
    Closed,
    /// The cell's table leaves packets to the host alone.
    Open,
}

/// A port as `tcp/443`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// Transport.
    pub protocol: Protocol,
    /// 1 to 65535.
    pub number: u16,
}

/// Transport of a [`Port`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// `[[test]]`: a connection that the state must let pass, or must stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachTest {
    /// Who begins it.
    pub from: Host,
    /// Where it leads.
    pub to: Target,
    /// What must come of it, in every IP family that both ends have.
    pub expect: Expect,
    /// Line in the file, for who is told that it failed.
    pub line: usize,
}

/// `test.expect`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It arrives.
    Allowed,
    /// It does not.
    Blocked,
}

impl Expect {
    /// As written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
        }
    }
}
