use std::net::{IpAddr, Ipv4Addr};

use pic_model::reach::Service;

use super::*;

const END: (IpAddr, Service) = (IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9)), Service::Ping);

fn station(chain: &str, why: Option<&str>, passed: Option<bool>, mark: u32) -> Station {
    Station {
        table: NFT_TABLE.to_owned(),
        chain: chain.to_owned(),
        why: why.map(str::to_owned),
        passed,
        out: None,
        mark,
    }
}

fn targets() -> Targets {
    let chain = |name: &str, hook| Chain {
        name: name.to_owned(),
        base: Some(Base { kind: ChainKind::Filter, hook, priority: 0, accept: true }),
        rules: Vec::new(),
    };
    let chains = vec![
        chain("prerouting", Hook::Prerouting),
        chain("forward", Hook::Forward),
        chain("postrouting", Hook::Postrouting),
    ];
    Targets { nft: Some(Table { chains, ..Table::default() }), ..Targets::default() }
}

fn trace(verdict: Verdict) -> Trace {
    let step = |place: &str, words: &str| Step { place: place.to_owned(), words: words.to_owned() };
    let steps = vec![
        step("grants", "granted: internet: marked 0x1000000"),
        step("routing", "by eth0"),
        step("forward", "granted: internet: passes"),
    ];
    Trace { steps, verdict, end: END, out: Some("eth0".to_owned()), mark: 0x0100_0000 }
}

#[test]
fn the_same_way_agrees_and_another_one_is_told() {
    let mark = 0x0100_0000;
    let mut way = vec![
        station("grants", Some("granted: internet"), None, mark),
        station("prerouting", None, Some(true), mark),
        station("forward", Some("granted: internet"), Some(true), mark),
        Station { out: Some("eth0".to_owned()), ..station("postrouting", None, Some(true), mark) },
    ];
    let live = compare(&targets(), &trace(Verdict::Allowed), &way);
    assert_eq!((live.differs.as_slice(), live.verdict), ([].as_slice(), Verdict::Allowed));
    assert_eq!(live.steps.last().unwrap().words, "left by eth0");

    way[3].out = Some("eth9".to_owned());
    let live = compare(&targets(), &trace(Verdict::Allowed), &way);
    assert_eq!(live.differs, ["the simulation sends it by eth0, the kernel by eth9"]);

    way.truncate(2);
    way.push(Station { table: "other".to_owned(), ..station("mine", Some("rule 7"), Some(false), mark) });
    let live = compare(&targets(), &trace(Verdict::Allowed), &way);
    assert_eq!(live.verdict, Verdict::Dropped);
    let all = live.differs.join("\n");
    assert!(all.contains("says allowed, the kernel dropped"), "{all}");
    assert!(all.contains("only simulated: forward: granted: internet"), "{all}");
    assert!(all.contains("chain mine of somebody's table other stops it"), "{all}");
}

#[test]
fn a_packet_without_a_way_ends_behind_the_first_hook() {
    let way = [station("prerouting", None, Some(true), 0)];
    let blocked = Trace {
        steps: vec![Step { place: "routing".to_owned(), words: "no way".to_owned() }],
        verdict: Verdict::Unreachable,
        end: END,
        out: None,
        mark: 0,
    };
    let live = compare(&targets(), &blocked, &way);
    assert_eq!((live.verdict, live.differs), (Verdict::Unreachable, Vec::new()));
}
