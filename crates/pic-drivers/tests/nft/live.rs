//! A table for a while: counts, has packets traced, and goes with whoever made it.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use pic_drivers::nft::{Listener, Live, TraceVerdict, rules};
use pic_plan::target::nft::{Base, Chain, ChainKind, Expr, Hook, Is, L4, Rule, Table};

use crate::hosts::{Host, run};
use crate::{install, v4};

fn lo_up() {
    run("ip", &["link", "set", "lo", "up"]);
}

fn chain(name: &str, hook: Hook, priority: i32, rules: Vec<Rule>) -> Chain {
    Chain {
        name: name.to_owned(),
        base: Some(Base { kind: ChainKind::Filter, hook, priority, accept: true }),
        rules,
    }
}

/// To port 9 of ourselves, with these expressions behind.
fn table(behind: Vec<Expr>) -> Table {
    let matches = [Expr::Oif(Is::In, "lo".to_owned()), Expr::L4(L4::Udp), Expr::DestinationPort(9)];
    let rule = Rule { exprs: matches.into_iter().chain(behind).collect(), why: "ours" };
    Table { chains: vec![chain("sent", Hook::Output, -190, vec![rule])], ..Table::default() }
}

fn send() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let _ = socket.send_to(b"x", "127.0.0.1:9");
}

/// The table goes with the last holder of its socket; a program that another test starts holds a copy between fork and exec.
fn gone() {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let listed = run("nft", &["list", "ruleset"]);
        if listed.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "still there: {listed}");
    }
}

#[test]
fn counts_and_goes_with_its_maker() {
    Host::new().run(|| {
        lo_up();
        let mut live = Live::start("pic_test", &table(vec![Expr::Counter, Expr::Drop]), false).unwrap();
        let listed = run("nft", &["list", "table", "inet", "pic_test"]);
        assert!(listed.contains("flags owner") && listed.contains("counter packets 0"), "{listed}");
        let second = Live::start("pic_test", &table(vec![Expr::Counter]), false);
        assert!(second.is_err(), "two at once");
        (0..3).for_each(|_| send());
        assert_eq!(live.counters().unwrap().get("ours"), Some(&3));
        drop(live);
        gone();
    });
}

#[test]
fn a_packet_is_followed_by_rule_to_where_it_ends() {
    Host::new().run(|| {
        lo_up();
        let own = Table {
            sets: [("blocked4".to_owned(), v4(&["127.0.0.1"]))].into(),
            chains: vec![chain(
                "input",
                Hook::Input,
                0,
                vec![Rule {
                    exprs: vec![Expr::SourceIn(Is::In, "blocked4".to_owned()), Expr::Drop],
                    why: "blocked here",
                }],
            )],
        };
        install(&own);
        let mut listener = Listener::start().unwrap();
        let _live = Live::start("pic_test", &table(Vec::new()), true).unwrap();
        send();
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut last = None;
        while let Some(event) = listener.next(deadline).unwrap() {
            if event.table == "pic" {
                last = Some(event);
                break;
            }
        }
        let last = last.unwrap();
        assert_eq!((last.chain.as_str(), last.verdict), ("input", TraceVerdict::Drop));
        let known = rules("pic").unwrap();
        assert_eq!(
            known.get(&("input".to_owned(), last.rule.unwrap())).map(String::as_str),
            Some("blocked here")
        );
        // Nothing else is told of, and nothing of what does not match.
        assert_eq!(listener.next(Instant::now() + Duration::from_millis(50)).unwrap(), None);
    });
}
