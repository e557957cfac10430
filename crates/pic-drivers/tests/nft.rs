//! The nftables driver against the kernel. What was installed is read back by the `nft` tool, which knows nothing of
//! us, and by our own `observe`; `nft/traffic.rs` sends packets through it. Needs root.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "nft/everything.rs"]
mod everything;
mod hosts;
#[path = "nft/live.rs"]
mod live;
#[path = "nft/random.rs"]
mod random;
#[path = "nft/traffic.rs"]
mod traffic;

use std::collections::BTreeSet;
use std::sync::Arc;

use hosts::{Host, run};
use pic_drivers::nft::{self, Error};
use pic_plan::plan::Action;
use pic_plan::target::nft::{Elements, ObservedTable, SetDelta, Table};

fn install(table: &Table) {
    nft::apply(&Action::NftReplace(table.clone())).unwrap();
}

fn seen() -> ObservedTable {
    Arc::unwrap_or_clone(nft::observe().unwrap().unwrap())
}

/// Error with its cause, as it is shown.
fn words(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

fn v4(addresses: &[&str]) -> Elements {
    Elements::V4(addresses.iter().map(|address| address.parse().unwrap()).collect())
}

#[test]
fn every_expression_is_listed_as_meant() {
    Host::new().run(|| {
        let table = everything::table();
        install(&table);
        let listing = run("nft", &["list", "table", "inet", "pic"]);
        everything::check(&listing);
        assert_eq!(seen(), table.expected());
    });
}

#[test]
fn no_table_is_seen_as_none_and_removed_without_complaint() {
    Host::new().run(|| {
        assert_eq!(nft::observe().unwrap(), None);
        nft::apply(&Action::NftDelete).unwrap();
        install(&everything::table());
        nft::apply(&Action::NftDelete).unwrap();
        assert_eq!(nft::observe().unwrap(), None);
        assert_eq!(run("nft", &["list", "ruleset"]), "");
    });
}

#[test]
fn a_replacement_leaves_nothing_of_the_old_table() {
    Host::new().run(|| {
        install(&everything::table());
        let small = Table { sets: [("only".to_owned(), v4(&["10.0.0.1"]))].into(), chains: Vec::new() };
        install(&small);
        assert_eq!(seen(), small.expected());
        install(&everything::table());
        assert_eq!(seen(), everything::table().expected());
    });
}

#[test]
fn foreign_tables_are_not_touched() {
    Host::new().run(|| {
        let foreign = "table inet other {\n\tset s {\n\t\ttype ipv4_addr\n\t\telements = { 10.9.9.9 }\n\t}\n\n\
                       \tchain c {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tip saddr @s drop\n\t}\n}\n\
                       table ip pic {\n\tchain c {\n\t\ttcp dport 1 drop\n\t}\n}\n";
        let file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file.as_file(), foreign.as_bytes()).unwrap();
        run("nft", &["-f", file.path().to_str().unwrap()]);
        let list = || run("nft", &["list", "table", "inet", "other"]) + &run("nft", &["list", "table", "ip", "pic"]);
        let before = list();
        install(&everything::table());
        assert_eq!(seen(), everything::table().expected());
        assert_eq!(list(), before);
        nft::apply(&Action::NftDelete).unwrap();
        assert_eq!(list(), before);
        assert_eq!(nft::observe().unwrap(), None);
    });
}

#[test]
fn foreign_changes_are_seen() {
    let changes: &[&str] = &[
        "add element inet pic sources4 { 10.1.1.1 }",
        "delete element inet pic sources4 { 10.0.0.1 }",
        "add element inet pic nets4 { 172.16.0.1-172.16.0.9 }",
        "flush set inet pic ports",
        "add set inet pic extra { type ether_addr; }",
        "add map inet pic extra { type ipv4_addr : mark; }",
        "add chain inet pic extra",
        "flush chain inet pic forward",
        "insert rule inet pic forward accept",
        "add rule inet pic forward accept comment \"x\"",
        "add chain inet pic forward { policy accept; }",
        "add table inet pic { flags dormant; }",
    ];
    for change in changes {
        Host::new().run(move || {
            let table = everything::table();
            install(&table);
            run("nft", &[change]);
            assert_ne!(seen(), table.expected(), "{change}");
            install(&table);
            assert_eq!(seen(), table.expected(), "after {change}");
        });
    }
}

