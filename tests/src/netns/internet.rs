//! A small internet, ready to use.
//!
//! ```text
//!   outside ──────── provider ──┬── cell            (public addresses, as on a VPS)
//!   web, UDP echo,              │
//!   names                       └── router ── client (v4 behind NAT, v6 by a routed prefix)
//! ```
//!
//! The cell's place is a namespace: a test runs our programs in it, or boots a container into it, or plugs a
//! VM into [`Internet::public`] instead.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};

use super::{Lan, Namespace, veth};
use crate::dns::OutsideDns;
use crate::echo::Echo;
use crate::marker::Marker;
use crate::wait;

/// Addresses of the small internet, all from ranges reserved for documentation and private use.
pub mod address {
    /// The outside host, which serves web and echo.
    pub const OUTSIDE: [&str; 2] = ["198.51.100.10", "2001:db8:f::10"];
    /// The outside name server.
    pub const OUTSIDE_DNS: [&str; 2] = ["198.51.100.53", "2001:db8:f::53"];
    /// The provider's router as the outside sees it.
    pub const PROVIDER_OUT: [&str; 2] = ["198.51.100.1", "2001:db8:f::1"];
    /// The provider's router as its customers see it: their default gateway.
    pub const PROVIDER: [&str; 2] = ["203.0.113.1", "2001:db8:1::1"];
    /// The cell.
    pub const CELL: [&str; 2] = ["203.0.113.10", "2001:db8:1::10"];
    /// The outer side of the client's router.
    pub const ROUTER: [&str; 2] = ["203.0.113.20", "2001:db8:1::20"];
    /// The inner side of the client's router: the client's default gateway.
    pub const HOME: [&str; 2] = ["192.168.50.1", "2001:db8:2::1"];
    /// The client.
    pub const CLIENT: [&str; 2] = ["192.168.50.10", "2001:db8:2::10"];
    /// Lengths of all prefixes above, v4 and v6.
    pub const PREFIX: [u8; 2] = [24, 64];
    /// The name that the outside name server knows for the outside host.
    pub const OUTSIDE_NAME: &str = "www.outside.example";
    /// More addresses of the outside host: those of `a.stream`, and of `edge`, which `film.stream` is an alias of, in
    /// `outside.example`. They may be kept for a quarter of an hour.
    pub const STREAMS: [[&str; 2]; 2] =
        [["198.51.100.20", "2001:db8:f::20"], ["198.51.100.21", "2001:db8:f::21"]];
    /// Port of the outside web server.
    pub const HTTP: u16 = 80;
    /// Port of the outside UDP echo.
    pub const ECHO: u16 = 7;
}
use address::{
    CELL, CLIENT, ECHO, HOME, HTTP, OUTSIDE, OUTSIDE_DNS, PREFIX, PROVIDER, PROVIDER_OUT, ROUTER, STREAMS,
};

/// The running internet. Fields are dropped in this order: servers before the namespaces they run in.
#[derive(Debug)]
pub struct Internet {
    /// Web server and UDP echo of the outside host; knows who asked.
    pub echo: Echo,
    /// The outside name server, if this machine has dnsmasq; knows what was asked.
    pub dns: Option<OutsideDns>,
    /// The host out there.
    pub outside: Namespace,
    /// The provider's router.
    pub provider: Namespace,
    /// The provider's network, on which the cell is.
    pub public: Lan,
    /// The cell's place: `eth0` with its public addresses and default routes.
    pub cell: Namespace,
    /// The client's NAT router.
    pub router: Namespace,
    /// The client: `eth0` with private v4, public v6.
    pub client: Namespace,
}

