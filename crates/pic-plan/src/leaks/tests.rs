use pic_model::config::parse;
use pic_model::exit::provider;

use super::*;
use crate::compile::compile;
use crate::compile::exit::Resolved;
use crate::facts::UplinkFacts;
use crate::target::nft::Elements;

const CELL: &str = r#"
[cell]
name = "home"
[[exit]]
name = "nl"
kind = "wireguard"
file = "nl.conf"
[[peer]]
name = "tv"
public_key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
exit = ["nl"]
[[peer]]
name = "phone"
public_key = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="
[[lan]]
name = "guest"
interface = "eth1"
ipv4 = "192.168.41.1/24"
allow = ["internet"]
exit = "nl"
"#;

const FILE: &str = "[Interface]\nPrivateKey = ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ=\n\
                    Address = 10.64.1.2, fc00:bbbb::2\nDNS = 198.51.100.53\n[Peer]\n\
                    PublicKey = ZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWU=\nAllowedIPs = 0.0.0.0/0, ::/0\n\
                    Endpoint = 203.0.113.40:51820\n";

struct Scene {
    desired: Desired,
    facts: Facts,
    targets: Targets,
    interface: String,
    probes: Vec<Probe>,
}

fn scene() -> Scene {
    let desired = parse(CELL).unwrap();
    let mut facts = Facts {
        uplink: Some(UplinkFacts {
            interface: "eth0".parse().unwrap(),
            ipv4: Some([203, 0, 113, 9].into()),
            ipv6: Some("2001:db8:1::9".parse().unwrap()),
            routes6: true,
        }),
        ..crate::memory::facts()
    };
    facts.exits.files.insert("nl.conf".into(), Ok(provider::read(FILE).unwrap()));
    let targets = compile(Some(&desired), &facts);
    let interface = Resolved::all(&desired, &facts)[0].interface();
    let users = users(&desired, &facts, &"nl".parse().unwrap());
    assert_eq!(users.iter().map(|user| user.0.as_str()).collect::<Vec<_>>(), ["peer tv", "LAN guest"]);
    let probes = probes(&desired, &facts, &targets, &users, 64);
    Scene { desired, facts, targets, interface, probes }
}

#[test]
fn a_sound_state_leaks_nothing_with_anything_taken_away() {
    let Scene { facts, targets, interface, probes, .. } = scene();
    assert_eq!(probes.len(), 12, "two users, three services, two families: {probes:?}");
    for without in Without::ALL {
        assert_eq!(leaks(&targets, &facts, &interface, &probes, without), Vec::<String>::new());
    }
    let went =
        probes.iter().filter(|probe| walk(&targets, &facts, &probe.packet).out == Some(interface.clone()));
    assert_eq!(went.count(), 12, "they leave at all");
    let (wrong, asked) = names(&targets, &interface, &probes);
    assert_eq!((wrong, asked.len()), (Vec::new(), 1));
}

#[test]
fn each_layer_that_is_missing_is_seen() {
    let Scene { facts, targets, interface, probes, desired } = scene();
    let count = |targets: &Targets, without| leaks(targets, &facts, &interface, &probes, without).len();
    // Nobody is turned to the exit any more: the sets are empty.
    let mut open = targets.clone();
    for (name, set) in &mut open.nft.as_mut().unwrap().sets {
        match set {
            Elements::V4(all) if name.starts_with("exit") => all.clear(),
            Elements::V6(all) if name.starts_with("exit") => all.clear(),
            _ => {}
        }
    }
    assert_eq!(count(&open, Without::Nothing), 6, "the tv, and not the LAN");
    // The route that stops is gone: the kernel goes on to the main table once the tunnel goes.
    let mut open = targets.clone();
    open.routes.retain(|route| route.kind != RouteKind::Unreachable);
    open.rules.retain(|rule| rule.table != crate::marks::TABLE_BLOCKED);
    assert_eq!(count(&open, Without::Nothing), 0);
    // No route of ours leads there without a rule; one that somebody adds does.
    let main = crate::target::rule::Rule {
        family: crate::target::rule::Family::V4,
        preference: 7799,
        iif: None,
        from: None,
        oif: None,
        fwmark: None,
        table: 254,
        no_default: false,
        owner: crate::target::rule::Owner::Cell,
    };
    open.rules.insert(main);
    assert_eq!(count(&open, Without::Tunnel), 0, "the firewall holds");
    assert!(count(&open, Without::Firewall) > 0 && count(&open, Without::Both) > 0);
    // Questions by the host's own way.
    let plain = parse(&CELL.replace("exit = [\"nl\"]\n", "")).unwrap();
    let other = compile(Some(&plain), &facts);
    let (wrong, _) = names(&other, &interface, &probes);
    assert!(wrong.iter().any(|words| words.starts_with("peer tv: questions of")), "{wrong:?}");
    assert!(desired.exits.len() == 1 && users(&plain, &facts, &"nl".parse().unwrap()).len() == 1);
}
