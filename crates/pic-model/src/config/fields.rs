//! The one list of the fields of `cell.toml`: what the man page prints and what a misspelt field is compared with.

/// One field, as documented in `cell.toml`(5).
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Table it stands in: empty for the top level, `peer` for `[[peer]]`.
    pub table: &'static str,
    /// Name.
    pub name: &'static str,
    /// Type in words.
    pub kind: &'static str,
    /// What an absent field means; empty when it is needed.
    pub default: &'static str,
    /// What it is, in one or two sentences.
    pub about: &'static str,
}

macro_rules! fields {
    ($($table:literal . $name:literal : $kind:literal = $default:literal , $about:literal ;)*) => {
        &[$(Field { table: $table, name: $name, kind: $kind, default: $default, about: $about },)*]
    };
}

/// Every field, in the order of the man page.
pub const FIELDS: &[Field] = fields! {
    ""."version": "integer" = "1", "Version of this file's shape.";
    ""."cell": "table" = "", "Identity of the cell.";
    ""."uplink": "table" = "automatic", "The way to the internet.";
    ""."wireguard": "table" = "all defaults", "The network of the peers.";
    ""."group": "list of tables" = "none", "Groups that devices may be in, one [[group]] each.";
    ""."exit": "list of tables" = "none", "Named ways to the internet, one [[exit]] each.";
    ""."egress": "list of tables" = "none", "Exits by destination, one [[egress]] each; the first that fits counts.";
    ""."peer": "list of tables" = "none", "Devices, one [[peer]] each.";
    ""."lan": "list of tables" = "none", "Networks on the host's own interfaces, one [[lan]] each.";
    ""."subnet": "list of tables" = "none", "Networks behind routers on the LANs, one [[subnet]] each.";
    ""."reservation": "list of tables" = "none", "Addresses kept for devices of the LANs, one [[reservation]] each.";
    ""."apps": "table" = "all defaults", "The network that apps have their addresses of.";
    ""."app": "list of tables" = "none", "Programs of this host with a network namespace of their own, one [[app]] each.";
    ""."dns": "table" = "all defaults", "Names.";
    ""."time": "table" = "all defaults", "Time, for the devices of the cell.";
    ""."firewall": "table" = "all defaults", "What the cell's table does with packets to the host itself.";
    ""."service": "list of tables" = "none", "Named targets of grants, one [[service]] each. A service is NAME.CELL.cell for those who may reach it.";
    ""."grant": "list of tables" = "none", "Who may reach what, one [[grant]] each, beside the allow of peers and LANs. What nothing grants is refused.";
    ""."forward": "list of tables" = "none", "Ports of the cell that lead to a host behind it, one [[forward]] each.";
    ""."test": "list of tables" = "none", "What must be reachable and what must not, one [[test]] each. Each change is judged by them before anything is applied, and one that fails a test is refused.";
    "cell"."name": "name" = "", "One DNS label. The cell's zone is NAME.cell.";
    "cell"."domain": "domain" = "none", "Public name of the cell; peers dial it when no endpoint is set.";
    "cell"."timezone": "time zone" = "\"UTC\"", "Whose clock schedules mean, as \"Europe/Paris\".";
    "group"."name": "name" = "", "One label, unlike that of every peer and LAN. It may stand wherever peers are named.";
    "group"."exit": "list of exits" = "none", "As peer.exit, for the peers of the group that have none of their own.";
    "group"."quota": "quota" = "none", "As peer.quota, for each of the peers of the group that have none of their own.";
    "group"."rate": "rate" = "none", "As peer.rate, for each of the peers of the group that have none of their own.";
    "exit"."name": "name" = "", "One label. It may stand wherever a way out is named.";
    "exit"."kind": "\"wireguard\", \"openvpn\", \"tor\", \"socks5\", \"http\" or \"cell\"" = "", "What it is: a WireGuard tunnel to a provider; an OpenVPN tunnel to one, by Debian's openvpn; the Tor network, by Debian's tor; a proxy that speaks SOCKS5, or HTTP with CONNECT; or another cell that offers its internet. Tor and proxies carry TCP and names while all else is stopped.";
    "exit"."file": "file name" = "", "For kind = \"wireguard\", \"openvpn\" and \"cell\": the provider's file, or that of the other cell, in /var/lib/pic/secrets/exits, where `picctl exit add` puts it. Keys are there and nowhere else.";
    "exit"."proxy": "host:port" = "", "For kind = \"socks5\" and \"http\": where the proxy is.";
    "exit"."credentials": "file name" = "none", "For kind = \"socks5\" and \"http\": the file with user and password, in /var/lib/pic/secrets/exits, where `picctl exit add --credentials` puts it.";
    "exit"."dns": "address" = "the first of the cell's resolvers that is on the internet", "For kind = \"socks5\" and \"http\": who is asked for names through the proxy, as one of dns.upstreams: \"9.9.9.9\", \"tls://9.9.9.9\" or \"https://9.9.9.9/dns-query\".";
    "exit"."listen": "integer" = "none", "For kind = \"cell\": UDP port at which the other cell dials this one, where it cannot be dialled itself.";
    "exit"."fail": "\"closed\" or \"open\"" = "\"closed\"", "What becomes of packets when this is the last of a list of exits and none of them works. Closed: they are stopped. Open: they leave by the uplink, in clear.";
    "exit"."enabled": "boolean" = "true", "One that is switched off counts as one that does not work.";
    "egress"."from": "name or list" = "all peers and LANs", "Whom it is for: a peer, a group (its peers), a LAN with the subnets behind it, or \"peers\" for all of them.";
    "egress"."to": "destination or list" = "", "What is sent there leaves by `exit`, whatever exit the sender has else: names as \"www.video.example\", all names beneath one as \"*.video.example\", networks and addresses of the internet as \"203.0.113.0/24\". Addresses of names are taken from the answers that the cell gives to questions for them, before these are given.";
    "egress"."exit": "list of exits" = "", "As peer.exit. Questions for the names leave by the same exit.";
    "uplink"."interface": "interface" = "\"auto\"", "Interface toward the internet; \"auto\" is the one of the default route.";
    "uplink"."prefix": "word or prefix" = "\"auto\"", "IPv6 prefix out of which LANs with ipv6 = \"auto\" have a network each. \"auto\" asks the provider for one (DHCPv6 prefix delegation) unless another DHCPv6 client of this host is at work, \"ask\" in any case, \"off\" never; or the prefix itself, where the provider routes it to this host.";
    "uplink"."upload": "rate" = "none", "What the line carries to the internet in a second, as \"40mbit\"; a little less than it does carry is best. Where it is said, what leaves by the uplink waits in the host, shared fairly among the devices that send, not in the router or the modem, where whoever sends most has most.";
    "uplink"."download": "rate" = "none", "The same of what comes from the internet: each of the cell's own networks, that of the peers and each LAN, is sent so much at most, shared fairly among the devices there.";
    "wireguard"."port": "integer" = "51820", "UDP port that peers dial.";
    "wireguard"."ipv4": "network" = "\"10.77.0.0/16\"", "The peers' IPv4 network. The cell is its first host.";
    "wireguard"."ipv6": "network" = "\"auto\"", "The peers' IPv6 /64; \"auto\" is a /64 of the cell's own ULA, \"off\" is none.";
    "wireguard"."endpoint": "host or host:port" = "\"auto\"", "What peers dial; \"auto\" is the domain, else the uplink's address.";
    "wireguard"."mtu": "integer" = "1420", "Bytes per packet inside the tunnel, 1280 to 1500.";
    "peer"."name": "name" = "", "One DNS label. The peer is NAME.CELL.cell.";
    "peer"."public_key": "key" = "", "The device's WireGuard public key, 44 characters of base64.";
    "peer"."address": "IPv4 address" = "given by the cell", "Inside wireguard.ipv4. One that is left out is given by the cell and written here when the file is applied.";
    "peer"."address6": "IPv6 address" = "the twin of address", "Inside wireguard.ipv6.";
    "peer"."allow": "list of \"internet\", \"cell\"" = "[\"internet\", \"cell\"]", "What it may reach; an empty list is nothing.";
    "peer"."groups": "list of groups" = "none", "Names of [[group]]s that it is in.";
    "peer"."exit": "list of exits" = "that of its group, else [\"direct\"]", "Ways to the internet in order of preference, as [\"nl\", \"direct\"]: the first that works counts, in both IP families, also for the names that it asks for. \"direct\" is the uplink; without it nothing leaves in clear while no exit works.";
    "peer"."quota": "quota" = "that of its group, else none", "What it may send to the internet and receive from it together, as \"50GB/month\" or \"2GiB/day\". When that is used up the internet is taken away, and the cell and its networks are still reached, until the day or month ends on the clock of cell.timezone.";
    "peer"."rate": "rate" = "that of its group, else none", "How fast it may send to the internet, and receive from it, as \"20mbit\": bits in a second, in each way, of both IP families together. What comes faster is dropped.";
    "peer"."endpoint": "host or host:port" = "none", "Where the cell dials the peer, as another cell with an exit that listens (exit.listen). Without it the peer dials.";
    "peer"."offer": "boolean" = "false", "This peer is another cell, which leaves by this one's internet. It leaves by no exit of kind \"cell\", so that no packet goes round between cells, and [[egress]] is not about it.";
    "peer"."expires": "date or time" = "never", "As 2027-01-01 or 2027-01-01T12:00:00Z; afterwards the peer is refused.";
    "peer"."enabled": "boolean" = "true", "A disabled peer keeps its address and loses its way in.";
    "peer"."preshared": "boolean" = "true", "Whether a preshared key, derived by the cell, is mixed into the handshake.";
    "lan"."name": "name" = "", "One label. Its hosts are in the cell's zone.";
    "lan"."interface": "interface" = "", "The host's interface; for a VLAN, the one that carries it.";
    "lan"."vlan": "integer" = "none", "Number of a VLAN, 1 to 4094. The cell makes its interface, picNUMBER.";
    "lan"."ipv4": "address/length" = "", "The cell's own address in it and the length of the network.";
    "lan"."ipv6": "network" = "\"auto\"", "Its IPv6 /64; \"auto\" is one of the cell's own ULA, \"off\" is none.";
    "lan"."allow": "list of \"internet\", \"cell\"" = "[\"internet\", \"cell\"]", "What its hosts may reach beside addresses, names and the time; an empty list is nothing.";
    "lan"."exit": "list of exits" = "[\"direct\"]", "As peer.exit, for all hosts of the LAN and of the subnets behind it.";
    "lan"."uplink": "boolean" = "false", "This is the network that the host itself is in, behind a router of its own: the cell hands out addresses and names there, and changes nothing else. `ipv4` is then the address that the host has already.";
    "lan"."dhcp": "table" = "off", "Hands out IPv4 addresses. Where another server answers already, it waits and says so.";
    "lan.dhcp"."pool": "range or list of ranges" = "", "Addresses to hand out, as \"192.168.40.100-192.168.40.199\".";
    "lan.dhcp"."lease": "time" = "\"12h\"", "How long a device keeps its address without asking again: \"30m\", \"12h\", \"7d\".";
    "lan.dhcp"."beside_another": "boolean" = "false", "Serve even though another server answers on this network.";
    "lan.dhcp"."boot": "list of tables" = "none", "Files for some of the devices that boot from the network, one [[lan.dhcp.boot]] each; the first that fits counts.";
    "lan.dhcp"."options": "table" = "none", "What devices are told beside their address; router, dns, domain and broadcast are told anyway.";
    "lan"."dhcp6": "table" = "off", "Hands out IPv6 addresses (DHCPv6); {} is enough. Without it devices make their own and are told the rest.";
    "lan.dhcp6"."pool": "range or list of ranges" = "\"::1000-::ffff\"", "What follows the prefix in the addresses to hand out; a device has its address in each prefix of the LAN.";
    "lan.dhcp6"."lease": "time" = "\"12h\"", "How long a device keeps its address without asking again.";
    "lan.dhcp6"."slaac": "boolean" = "true", "Whether devices may make addresses of their own, too. Some, as Android ones, can do nothing else.";
    "lan.dhcp6"."preference": "integer" = "0", "0 to 255; where several servers answer, devices take the highest.";
    "lan.dhcp6"."delegate": "prefix length" = "62", "What a router among the devices is given when it asks for a prefix of its own (DHCPv6 prefix delegation), out of the uplink's as far as that reaches: 48 to 64. 0 gives none.";
    "lan.dhcp6"."ntp": "address, name or list" = "the cell, where it serves time", "Options 56 (RFC 5908) and 31 (addresses only), for those that ask for them; an empty list is none.";
    "lan.dhcp.options"."router": "address or list" = "the cell", "Option 3; an empty list is none.";
    "lan.dhcp.options"."dns": "address or list" = "the cell", "Option 6.";
    "lan.dhcp.options"."domain": "domain" = "the cell's zone", "Option 15; \"\" is none.";
    "lan.dhcp.options"."search": "domain or list" = "the cell's zone", "Option 119.";
    "lan.dhcp.options"."ntp": "address or list" = "the cell, where it serves time", "Option 42; an empty list is none.";
    "lan.dhcp.options"."mtu": "integer" = "none", "Option 26.";
    "lan.dhcp.options"."routes": "route or list" = "none", "Option 121, as \"10.0.0.0/8 via 192.168.40.2\"; the default route is added to them.";
    "lan.dhcp.options"."next-server": "address" = "none", "Where a device that boots from the network fetches its file (siaddr).";
    "lan.dhcp.options"."boot-file": "text" = "none", "Option 67.";
    "lan.dhcp.options"."tftp-server": "text" = "none", "Option 66.";
    "lan.dhcp.options"."captive-portal": "text" = "none", "Option 114, the URI of the portal's API (RFC 8910); told by DHCPv6 (103) and router advertisements, too.";
    "lan.dhcp.options"."vendor-class": "text" = "none", "Option 60.";
    "lan.dhcp.options"."vendor": "bytes" = "none", "Option 43, as \"01:04:c0:a8:28:05\".";
    "lan.dhcp.options"."224": "typed text" = "none", "Any option by its number: \"text:…\", \"hex:01:02\", \"ip:192.168.40.5\", \"u8:1\", \"u16:1\" or \"u32:1\".";
    "lan.dhcp.boot"."file": "text" = "", "The file.";
    "lan.dhcp.boot"."architecture": "name or list" = "all", "Whom it is for by option 93: \"bios\", \"uefi-x86\", \"uefi-x64\", \"uefi-arm\", \"uefi-arm64\", \"uefi-riscv64\", \"http-x64\", \"http-arm64\", or a number.";
    "lan.dhcp.boot"."user_class": "text" = "all", "Whom it is for by option 77, as \"iPXE\".";
    "lan.dhcp.boot"."next_server": "address" = "as for the others", "Where the file is.";
    "subnet"."name": "name" = "", "One label, that no LAN has.";
    "subnet"."lan": "name" = "", "The [[lan]] that its router is on.";
    "subnet"."via": "address" = "", "The router's address in that LAN. The cell sends there what is for the subnet.";
    "subnet"."ipv4": "network" = "", "The subnet. Its router relays questions for addresses to the cell.";
    "subnet"."allow": "list of \"internet\", \"cell\"" = "[\"internet\", \"cell\"]", "As lan.allow.";
    "subnet"."dhcp": "table" = "off", "As lan.dhcp, with the same fields; options.router is needed.";
    "reservation"."lan": "name" = "", "Name of a [[lan]] or [[subnet]].";
    "reservation"."mac": "hardware address" = "none", "The device's, as \"00:11:22:33:44:55\". This or client_id is needed.";
    "reservation"."client_id": "bytes" = "none", "What the device calls itself (option 61), as \"ff:00:01:a2\".";
    "reservation"."duid": "bytes" = "none", "What the device calls itself in DHCPv6, as \"00:03:00:01:02:00:00:00:00:01\". Without it the hardware address tells, where it is known.";
    "reservation"."address6": "host part" = "none", "What follows the prefix in its IPv6 addresses, as \"::10\"; it may lie outside the pools. Handed out where the LAN has dhcp6.";
    "reservation"."address": "IPv4 address" = "", "Its address, inside the LAN; it may lie outside the pools.";
    "reservation"."name": "name" = "none", "One DNS label. The device is NAME.CELL.cell, also before it was ever seen.";
    "reservation"."groups": "list of groups" = "none", "Names of [[group]]s that the device is in. It is told by its kept addresses, so not while it asks from one that it made by itself.";
    "apps"."ipv4": "network" = "\"10.79.0.0/16\"", "/16 to /28; each app has four addresses of it. It must overlap nothing that this host routes.";
    "app"."name": "name" = "", "One DNS label. The app is NAME.CELL.cell, its namespace that of the unit pic-app@NAME.service, and its name may stand wherever a LAN is named. It reaches names and the time of the cell, and nothing else that no [[grant]] gives it.";
    "app"."address": "IPv4 address" = "follows from the name", "The second host of four addresses of apps.ipv4, as 10.79.0.2, 10.79.0.6, 10.79.0.10. The first is the cell.";
    "app"."ipv6": "network" = "\"auto\"", "Its IPv6 /64, in which the app is ::2; \"auto\" is one of the cell's own ULA, \"off\" is none.";
    "app"."exit": "list of exits" = "[\"direct\"]", "As peer.exit.";
    "app"."enabled": "boolean" = "true", "One that is switched off keeps its address and has no namespace.";
    "dns"."host": "boolean" = "true, where it can be done cleanly", "Whether the host itself asks the cell for names: once the cell answers, and only as long as it does. What the host asked before stays as its second choice and comes back when the cell goes. Written as true, a host where that cannot be done is reported as degraded.";
    "dns"."upstreams": "list of addresses" = "the host's own resolvers", "Where names outside the cell are asked, in order: \"9.9.9.9\", \"[2620:fe::fe]:53\", \"tls://9.9.9.9\" or \"https://9.9.9.9/dns-query\". The name of the certificate may follow: \"tls://9.9.9.9#dns.example.org\".";
    "dns"."dnssec": "boolean" = "true where the upstreams hand signatures on", "Validate answers from upstreams (DNSSEC): names in signed zones are answered only if the signatures prove the answer. Written out as true, nothing is answered where no upstream hands signatures on, as some home routers do not; left out, such answers are given unvalidated, and `picctl doctor` says so. Zones of [[dns.forward]] and names beneath `private` are taken as they come, unless trust_anchor has an anchor for them.";
    "dns"."trust_anchor": "path" = "the built-in keys of the internet's root", "A file that everybody may read, of DS or DNSKEY records in one line each: what is trusted instead. The file is read again when it changes.";
    "dns"."private": "list of names" = "none", "Names beneath these may have private addresses although they come from outside, which is otherwise taken for an attack (DNS rebinding).";
    "dns"."record": "list of tables" = "none", "Records of your own, one [[dns.record]] each.";
    "dns"."forward": "list of tables" = "none", "Zones that are asked elsewhere, one [[dns.forward]] each.";
    "dns"."blocklist": "list of tables" = "none", "Lists of names that are not answered, one [[dns.blocklist]] each.";
    "dns"."allow": "list of names" = "none", "Names that no list blocks, with everything beneath them.";
    "dns"."query_log": "integer" = "0", "So many of the last questions are kept to be looked at with `picctl dns log`, at most 50000: who asked for what, and how it was treated. They are in the name server's memory only, never on disk, and gone with it or with this line.";
    "dns"."tls": "table" = "off", "Answers clients that ask by TLS, at the same addresses and with the same answers as by UDP: DNS over TLS at port 853, and by HTTPS where `https` says so.";
    "dns"."outside": "boolean" = "false", "Answers anybody on the internet at the uplink's addresses, for records that are for \"outside\" and for nothing else: names of others are refused, and each network is answered only so often.";
    "dns.tls"."certificate": "path" = "", "The certificate with those that vouch for it, PEM, as certbot's fullchain.pem. It must have the name or address that devices are told to ask. It is read again when it changes.";
    "dns.tls"."key": "path" = "", "Its key, PEM. It may be readable by root alone, and then must belong to root. The agent hands a copy to the name server.";
    "dns.tls"."https": "boolean" = "false", "Also answer DNS over HTTPS, as browsers ask: https://NAME/dns-query.";
    "dns.tls"."https_port": "integer" = "443", "Its TCP port.";
    "dns.record"."name": "name" = "", "In the cell's zone: \"printer\" is printer.CELL.cell, \"@\" the zone itself, \"*.apps\" every name beneath apps. Names under in-addr.arpa and ip6.arpa may have PTR records.";
    "dns.record"."type": "record type" = "", "A, AAAA, CAA, CNAME, HTTPS, MX, NS, PTR, SRV, SSHFP, SVCB, TLSA or TXT.";
    "dns.record"."value": "text" = "", "As in a zone file. A name of one label is in the cell's zone, any other is a full name. A TXT needs no quotes. NS hands what is beneath the name to a server whose address is a record of the zone.";
    "dns.record"."ttl": "integer" = "60", "Seconds an answer may be kept, at most 604800.";
    "dns.record"."for": "list of \"peers\", \"outside\", peers, groups and LANs" = "everyone who may reach the cell", "Who sees the record; \"outside\" is anybody on the internet, once dns.outside is true. Where several of a name and type fit, the one for the fewest counts: so a name has another address for some.";
    "dns.forward"."zone": "name" = "", "Everything beneath this name is asked at its own upstreams.";
    "dns.forward"."upstreams": "list of addresses" = "", "As dns.upstreams.";
    "dns.blocklist"."name": "name" = "", "What the list is called where it shows up.";
    "dns.blocklist"."source": "https address or path" = "", "Where it is: https://…, fetched once a day by the name server itself, or a file that everybody may read, followed as it changes. A hosts file, a list of domains, or an adblock list, of which the rules for whole hosts count. Each name blocks what is beneath it, too.";
    "dns.blocklist"."for": "list of \"peers\", peers, groups and LANs" = "all peers", "Whom it is for.";
    "dns.blocklist"."when": "schedule or list of schedules" = "always", "When it counts, on the clock of cell.timezone: \"mon-fri 20:00-07:00\", \"daily 08:00-20:00\", \"sat,sun\". A time that ends before it begins ends on the next day.";
    "time"."upstreams": "list of servers" = "four public servers of different operators, with NTS", "Where the cell has the time from: \"nts://time.example.org\", which is authenticated, or \"ntp://192.168.1.1\", which is not. A port may follow.";
    "time"."serve": "boolean" = "true", "Whether peers and LANs can ask the cell for the time. It is served once Debian's package chrony is installed, and DHCP then hands the cell out as their time server.";
    "firewall"."inbound": "\"closed\" or \"open\"" = "\"closed\"", "Closed: only ssh, WireGuard, what the cell serves and `open` are reachable from outside. Open: the cell's table leaves packets to the host alone.";
    "firewall"."ssh": "list of ports" = "[22]", "TCP ports of the host's sshd, reachable in every stance.";
    "firewall"."admin": "list of addresses" = "none", "Addresses whose ssh is accepted before anything else is looked at.";
    "firewall"."open": "list of ports" = "none", "Further ports reachable from outside, as \"tcp/443\" or \"udp/3478\".";
    "firewall"."limit": "limit" = "\"50/second burst 200\"", "New connections that one source outside may begin with what the cell serves there: the WireGuard port, `open` ports and [[forward]]s. A source is an address in IPv4 and a /64 in IPv6. What is beyond is dropped and counted; addresses of `admin` and connections that are known already are not meant. \"off\" is any number.";
    "firewall"."limit_ssh": "limit" = "\"30/minute\"", "The same of connections to the ssh ports.";
    "service"."name": "name" = "", "One label, unlike that of every peer, group, LAN and reservation.";
    "service"."host": "host" = "", "Who offers it: a peer, a reservation, an address, or \"cell\". A name follows its address.";
    "service"."ports": "list of ports" = "the whole host", "Where, as \"tcp/445\" or \"udp/5000-5010\".";
    "grant"."from": "name or list" = "", "Who may: a peer, a group (its peers and reservations), a LAN or subnet (its hosts), a reservation, or \"peers\" for all of them.";
    "grant"."to": "target or list" = "", "Reach what: a service, a peer, the members of a group, a LAN, a reservation, an address or network, each with a port as \"nas:445\" or \"nas:udp/5000-5010\" or without one for all of it; \"internet\"; \"cell\" for what the cell itself serves, or of that only \"dns\", \"time\", \"ssh\" or \"ping\"; \"peers\" for all of them.";
    "grant"."when": "schedule or list" = "always", "When it counts, on the clock of cell.timezone: \"daily 08:00-20:00\", \"mon-fri 20:00-07:00\", \"sat,sun\". Connections end with it.";
    "grant"."expires": "date or time" = "never", "As 2027-01-01 or 2027-01-01T12:00:00Z; afterwards it does not count.";
    "grant"."name": "name" = "none", "What lists and `picctl who` call it.";
    "forward"."listen": "port" = "", "Port of the cell toward the internet, as \"tcp/8443\". Devices of the cell's own networks reach it by the same address.";
    "forward"."to": "host:port" = "", "Where it leads, as \"nas:443\": a peer, a reservation or an address in a network of the cell.";
    "forward"."from": "list of networks" = "everyone", "Whose connections are taken, as \"203.0.113.0/24\".";
    "test"."from": "host" = "", "Who begins the connection: a peer, a LAN (any of its hosts), a reservation, an address, \"internet\" or \"cell\".";
    "test"."to": "host or host:port" = "", "Where it leads: the same, with a port as in \"nas:445\" or \"cell:udp/53\"; without one a ping is meant.";
    "test"."expect": "\"allowed\" or \"blocked\"" = "", "What must come of it, in every IP family that both ends have.";
};

/// The known field of a table that is nearest to a misspelt one, if any is near.
pub(super) fn nearest(table: &str, name: &str) -> Option<&'static str> {
    // Those have the same fields.
    let table = table.replace("subnet.dhcp", "lan.dhcp");
    near(FIELDS.iter().filter(|field| field.table == table).map(|field| field.name), name)
}

/// The one of `known` that is nearest to a misspelt one, if any is near.
pub(super) fn near<'k>(known: impl Iterator<Item = &'k str>, name: &str) -> Option<&'k str> {
    if name.len() > 64 {
        return None;
    }
    known
        .map(|known| (distance(known, name), known))
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3))
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_misspelt_fields() {
        assert_eq!(nearest("peer", "adress"), Some("address"));
        assert_eq!(nearest("wireguard", "listen_port"), None);
        assert_eq!(nearest("", "peers"), Some("peer"));
        assert_eq!(nearest("peer", &"x".repeat(100_000)), None);
    }
}
