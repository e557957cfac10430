//! What the host tells: WireGuard devices, the kernel's netlink, resolv.conf.

use std::collections::BTreeMap;

use pic_drivers::{host, route, rule, watch, wireguard};
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
    assert!(watch::read_nft(input).len() <= input.len(), "more events than bytes");
}

pub(super) fn resolv(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    assert!(host::servers_in(&text).len() <= text.lines().count(), "more servers than lines");
}
