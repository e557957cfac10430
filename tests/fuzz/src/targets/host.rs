//! What the host tells: WireGuard devices, the kernel's netlink, resolv.conf.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pic_drivers::{nft, route, rule, watch, wireguard};
use pic_plan::resolver::{servers_in, without_ours, written};
use pic_plan::target::rule::Family;

pub(super) fn uapi(input: &[u8]) {
    if let Ok((device, live)) = wireguard::read_answer_text("pic0", input) {
        assert_eq!(device.peers.len(), live.len(), "peers without a word on how they are");
    }
}

/// The same datagram as each of the kernel's answers and notices.
pub(super) fn netlink(input: &[u8]) {
    let names = BTreeMap::from([(1, "lo".to_owned()), (7, "pic0".to_owned())]);
    let _ = route::read_datagram(input, &names);
    for family in [Family::V4, Family::V6] {
        let _ = rule::read_datagram(input, family);
    }
    assert!(watch::read_route(input).len() <= input.len(), "more events than bytes");
    assert!(nft::read_trace(input).len() <= input.len(), "more events than bytes");
    assert!(watch::read_nft(input).len() <= input.len(), "more events than bytes");
}

pub(super) fn resolv(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let servers = servers_in(&text);
    assert!(servers.len() <= text.lines().count(), "more servers than lines");
    // The cell stands first, whatever is behind it, and goes without a trace of itself.
    let cell = IpAddr::from([10, 77, 0, 1]);
    let written = written(Some(&text), cell);
    let behind = if servers.is_empty() { vec![IpAddr::from([127, 0, 0, 1])] } else { servers };
    assert_eq!(servers_in(&written), [vec![cell], behind].concat());
    let rest = without_ours(&written, cell).unwrap_or_default();
    assert_eq!(without_ours(&rest, cell), None);
}
