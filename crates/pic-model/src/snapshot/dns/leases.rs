//! Names of leases, beside those of the snapshot. What is written down goes first, then who was there first; whose name
//! is taken gets it with the end of its hardware address.

use std::net::IpAddr;

use super::{DnsSnapshot, Host, LeaseViews};
use crate::snapshot::dhcp::{LeaseName, LeaseNames};

impl DnsSnapshot {
    /// Adds the names of leases to the first zone. Only labels get in, and only addresses of those who may ask: whoever
    /// writes the file can name devices and nothing else.
    pub fn add_leases(&mut self, leases: &LeaseNames) {
        let (clients, shown) = (&self.clients, &self.leases);
        let Some(zone) = self.zones.first_mut().filter(|_| !leases.names.is_empty()) else { return };
        let is_client = |address: &IpAddr| clients.iter().any(|net| net.contains(address));
        let near = leases.names.iter().map(|lease| {
            let addresses = lease.addresses.iter().copied().filter(is_client).collect();
            LeaseName { addresses, ..lease.clone() }
        });
        let near = near.filter(|lease| !lease.addresses.is_empty()).collect();
        let leases = LeaseNames { version: leases.version, names: near };
        let suffix = format!(".{}", zone.name);
        let hosts = zone.hosts.iter().map(|host| host.name.as_str());
        let records = zone.records.iter().filter_map(|record| record.name.strip_suffix(&suffix));
        let settled = leases.settle(hosts.chain(records).collect());
        let named = leases.names.iter().zip(settled).filter_map(|(lease, name)| Some((lease, name?)));
        let new: Vec<_> = named
            .map(|(lease, name)| {
                let views = views_of(shown, &lease.addresses);
                Host { name: name.to_owned(), addresses: lease.addresses.clone(), views }
            })
            .collect();
        zone.hosts.extend(new);
    }
}

/// Who sees a lease with these addresses; nobody where others are named for all networks but its own.
fn views_of(shown: &[LeaseViews], addresses: &[IpAddr]) -> Option<Vec<u16>> {
    let is_in =
        |one: &&LeaseViews| one.networks.iter().any(|net| addresses.iter().any(|ip| net.contains(ip)));
    let found = shown.iter().find(is_in).map(|one| one.views.clone());
    if shown.is_empty() { None } else { Some(found.unwrap_or_default()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_goes_first() {
        let text = r#"{"version":1,"generation":0,"listen":[],"clients":["192.168.40.0/24","fd00:1::/64"],"upstreams":[],"reverse":[],
            "zones":[{"name":"home.cell","ttl":60,"hosts":[{"name":"nas","addresses":["192.168.40.10"]}]}]}"#;
        let mut snapshot: DnsSnapshot = serde_json::from_str(text).unwrap();
        let names = r#"{"version":1,"names":[
            {"name":"nas","otherwise":"nas-000001","addresses":["192.168.40.100","fd00:1::100","9.9.9.9"]},
            {"name":"phone","otherwise":"phone-000002","addresses":["192.168.40.101"]},
            {"name":"phone","otherwise":"phone-000003","addresses":["192.168.40.102"]},
            {"name":"a b","otherwise":"ns","addresses":["192.168.40.103"]},
            {"name":"far","otherwise":"far-1","addresses":["8.8.8.8"]}]}"#;
        let names: LeaseNames = serde_json::from_str(names).unwrap();
        snapshot.add_leases(&names);
        let found: Vec<_> = snapshot.zones[0].hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(found, ["nas", "nas-000001", "phone", "phone-000003"]);
        let addresses = &snapshot.zones[0].hosts[1].addresses;
        assert_eq!(
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["192.168.40.100", "fd00:1::100"]
        );
        snapshot.zones[0].hosts.clear();
        snapshot.leases =
            vec![LeaseViews { networks: vec!["192.168.40.0/24".parse().unwrap()], views: vec![3] }];
        snapshot.add_leases(&names);
        assert!(snapshot.zones[0].hosts.iter().all(|host| host.views == Some(vec![3])));
    }
}
