//! What is ours on the host: names and numbers by which our objects are told from everyone else's.

/// Name of the WireGuard interface.
pub const WIREGUARD_INTERFACE: &str = "pic0";
/// Name of the nftables table, family `inet`.
pub const NFT_TABLE: &str = "pic";
/// Route protocol number that our routes and rules carry (rtnetlink(7) `rtm_protocol`; above the reserved ones).
pub const ROUTE_PROTOCOL: u8 = 77;
/// First preference of our ip rules; the range is 7700 to 7799.
pub const RULE_FIRST: u32 = 7700;
/// Last preference of our ip rules.
pub const RULE_LAST: u32 = 7799;
/// Table that holds nothing but unreachable defaults: where unmarked packets of peers end.
pub const TABLE_BLOCKED: u32 = 7700;
/// Bits of the packet mark that are ours.
pub const MARK_MASK: u32 = 0xff00_0000;
/// Mark of packets that were granted the uplink.
pub const MARK_DIRECT: u32 = 0x0100_0000;
/// Mark of packets that were granted a host of one of the cell's own networks: these never take a default route.
pub const MARK_INSIDE: u32 = 0xff00_0000;
/// Mark of answers: they go back the way the connection came, whoever sends them.
pub const MARK_ANSWER: u32 = 0xfe00_0000;
/// Marks of packets that leave by an exit: its number in the same place.
pub const MARK_SHIFT: u32 = 24;
/// Interfaces of exits are `pic` and this with the exit's number added: above the numbers of VLANs.
pub const EXIT_INTERFACES: u32 = 5000;
/// Interfaces of apps are `pic` and a number from this one on: above those of exits.
const APP_INTERFACES: u32 = 6000;
/// Folder of what namespaces of apps are made from, each file named after its app.
pub const APPS: &str = "/var/lib/pic/apps";
/// Beginning of the names of units that hold an app's namespace; the app's name and `.service` follow.
const UNIT_APP: &str = "pic-app@";
/// Metric of unreachable routes: behind every other.
pub const METRIC_LAST: u32 = u32::MAX;
/// Handle of our queues (tc(8)), in the upper half as in the kernel's numbers of classes; `tc` numbers those of others from
/// 8000: on where they say none.
pub const QUEUE: u32 = 0x7700_0000;
/// How many classes share a line where the kernel has no CAKE.
pub const QUEUE_SHARES: u32 = 256;
/// The first of them. Above the few numbers by which a packet could choose a class of CAKE.
pub const QUEUE_FIRST_SHARE: u32 = QUEUE + 0x100;
/// Unit of the DNS service.
pub const UNIT_DNS: &str = "pic-dns.service";
/// Unit of the userspace WireGuard device.
pub const UNIT_WIREGUARD: &str = "pic-wg.service";
/// Beginning of the names of units of userspace WireGuard devices of exits; the interface and `.service` follow.
pub const UNIT_WIREGUARD_EXIT: &str = "pic-wg@";
/// Exits into the Tor network.
pub const TOR: Program = Program("tor");
/// Exits by a proxy.
pub const PROXY: Program = Program("proxy");
/// Exits by OpenVPN. Their units make their interfaces.
pub const OPENVPN: Program = Program("openvpn");
/// Every kind of exit that is a program on this host.
pub const PROGRAMS: [Program; 3] = [TOR, PROXY, OPENVPN];
/// Unit of the DHCP service.
pub const UNIT_DHCP: &str = "pic-dhcp.service";
/// Unit of the time service.
pub const UNIT_TIME: &str = "pic-time.service";
/// Snapshot that the DHCP service serves from.
pub const FILE_DHCP: &str = "/var/lib/pic/dhcp/lans.json";
/// Unit that points the host at the cell, and hands back when it ends.
pub const UNIT_RESOLVER: &str = "pic-resolver.service";
/// What that unit needs to know.
pub const FILE_RESOLVER: &str = "/var/lib/pic/resolver/cell.json";
/// Snapshot that the DNS service serves from.
pub const FILE_DNS: &str = "/var/lib/pic/dns/zone.json";
/// Snapshot that the time service serves from.
pub const FILE_TIME: &str = "/var/lib/pic/time/time.json";
/// Beginnings of the names of interfaces of containers and virtual machines on the host itself; the stance toward the
/// outside is not about them.
pub const INSIDE: [&str; 9] =
    ["docker", "br-", "virbr", "lxcbr", "lxdbr", "incusbr", "podman", "cni", "veth"];

