//! A cell with two LANs, a device behind a home router and one on the open internet.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pic_lab::cell::{Cell, Device};
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address::{OUTSIDE, PROVIDER};
use pic_lab::{Child, Internet, Namespace, wait};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// LANs begin with nothing; everything that passes is granted below.
pub(crate) const CELL_TOML: &str = r#"[cell]
name = "home"
[wireguard]
ipv6 = "fd00:77::/64"
[[group]]
name = "phones"
[[group]]
name = "screens"
[[lan]]
name = "guests"
interface = "eth1"
ipv4 = "192.168.41.1/24"
ipv6 = "fd00:41::/64"
allow = ["internet"]
[[lan]]
name = "family"
interface = "eth2"
ipv4 = "192.168.42.1/24"
ipv6 = "fd00:42::/64"
allow = []
[[reservation]]
lan = "guests"
mac = "02:00:00:00:41:77"
address = "192.168.41.77"
address6 = "::77"
name = "visitor"
[[reservation]]
lan = "family"
mac = "02:00:00:00:42:77"
address = "192.168.42.77"
address6 = "::77"
name = "nas"
[[service]]
name = "files"
host = "nas"
ports = ["tcp/8081"]
[[grant]]
from = ["phones"]
to = ["nas:8080", "guests"]
[[grant]]
from = ["screens"]
to = ["files", "phones:8080"]
[[grant]]
from = ["guests"]
to = ["files"]
[[grant]]
from = ["nas"]
to = ["screens", "192.168.41.0/24", "cell:8080", "ping"]
[[forward]]
listen = "tcp/9000"
to = "nas:8080"
[[forward]]
listen = "tcp/9001"
to = "nas:8081"
from = ["192.0.2.0/24", "192.168.41.0/24"]
"#;

/// The hosts and the wires between them.
pub(crate) struct Place {
    pub(crate) lab: Internet,
    pub(crate) tv: Namespace,
    pub(crate) visitor: Namespace,
    pub(crate) nas: Namespace,
    _lans: [Lan; 2],
}

/// What runs there. Fields are dropped in this order.
pub(crate) struct Scene<'p> {
    _servers: Vec<Child>,
    _devices: [Device<'p>; 2],
    pub(crate) cell: Cell,
}

pub(crate) fn serve(host: &Namespace, port: u16) -> Child {
    host.spawn(&format!("python3 -m http.server --bind :: {port}")).unwrap()
}

pub(crate) fn connects(from: &Namespace, to: IpAddr, port: u16) -> bool {
    from.http_get(SocketAddr::new(to, port), "/", SECOND).is_ok()
}

/// A host with a fixed address on a LAN of the cell.
fn settle(lab: &Internet, interface: &str, net: u8) -> (Lan, Namespace) {
    let lan = Lan::new(interface).unwrap();
    lan.plug(&lab.cell, interface).unwrap();
    let host = Namespace::new(interface).unwrap();
    lan.plug(&host, "eth0").unwrap();
    host.address("eth0", &format!("192.168.{net}.77/24")).unwrap();
    host.ip(&format!("address add fd00:{net}::77/64 dev eth0 nodad")).unwrap();
    for (family, gateway) in [("-4", format!("192.168.{net}.1")), ("-6", format!("fd00:{net}::1"))] {
        host.ip(&format!("{family} route replace default via {gateway} dev eth0")).unwrap();
    }
    (lan, host)
}

impl Place {
    pub(crate) fn new() -> Self {
        let lab = Internet::start().unwrap();
        let (guests, visitor) = settle(&lab, "eth1", 41);
        let (family, nas) = settle(&lab, "eth2", 42);
        let tv = Namespace::new("tv").unwrap();
        lab.public.plug(&tv, "eth0").unwrap();
        tv.address("eth0", "203.0.113.30/24").unwrap();
        tv.default_route(PROVIDER[0]).unwrap();
        Self { lab, tv, visitor, nas, _lans: [guests, family] }
    }
}

impl<'p> Scene<'p> {
    pub(crate) fn start(place: &'p Place) -> Self {
        let Place { lab, tv, visitor, nas, .. } = place;
        let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
        let phone = cell.add("phone", "--groups phones").unwrap();
        let phone = Device::connect(&lab.client, "phone", &phone).unwrap();
        let config = cell.add("tv", "--allow cell --groups screens --tunnel split").unwrap();
        assert!(config.contains("192.168.42.0/24"), "what it may reach is behind the tunnel: {config}");
        let tv_device = Device::connect(tv, "tv", &config).unwrap();
        let hosts = [&lab.cell, &lab.client, tv, visitor, nas];
        let servers = hosts.into_iter().map(|host| serve(host, 8080)).chain([serve(nas, 8081)]).collect();
        for host in hosts {
            let up = || connects(host, [127, 0, 0, 1].into(), 8080);
            wait::until(PATIENCE, "the servers", up).unwrap();
        }
        for (host, at) in [(&lab.client, OUTSIDE[0]), (tv, "10.77.0.1")] {
            let up = || host.ping(at, 1, None).is_ok_and(|pings| pings.all_back());
            wait::until(PATIENCE, "the tunnels", up).unwrap();
        }
        Self { _servers: servers, _devices: [phone, tv_device], cell }
    }

    pub(crate) fn picctl(&self, words: &str) -> String {
        self.cell.picctl(words).unwrap().ok().unwrap()
    }

    /// What the simulation says of a connection.
    pub(crate) fn says(&self, from: &str, to: IpAddr, port: u16) -> bool {
        let to = SocketAddr::new(to, port);
        self.picctl(&format!("why {from} {to} --json")).contains("\"allowed\":true")
    }
}
