//! Apps: cables between the cell and network namespaces, and what those are made from.
//!
//! The unit of an app makes the cable and holds the namespace, without the agent, too; the cell's end is like any other
//! interface of ours. What an app's packets may do is what those of a LAN may.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::lan::{APP_HOST6, App};
use pic_model::snapshot::app::{AppSnapshot, VERSION};
use pic_model::{Desired, address};

use super::{MTU, Resolved};
use crate::marks;
use crate::target::file::File;
use crate::target::link::{Kind, Link};

/// Those that are switched on.
fn apps<'a, 'd>(lans: &'a [Resolved<'d>]) -> impl Iterator<Item = (&'a Resolved<'d>, App)> {
    let all = lans.iter().filter_map(|lan| Some((lan, lan.lan.app?)));
    all.filter(|(_, app)| app.enabled)
}

/// The cell's ends.
pub(in crate::compile) fn links(lans: &[Resolved<'_>]) -> BTreeMap<String, Link> {
    let one = |(lan, _): (&Resolved<'_>, App)| {
        let addresses = lan.cell_addresses().collect();
        (lan.device.clone(), Link { kind: Kind::Veth, mtu: MTU, up: true, addresses, parent: None })
    };
    apps(lans).map(one).collect()
}

/// What their namespaces are made from, and whom programs in them ask for names.
pub(in crate::compile) fn files(lans: &[Resolved<'_>], desired: &Desired) -> BTreeMap<String, File> {
    let zone = desired.cell.name.zone();
    let mut files = BTreeMap::new();
    for (lan, app) in apps(lans) {
        let v4 = Ipv4Net::new_assert(app.address, lan.lan.ipv4.prefix_len());
        let v6 = lan.net6.map(|net| Ipv6Net::new_assert(address::join_v6(net, APP_HOST6), net.prefix_len()));
        let gateways: Vec<_> = lan.cell_addresses().map(|net| net.addr()).collect();
        let servers = gateways.iter().map(|server| format!("nameserver {server}\n"));
        let resolv = format!(
            "# Made by PIC; see cell.toml(5), [[app]].\n{}search {zone}\n",
            servers.collect::<String>()
        );
        let snapshot = AppSnapshot {
            version: VERSION,
            outer: lan.device.clone(),
            mtu: MTU,
            addresses: std::iter::once(IpNet::V4(v4)).chain(v6.map(IpNet::V6)).collect(),
            gateways,
        };
        // Plain data always serialises; an empty file would be refused by the service.
        let content = serde_json::to_vec(&snapshot).unwrap_or_default();
        files.insert(marks::app_file(lan.name), File { content, mode: 0o644 });
        let content = resolv.into_bytes();
        files.insert(marks::app_resolv_conf(lan.name), File { content, mode: 0o644 });
    }
    files
}