/// Whether an interface is one of an exit.
pub fn is_exit(interface: &str) -> bool {
    let number = interface.strip_prefix("pic").and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| (EXIT_INTERFACES..EXIT_INTERFACES + 256).contains(&number))
}

/// Whether an interface is the cell's end of an app's cable.
pub fn is_app(interface: &str) -> bool {
    let number = interface.strip_prefix("pic").and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| number >= APP_INTERFACES)
}

/// The unit that holds the namespace of an app.
pub fn app_unit(name: &str) -> String {
    format!("{UNIT_APP}{name}.service")
}

/// The app whose namespace a unit holds.
pub fn app_of_unit(unit: &str) -> Option<&str> {
    unit.strip_prefix(UNIT_APP)?.strip_suffix(".service").filter(|name| is_app_name(name))
}

/// What the namespace of an app is made from.
pub fn app_file(name: &str) -> String {
    format!("{APPS}/{name}.json")
}

/// Whom programs in it ask for names, to be seen by them in the place of `/etc/resolv.conf`.
pub fn app_resolv_conf(name: &str) -> String {
    format!("{APPS}/{name}{RESOLV_CONF}")
}

const RESOLV_CONF: &str = ".resolv.conf";

/// Whether a file of the folder of apps is the cell's.
pub fn is_app_file(path: &str) -> bool {
    let file = path.strip_prefix(APPS).and_then(|file| file.strip_prefix('/'));
    let name = file.and_then(|file| file.strip_suffix(".json").or_else(|| file.strip_suffix(RESOLV_CONF)));
    name.is_some_and(is_app_name)
}

/// An instance's name is one of a file, too: never one that leads elsewhere.
fn is_app_name(name: &str) -> bool {
    name.parse::<pic_model::name::LanName>().is_ok()
}

/// A kind of exit that is a program on this host, by the word in the names of what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program(&'static str);

impl Program {
    /// The unit of the exit of an interface.
    pub fn unit(self, interface: &str) -> String {
        format!("pic-{}@{interface}.service", self.0)
    }

    /// Folder of the snapshots, each named after the interface.
    pub fn folder(self) -> String {
        format!("/var/lib/pic/{}", self.0)
    }

    /// The snapshot that the exit of an interface works from.
    pub fn file(self, interface: &str) -> String {
        format!("{}/{interface}.json", self.folder())
    }

    /// Name of the folder, beside the agent's own in `/run`, where the exit of an interface says how it is.
    pub fn run(self, interface: &str) -> String {
        format!("pic-{}-{interface}", self.0)
    }
}

/// The unit that works from a file, if that is the snapshot of an exit or of an app's namespace.
pub fn unit_of_file(path: &str) -> Option<String> {
    if let Some(name) = path.strip_prefix(APPS).and_then(|file| file.strip_prefix('/')?.strip_suffix(".json"))
    {
        return is_app_name(name).then(|| app_unit(name));
    }
    let one = |program: Program| {
        let file = path.strip_prefix(&program.folder())?.strip_prefix('/')?;
        let interface = file.strip_suffix(".json").filter(|interface| is_exit(interface))?;
        Some(program.unit(interface))
    };
    PROGRAMS.into_iter().find_map(one)
}

/// The interface of the exit by OpenVPN that a unit is for.
pub fn interface_of_openvpn(unit: &str) -> Option<&str> {
    let interface = unit.strip_prefix("pic-openvpn@")?.strip_suffix(".service")?;
    (OPENVPN.unit(interface) == unit && is_exit(interface)).then_some(interface)
}

/// The unit that makes the userspace WireGuard device of an interface.
pub fn wireguard_unit(interface: &str) -> String {
    if interface == WIREGUARD_INTERFACE {
        UNIT_WIREGUARD.to_owned()
    } else {
        format!("{UNIT_WIREGUARD_EXIT}{interface}.service")
    }
}

/// The interface that a unit of userspace WireGuard makes.
pub fn interface_of_unit(unit: &str) -> Option<&str> {
    if unit == UNIT_WIREGUARD {
        return Some(WIREGUARD_INTERFACE);
    }
    let interface = unit.strip_prefix(UNIT_WIREGUARD_EXIT)?.strip_suffix(".service")?;
    is_exit(interface).then_some(interface)
}
