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
/// Metric of unreachable routes: behind every other.
pub const METRIC_LAST: u32 = u32::MAX;
/// Unit of the DNS service.
pub const UNIT_DNS: &str = "pic-dns.service";
/// Unit of the userspace WireGuard device.
pub const UNIT_WIREGUARD: &str = "pic-wg.service";
/// Beginning of the names of units of userspace WireGuard devices of exits; the interface and `.service` follow.
pub const UNIT_WIREGUARD_EXIT: &str = "pic-wg@";
/// Beginning of the names of units of Tor exits; the interface and `.service` follow.
pub const UNIT_TOR: &str = "pic-tor@";
/// Folder of the snapshots of Tor exits, each named after the interface.
pub const FOLDER_TOR: &str = "/var/lib/pic/tor";
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

/// The unit of the Tor exit of an interface, and the snapshot that it works from.
pub fn tor(interface: &str) -> (String, String) {
    (format!("{UNIT_TOR}{interface}.service"), format!("{FOLDER_TOR}/{interface}.json"))
}

/// The unit that works from a file, if that is the snapshot of a Tor exit.
pub fn tor_of_file(path: &str) -> Option<String> {
    let interface = path.strip_prefix(FOLDER_TOR)?.strip_prefix('/')?.strip_suffix(".json")?;
    is_exit(interface).then(|| tor(interface).0)
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
