//! Names of services: each is another name of its host, for those who may reach it.

use std::net::IpAddr;

use pic_model::Desired;
use pic_model::reach;
use pic_model::snapshot::dns::Host;

use super::super::{Network, ResolvedLan};
use super::addresses_of;
use super::views::Views;

pub(super) fn hosts(
    desired: &Desired,
    network: &Network,
    lans: &[ResolvedLan<'_>],
    views: &Views<'_>,
) -> Vec<Host> {
    let one = |(name, service): (&pic_model::name::SubjectName, &pic_model::policy::Service)| {
        let (addresses, host) = located(desired, network, lans, &service.host);
        Host { name: name.to_string(), addresses, views: Some(views.of_service(name.as_str(), host)) }
    };
    desired.services.iter().map(one).collect()
}

/// Name of a host, and of its LAN if it is in one.
type Place<'d> = (&'d str, Option<&'d str>);

fn located<'d>(
    desired: &'d Desired,
    network: &Network,
    lans: &[ResolvedLan<'_>],
    host: &'d reach::Host,
) -> (Vec<IpAddr>, Option<Place<'d>>) {
    let name = match host {
        reach::Host::Cell => return (network.cell_addresses().map(|net| net.addr()).collect(), None),
        reach::Host::Address(address) => return (vec![*address], None),
        reach::Host::Internet | reach::Host::Outside(_) => return (Vec::new(), None),
        reach::Host::Named(name) => name,
    };
    if let Some(peer) = desired.peers.get(name) {
        let v6 = network.peer6(peer).map(IpAddr::V6);
        return ([IpAddr::V4(peer.address)].into_iter().chain(v6).collect(), Some((name.as_str(), None)));
    }
    let is_it = |kept: &&pic_model::lan::Reservation| {
        kept.name.as_ref().is_some_and(|known| known.as_str() == name.as_str())
    };
    let kept = desired.reservations.iter().find(is_it);
    let place = kept.map(|kept| (name.as_str(), Some(kept.lan.as_str())));
    (kept.map(|kept| addresses_of(kept, lans)).unwrap_or_default(), place)
}