impl Internet {
    /// Builds it; about half a second.
    pub fn start() -> Result<Self> {
        let [outside, provider, cell, router, client] =
            ["outside", "provider", "cell", "router", "client"].map(Namespace::new);
        let (outside, provider, cell) = (outside?, provider?, cell?);
        let (router, client) = (router?, client?);
        let public = Lan::new("public")?;

        veth(&outside, "eth0", &provider, "out")?;
        addresses(&outside, "eth0", OUTSIDE)?;
        addresses(&outside, "eth0", OUTSIDE_DNS)?;
        STREAMS.into_iter().try_for_each(|both| addresses(&outside, "eth0", both))?;
        addresses(&provider, "out", PROVIDER_OUT)?;
        gateways(&outside, PROVIDER_OUT)?;

        public.plug(&provider, "customers")?;
        addresses(&provider, "customers", PROVIDER)?;
        provider.forward()?;
        provider.route("2001:db8:2::/64", ROUTER[1])?;

        public.plug(&cell, "eth0")?;
        addresses(&cell, "eth0", CELL)?;
        gateways(&cell, PROVIDER)?;

        // As many hosts are set, with ufw among others: the kernel checks the way back of each packet (RFC 3704).
        cell.run("sysctl -qw net.ipv4.conf.all.rp_filter=1")?.ok()?;

        public.plug(&router, "wan")?;
        addresses(&router, "wan", ROUTER)?;
        gateways(&router, PROVIDER)?;
        veth(&router, "lan", &client, "eth0")?;
        addresses(&router, "lan", HOME)?;
        router.forward()?;
        router.nft(HOME_ROUTER_RULES)?;
        addresses(&client, "eth0", CLIENT)?;
        gateways(&client, HOME)?;

        for host in [&outside, &cell, &client] {
            host.set_resolv_conf(&resolv_conf())?;
        }
        let echo = Echo::start(&outside, &outside_sockets()?)?;
        let dns = OutsideDns::start_if_possible(&outside)?;
        Ok(Self { echo, dns, outside, provider, public, cell, router, client })
    }

    /// Unplugs the namespace at the cell's place, so that a VM on [`Internet::public`] can take its addresses.
    pub fn free_place_of_cell(&self) -> Result<()> {
        self.cell.ip("link set eth0 down")?;
        Ok(())
    }

    /// The outside web server's socket address: `[v4, v6]`.
    pub fn web() -> Result<[SocketAddr; 2]> {
        sockets(OUTSIDE, HTTP)
    }

    /// The outside UDP echo's socket address: `[v4, v6]`.
    pub fn udp_echo() -> Result<[SocketAddr; 2]> {
        sockets(OUTSIDE, ECHO)
    }

    /// As whom the outside sees somebody, in a family (0: v4, 1: v6); `None` where no answer comes back in time.
    pub fn seen_as(who: &Namespace, family: usize, patience: Duration) -> Option<String> {
        let page = who.http_get(*Self::web().ok()?.get(family)?, "/", patience).ok()?;
        Some(page.trim_end().rsplit('\n').next()?.to_owned())
    }

    /// Lets somebody send to the outside, in both families, while `work` is done and a second longer. Fails where it hardly came
    /// to send, as nothing would follow from a silent wire.
    pub fn while_sending(who: &Namespace, secret: &Marker, work: impl FnOnce()) -> Result<()> {
        let echoes = Self::udp_echo()?;
        let stop = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    for echo in echoes {
                        // That the kernel refuses may be what is hoped for.
                        let _ = who.send_udp(echo, secret.bytes());
                        sent += 1;
                    }
                    wait::pause(Duration::from_millis(5));
                }
                sent
            });
            work();
            wait::pause(Duration::from_secs(1));
            stop.store(true, Ordering::Relaxed);
            sending.join()
        });
        let sent: usize = sent.map_err(|_| anyhow!("who sends has panicked"))?;
        ensure!(sent > 20, "only {sent} datagrams were tried");
        Ok(())
    }
}

/// What a common home router does: masquerade v4, let in only answers, both families.
const HOME_ROUTER_RULES: &str = r#"
table inet home {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "lan" accept
        meta l4proto ipv6-icmp icmpv6 type { packet-too-big, time-exceeded, parameter-problem } accept
    }
    chain out {
        type nat hook postrouting priority srcnat;
        meta nfproto ipv4 oifname "wan" masquerade
    }
}
"#;

fn addresses(host: &Namespace, interface: &str, addresses: [&str; 2]) -> Result<()> {
    for (address, prefix) in addresses.into_iter().zip(PREFIX) {
        host.address(interface, &format!("{address}/{prefix}"))?;
    }
    Ok(())
}

fn gateways(host: &Namespace, gateways: [&str; 2]) -> Result<()> {
    gateways.into_iter().try_for_each(|gateway| host.default_route(gateway))
}

fn resolv_conf() -> String {
    OUTSIDE_DNS.map(|server| format!("nameserver {server}\n")).concat()
}

fn sockets(addresses: [&str; 2], port: u16) -> Result<[SocketAddr; 2]> {
    let [v4, v6] = addresses.map(str::parse::<IpAddr>);
    Ok([SocketAddr::new(v4?, port), SocketAddr::new(v6?, port)])
}

fn outside_sockets() -> Result<Vec<IpAddr>> {
    OUTSIDE.into_iter().chain(STREAMS.into_iter().flatten()).map(|address| Ok(address.parse()?)).collect()
}