#[test]
fn a_deleted_rule_is_seen() {
    Host::new().run(|| {
        let table = everything::table();
        install(&table);
        let listing = run("nft", &["-a", "list", "chain", "inet", "pic", "forward"]);
        let handle = listing
            .lines()
            .find(|line| line.contains("# handle") && line.contains("drop comment"))
            .unwrap()
            .rsplit(' ')
            .next()
            .unwrap();
        run("nft", &["delete", "rule", "inet", "pic", "forward", "handle", handle]);
        assert_ne!(seen(), table.expected());
    });
}

#[test]
fn elements_change_in_one_transaction() {
    Host::new().run(|| {
        let mut table = everything::table();
        install(&table);
        let delta = |set: &str, add, remove| SetDelta { set: set.to_owned(), add, remove };
        let nets = |nets: &[&str]| Elements::Net4(nets.iter().map(|net| net.parse().unwrap()).collect());
        nft::apply(&Action::NftElements(vec![
            delta("sources4", v4(&["10.0.0.9"]), v4(&["10.0.0.1"])),
            // The network to add overlaps the one to remove.
            delta("nets4", nets(&["192.168.0.0/17"]), nets(&["192.168.0.0/16"])),
        ]))
        .unwrap();
        table.sets.insert("sources4".to_owned(), v4(&["10.0.0.2", "10.0.0.9"]));
        table.sets.insert("nets4".to_owned(), nets(&["0.0.0.0/8", "192.168.0.0/17", "255.0.0.0/8"]));
        assert_eq!(seen(), table.expected());
        nft::apply(&Action::NftElements(vec![delta("sources4", v4(&[]), v4(&[]))])).unwrap();
        nft::apply(&Action::NftElements(Vec::new())).unwrap();
        assert_eq!(seen(), table.expected());
    });
}

#[test]
fn a_refused_transaction_says_what_and_changes_nothing() {
    Host::new().run(|| {
        let table = everything::table();
        install(&table);
        let many: BTreeSet<_> = (0..5000_u32).map(|n| (0x0b00_0000 + n).into()).collect();
        let missing = |set: &str, add, remove| {
            let delta = SetDelta { set: set.to_owned(), add, remove };
            words(&nft::apply(&Action::NftElements(vec![delta])).unwrap_err())
        };
        assert_eq!(
            missing("nowhere", Elements::V4(many), v4(&[])),
            "nftables refused set nowhere, adding elements 0 to 999: No such file or directory (os error 2)"
        );
        assert_eq!(
            missing("sources4", v4(&["10.7.7.7"]), v4(&["10.8.8.8"])),
            "nftables refused set sources4, removing elements 0 to 0: No such file or directory (os error 2)"
        );
        assert!(missing("sources4", v4(&[]), Elements::Ports([1].into())).contains("different types"));
        assert_eq!(seen(), table.expected());

        let mut wrong = table.clone();
        wrong.chains[1].rules[0].exprs.push(pic_plan::target::nft::Expr::Jump("nowhere".to_owned()));
        let refused = words(&nft::apply(&Action::NftReplace(wrong)).unwrap_err());
        assert!(refused.contains("rule \"") && refused.contains("No such file"), "{refused}");
        assert_eq!(seen(), table.expected());
    });
}

#[test]
fn ten_thousand_peers_come_back_complete() {
    Host::new().run(|| {
        let addresses: BTreeSet<_> = (0..10_000_u32).map(|n| (0x0a00_0000 + n * 7).into()).collect();
        let sets = (0..4).map(|n| (format!("peers{n}"), Elements::V4(addresses.clone()))).collect();
        let table = Table { sets, chains: Vec::new() };
        install(&table);
        // The kernel is still growing its hash tables now; a reading must not lose elements over that.
        for _ in 0..20 {
            assert_eq!(seen(), table.expected());
        }
    });
}

