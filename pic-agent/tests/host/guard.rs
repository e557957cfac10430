//! Early boot: what blocks stands before anything else.

use pic_engine::Author;
use pic_engine::ledger::{Ledger, Pending, State};

use crate::stage::{CELL, attempt, on_a_host, run};

#[test]
fn the_kept_generation_blocks() {
    on_a_host(|stage| {
        let mut agent = stage.agent();
        agent.signal(nix::sys::signal::Signal::SIGTERM);
        assert!(stage.call("teardown").0);
        stage.write_cell("[cell]\nname = \"edited\"\n[firewall]\nssh = [2222]\n");
        assert!(!attempt("nft list table inet pic").0);
        assert!(stage.guard());
        let table = run("nft list table inet pic");
        assert!(table.contains("iifname \"pic0\"") && !table.contains("2222"), "{table}");
        assert_eq!(run("ip rule").matches("iif pic0").count(), 4);
        assert!(run("ip route show table 7700").contains("unreachable default"));
        assert!(run("ip -6 route show table 7700").contains("unreachable default"));
        assert_eq!(run("sysctl -n net.ipv4.ip_forward").trim(), "0");
        assert!(!attempt("ip link show pic0").0);
        assert!(stage.guard(), "a second time");
        assert_eq!(run("nft list table inet pic"), table);
        drop(agent);
        let mut agent = stage.agent();
        agent.signal(nix::sys::signal::Signal::SIGTERM);
        assert!(stage.call("teardown").0);
    });
}

#[test]
fn without_a_ledger_the_file_counts() {
    on_a_host(|stage| {
        stage.write_cell("[cell]\nname = \"edited\"\n[firewall]\nssh = [2222]\n");
        assert!(stage.guard());
        assert!(run("nft list table inet pic").contains("2222"));
    });
}

#[test]
fn with_nothing_to_read_it_closes() {
    on_a_host(|stage| {
        for text in ["", "[cell]\nname = \"NO\"\n", "\0\0\0\0"] {
            attempt("nft flush ruleset");
            stage.write_cell(text);
            assert!(stage.guard());
            let table = run("nft list table inet pic");
            assert!(table.contains("22") && table.contains("drop"), "{table}");
        }
    });
}

#[test]
fn a_first_state_that_was_not_kept_closes_nothing() {
    on_a_host(|stage| {
        let disk = Box::new(pic_agent::DurableDisk { folder_mode: 0o700 });
        let mut ledger = Ledger::open(disk, &stage.at("state/ledger"), &stage.at("cell.toml")).unwrap();
        let generation = ledger.append(0, &Author("root".into()), "first", CELL).unwrap();
        let pending = Some(Pending { generation, window: None });
        ledger.set_state(State { pending, ..State::default() }).unwrap();
        assert!(stage.guard());
        assert!(!attempt("nft list table inet pic").0);
        // Another text was never tried: it counts, as without a ledger.
        stage.write_cell("[cell]\nname = \"edited\"\n[firewall]\nssh = [2222]\n");
        assert!(stage.guard());
        assert!(run("nft list table inet pic").contains("2222"));
    });
}

#[test]
fn a_clock_that_is_behind_lets_nobody_in_again() {
    on_a_host(|stage| {
        let disk = Box::new(pic_agent::DurableDisk { folder_mode: 0o700 });
        let mut ledger = Ledger::open(disk, &stage.at("state/ledger"), &stage.at("cell.toml")).unwrap();
        let key = pic_model::key::PublicKey::from_bytes([9; 32]);
        let cell = format!(
            "{CELL}[[peer]]\nname = \"guest\"\npublic_key = \"{key}\"\naddress = \"10.77.0.9\"\nexpires = \"2100-01-01\"\n"
        );
        for (at, is_in) in [(0, true), (4_102_444_800, false)] {
            let current = ledger.append(at, &Author("root".into()), "first", &cell).unwrap();
            ledger.set_state(State { current, ..State::default() }).unwrap();
            assert!(stage.guard());
            assert_eq!(run("nft list table inet pic").contains("10.77.0.9"), is_in);
        }
    });
}
