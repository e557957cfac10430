//! The targets, in one table.

mod api;
mod client;
mod dhcp;
mod dns;
mod host;
mod ledger;
mod model;
mod openvpn;
mod proxy;
mod time;
mod tor;

/// A reader of foreign bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Who writes what it reads.
    pub from: &'static str,
    /// Reads the input and checks what must hold whatever it is.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "config", from: "the owner, in cell.toml", run: model::config },
    Target { name: "edit", from: "picctl and the API, changing cell.toml", run: model::edit },
    Target { name: "schedule", from: "the owner, in cell.toml", run: model::schedule },
    Target { name: "provider-file", from: "providers of exits, in files for wg-quick", run: model::provider },
    Target { name: "openvpn-file", from: "providers of exits, in files for openvpn", run: openvpn::file },
    Target { name: "openvpn-report", from: "openvpn, which hears strangers", run: openvpn::report },
    Target {
        name: "egress",
        from: "the owner, pic-dns and a damaged disk, in egress.json",
        run: model::egress,
    },
    Target { name: "ledger", from: "a damaged disk, in the ledger's folder", run: ledger::open },
    Target { name: "dns-query", from: "clients, to pic-dns", run: dns::query },
    Target { name: "dns-frames", from: "clients and upstreams, by TCP", run: dns::frames },
    Target { name: "dns-stream", from: "clients, on a connection to pic-dns", run: dns::stream },
    Target { name: "dns-doh", from: "clients, by HTTPS to pic-dns", run: dns::doh },
    Target { name: "dns-upstream", from: "upstream resolvers and forgers", run: dns::upstream },
    Target { name: "dns-snapshot", from: "a damaged disk, in zone.json", run: dns::snapshot },
    Target { name: "dhcp4", from: "devices on a LAN, to pic-dhcp", run: dhcp::message },
    Target { name: "dhcp4-talk", from: "a device on a LAN, message after message", run: dhcp::talk },
    Target { name: "dhcp6", from: "devices and relays on a LAN, message after message", run: dhcp::six },
    Target { name: "dhcp6-delegation", from: "servers on the uplink", run: dhcp::delegation },
    Target { name: "router-advertisement", from: "other routers on a LAN", run: dhcp::advertisement },
    Target { name: "dhcp-frame", from: "other hosts and servers on a LAN, as frames", run: dhcp::frame },
    Target { name: "dhcp-log", from: "a damaged disk, in leases.log", run: dhcp::log },
    Target { name: "dhcp-snapshot", from: "a damaged disk, in lans.json", run: dhcp::snapshot },
    Target { name: "lease-name", from: "what devices call themselves, into the zone", run: dhcp::name },
    Target { name: "dns-status", from: "pic-dns, in what it says about itself", run: dns::status },
    Target { name: "dns-zone-file", from: "the owner, in zone files to import", run: dns::zone_file },
    Target { name: "dns-blocklist", from: "the owner's files and those who write them", run: dns::blocklist },
    Target { name: "dns-https", from: "upstream resolvers, by HTTPS", run: dns::https },
    Target { name: "time-snapshot", from: "a damaged disk, in time.json", run: time::snapshot },
    Target { name: "tor-report", from: "tor, which hears strangers", run: tor::report },
    Target { name: "proxy-dialogue", from: "proxies of others, to pic-exit", run: proxy::dialogue },
    Target { name: "proxy-answer", from: "resolvers behind proxies of others", run: proxy::answer },
    Target { name: "chrony-report", from: "chronyd, which hears strangers", run: time::report },
    Target {
        name: "dns-dnssec",
        from: "upstream resolvers and forgers, in signed answers",
        run: dns::dnssec,
    },
    Target { name: "uapi", from: "a userspace WireGuard device", run: host::uapi },
    Target { name: "netlink", from: "the kernel, in dumps and notices", run: host::netlink },
    Target { name: "resolv", from: "other programs, in resolv.conf", run: host::resolv },
    Target { name: "api", from: "users of the API, in bodies", run: api::bodies },
    Target { name: "api-client", from: "whoever sits at the agent's socket", run: client::exchange },
];
