//! `[[subnet]]`: networks behind routers of the LANs.

use ipnet::Ipv4Net;

use super::{Placed, dhcp, everything};
use crate::config::reader::Reader;
use crate::config::sections::allow;
use crate::config::values::{self, Bad, Value, parsed, quoted};
use crate::lan::Subnet;
use crate::name::LanName;

/// Every `[[subnet]]`, each right by itself.
pub(in crate::config) fn subnets(root: &mut Reader<'_, '_>) -> Vec<Placed<(LanName, Subnet)>> {
    root.tables("subnet", |t, span| {
        let name = t.needed("name", "write name = \"upstairs\"", |s| parsed(s, "a name"));
        let lan =
            t.needed("lan", "write the name of the [[lan]] that its router is on", |s| parsed(s, "a name"));
        let via = t.needed("via", "write the router's address in the LAN", values::ipv4);
        let ipv4 = t.needed("ipv4", "write ipv4 = \"10.5.0.0/24\"", network);
        let allow = allow(t).unwrap_or_else(everything);
        let dhcp = t.has("dhcp").then(|| t.table("dhcp", |d| dhcp(d, ipv4))).flatten();
        let subnet = Subnet { lan: lan?, via: via?, ipv4: ipv4?, allow, dhcp };
        Some(Placed { value: (name?, subnet), path: t.path().to_owned(), span })
    })
}

fn network(text: &str) -> Value<Ipv4Net> {
    let bad = || Bad {
        message: format!("{} is not a private network", quoted(text)),
        hint: "write its first address and its length, as \"10.5.0.0/24\"",
    };
    let net: Ipv4Net = text.parse().map_err(|_| bad())?;
    let is_right = (8..=30).contains(&net.prefix_len()) && net.addr() == net.network();
    if is_right && net.addr().is_private() { Ok(net) } else { Err(bad()) }
}
