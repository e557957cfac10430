//! Who may ask, and through which view.

use std::net::IpAddr;

use ipnet::IpNet;

/// What a client is shown. Part of every cache key, so that an answer never crosses from one view into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View(pub u16);

/// How to treat somebody who may not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// Say REFUSED: helps the admin who forgot to list a network.
    Refuse,
    /// Say nothing.
    Drop,
}

/// The client networks of a snapshot.
#[derive(Debug)]
pub struct Policy {
    clients: Vec<IpNet>,
}

impl Policy {
    /// Takes over the list.
    pub fn new(clients: &[IpNet]) -> Self {
        Self { clients: clients.to_vec() }
    }

    /// The view of a client. Strangers are refused, but over UDP (`forgeable` sender) only when the address is a local
    /// one: we are no mirror to bounce packets off to the rest of the world.
    pub fn admit(&self, source: IpAddr, forgeable: bool) -> Result<View, Stranger> {
        let source = source.to_canonical();
        if self.clients.iter().any(|net| net.contains(&source)) {
            return Ok(View(0));
        }
        Err(if forgeable && !is_local(source) { Stranger::Drop } else { Stranger::Refuse })
    }
}

fn is_local(source: IpAddr) -> bool {
    match source {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_networks_ask() {
        let policy = Policy::new(&["10.77.0.0/16".parse().unwrap(), "fd00:77::/64".parse().unwrap()]);
        let admit = |ip: &str, udp| policy.admit(ip.parse().unwrap(), udp);
        assert_eq!(admit("10.77.3.4", true), Ok(View(0)));
        assert_eq!(admit("::ffff:10.77.3.4", true), Ok(View(0)));
        assert_eq!(admit("fd00:77::5", true), Ok(View(0)));
        assert_eq!(admit("192.168.1.5", true), Err(Stranger::Refuse));
        assert_eq!(admit("198.51.100.7", true), Err(Stranger::Drop));
        assert_eq!(admit("198.51.100.7", false), Err(Stranger::Refuse));
    }
}
