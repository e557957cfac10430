//! Ports that lead from outside to hosts behind the cell.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pic_model::desired::Protocol;
use pic_model::policy::{Forward, Ports};

use super::{Directory, Policy, opened};
use crate::target::nft::{L4, Shape};

impl Policy {
    /// Where a port leads, and whose packets may go on there: in each family that the host has an address of.
    pub(super) fn forward(&mut self, directory: &Directory<'_>, forward: &Forward) {
        let transport = match forward.listen.protocol {
            Protocol::Tcp => L4::Tcp,
            Protocol::Udp => L4::Udp,
        };
        let listen = (transport, forward.listen.number);
        let ports = [Ports { protocol: forward.listen.protocol, first: forward.port, last: forward.port }];
        let everyone = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        let sources: Vec<IpNet> =
            if forward.from.is_empty() { everyone.to_vec() } else { forward.from.iter().copied().collect() };
        for host in directory.host(&forward.host) {
            // A host with several addresses of a family is reached by the first.
            match host.addr() {
                IpAddr::V4(to) if !self.forwards4.contains_key(&listen) => {
                    self.forwards4.insert(listen, (to, forward.port));
                    for source in sources.iter().filter_map(v4) {
                        let shape = Shape { source: source.prefix_len(), destination: 32 };
                        let flows = opened(source.network(), to, &ports);
                        self.forwarded4.entry(shape).or_default().to_mut().extend(flows);
                    }
                }
                IpAddr::V6(to) if !self.forwards6.contains_key(&listen) => {
                    self.forwards6.insert(listen, (to, forward.port));
                    for source in sources.iter().filter_map(v6) {
                        let shape = Shape { source: source.prefix_len(), destination: 128 };
                        let flows = opened(source.network(), to, &ports);
                        self.forwarded6.entry(shape).or_default().to_mut().extend(flows);
                    }
                }
                IpAddr::V4(_) | IpAddr::V6(_) => {}
            }
        }
    }
}

fn v4(net: &IpNet) -> Option<Ipv4Net> {
    if let IpNet::V4(net) = net { Some(*net) } else { None }
}

fn v6(net: &IpNet) -> Option<Ipv6Net> {
    if let IpNet::V6(net) = net { Some(*net) } else { None }
}