#[test]
fn reading_while_others_write_is_consistent() {
    Host::new().run(|| {
        let one = everything::table();
        let mut two = one.clone();
        two.sets.insert("sources4".to_owned(), v4(&[]));
        two.chains.pop();
        let both = [one.expected(), two.expected()];
        let namespace = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        install(&one);
        let writer = std::thread::spawn(move || {
            nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            (0..100).for_each(|_| [&two, &one].into_iter().for_each(install));
        });
        while !writer.is_finished() {
            match nft::observe() {
                Ok(Some(table)) => assert!(both.contains(&table), "{table:?}"),
                Err(Error::Restless) => {}
                other => panic!("{other:?}"),
            }
        }
        writer.join().unwrap();
    });
}

#[test]
fn what_is_learnt_is_kept_for_its_life_and_no_longer() {
    Host::new().run(|| {
        let table = everything::table();
        install(&table);
        let life = u64::from(pic_model::egress::LIFE);
        let mut connection = nft::Connection::new();
        let left = |connection: &mut nft::Connection, address: &str| {
            let address: std::net::IpAddr = address.parse().unwrap();
            let all = connection.learned().unwrap();
            let found: Vec<_> = all.values().flatten().filter(|(known, _)| *known == address).collect();
            found.first().map(|(_, left)| *left)
        };
        let before = left(&mut connection, "10.0.0.1").unwrap();
        assert!((life - 60..=life).contains(&before), "{before}");
        // Only a moment is left of one; learnt again, it has its whole life. Beside a new one, and in both families.
        run("nft", &["add element inet pic learned4 { 10.0.0.9 timeout 50s }"]);
        assert!(left(&mut connection, "10.0.0.9").unwrap() <= 50);
        let v4 = |all: &[&str]| Elements::Learned4(all.iter().map(|ip| ip.parse().unwrap()).collect());
        let v6 = Elements::Learned6(["fd00::1".parse().unwrap(), "fd00::9".parse().unwrap()].into());
        let learned = [("learned4".to_owned(), v4(&["10.0.0.9", "10.0.0.10"])), ("learned6".to_owned(), v6)];
        connection.learn(&learned).unwrap();
        for address in ["10.0.0.9", "10.0.0.10", "fd00::1", "fd00::9"] {
            let left = left(&mut connection, address);
            assert!(left.is_some_and(|left| left >= life - 60), "{address}: {left:?}");
        }
        // More than was asked for is no difference; less is one.
        let kept = |wanted: &Elements| {
            let present = seen().sets["learned4"].clone().unwrap();
            wanted.delta(&present).unwrap()
        };
        assert_eq!(kept(&v4(&["10.0.0.10"])), (v4(&[]), v4(&[])));
        assert_eq!(kept(&v4(&["10.0.0.77"])).0, v4(&["10.0.0.77"]));
        let unknown = connection.learn(&[("nothing".to_owned(), v4(&["10.0.0.1"]))]).unwrap_err();
        assert!(words(&unknown).contains("nothing"), "{}", words(&unknown));
        assert!(connection.learned().unwrap().len() == 2, "and the connection goes on");
    });
}

#[test]
fn what_is_learnt_while_it_is_sent_to_can_be_read_afterwards() {
    use std::sync::mpsc::{TryRecvError, channel};

    // While an element is renewed it is in the set twice, each active in one of the kernel's two generations. A packet
    // that extends its life just then finds neither, and makes a third that stays beside the new one.
    const RENEWALS: usize = 3000;
    Host::new().run(|| {
        install(&everything::table());
        run("ip", &["address", "add", "10.0.0.0/24", "dev", "lo"]);
        run("nft", &["add chain inet pic sent { type filter hook output priority 0 ; }"]);
        run("nft", &["add rule inet pic sent ip daddr @learned4 update @learned4 { ip daddr }"]);
        let all = Elements::Learned4(["10.0.0.1".parse().unwrap()].into());
        let learned = [("learned4".to_owned(), all.clone())];
        std::thread::scope(|scope| {
            let (is_here, gone) = channel::<()>();
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            scope.spawn(move || {
                while gone.try_recv() == Err(TryRecvError::Empty) {
                    // That nobody listens there is told now and then, and no matter.
                    let _ = socket.send_to(&[0], "10.0.0.1:9");
                }
            });
            let mut connection = nft::Connection::new();
            for _ in 0..RENEWALS {
                connection.learn(&learned).unwrap();
                assert_eq!(connection.observe().unwrap().unwrap().sets["learned4"].as_ref(), Some(&all));
            }
            drop(is_here);
        });
    });
}
