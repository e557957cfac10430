//! The engine over a host and a disk in memory that fail on demand.

mod fakes;

use std::time::{Duration, Instant};

use fakes::{CELL, EPOCH, Rig, peer};
use pic_engine::{ChangeError, Health, OperationState};
use pic_plan::plan::Domain;
use pic_plan::way_in::Session;

#[test]
fn first_start_imports_the_file_and_converges() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    let report = engine.report();
    assert_eq!(report.current.generation, 1);
    assert_eq!(report.health(), Health::Ok);
    assert!(rig.host().links["pic0"].up);
}

#[test]
fn a_change_is_kept_and_written_everywhere() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    let done = engine.set(&format!("{CELL}{}", peer(2))).unwrap();
    assert_eq!((done.state, done.generation), (OperationState::Kept, 2));
    assert_eq!(rig.host().wireguard["pic0"].peers.len(), 1);
    assert_eq!(rig.cell_toml(), format!("{CELL}{}", peer(2)));
    drop(engine);
    assert_eq!(rig.run().report().current.generation, 2);
}

#[test]
fn a_refused_change_touches_nothing() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    let before = rig.host();
    let Err(ChangeError::Invalid(problems)) = engine.set("[cell]\nname = \"NO\"\n[peer]\n") else {
        panic!("accepted")
    };
    assert_eq!(problems.0.len(), 2);
    assert_eq!(rig.host(), before);
    assert_eq!(engine.report().current.generation, 1);
}

#[test]
fn a_change_that_fails_is_taken_back() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    rig.fail_when("set 1 peer");
    let Err(ChangeError::Reverted(words)) = engine.set(&format!("{CELL}{}", peer(2))) else { panic!("kept") };
    assert!(words.contains("set 1 peer"), "{words}");
    assert_eq!(engine.report().current.generation, 1);
    assert!(rig.host().wireguard["pic0"].peers.is_empty());
    assert_eq!(rig.cell_toml(), CELL);
}

#[test]
fn what_failed_before_does_not_take_a_change_back() {
    let rig = Rig::with_cell(&format!("{CELL}{}", peer(2)));
    let engine = rig.run();
    rig.fail_when("start pic-dns");
    rig.change_host(|host| host.units.clear());
    // Also when nobody has noticed yet that the service is gone.
    for name in [3, 4] {
        let done = engine.set(&format!("{CELL}{}{}enabled = false\n", peer(name), peer(2))).unwrap();
        assert_eq!(done.state, OperationState::Kept);
        assert!(
            done.words.starts_with("kept; still not as wanted: unit: cannot start pic-dns"),
            "{}",
            done.words
        );
        assert_eq!(rig.host().wireguard["pic0"].peers.len(), 1);
        engine.poke();
    }
    assert_eq!(engine.report().health(), Health::Failed);
    let again = engine.set(&rig.cell_toml()).unwrap();
    assert!(again.words.starts_with("nothing to change; still not as wanted: unit"), "{}", again.words);
    // Going back is no failure of its own either.
    engine.set(&format!("{CELL}[wireguard]\nport = 4444\n")).unwrap();
    rig.advance(Duration::from_secs(1000));
    engine.poke();
    assert_eq!(engine.report().operation.as_ref().unwrap().state, OperationState::Reverted);
}

#[test]
fn what_a_change_breaks_takes_it_back_though_other_things_fail() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    rig.change_host(|host| host.units.clear());
    rig.fail_when("start pic-dns");
    engine.poke();
    rig.fail_when("set 1 peer");
    assert!(matches!(engine.set(&format!("{CELL}{}", peer(2))), Err(ChangeError::Reverted(_))));
    assert_eq!(engine.report().current.generation, 1);
}

#[test]
fn what_cannot_be_read_only_matters_where_it_changes() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    rig.hide(Domain::Unit);
    let done = engine.set(&format!("{CELL}{}", peer(2))).unwrap();
    assert!(done.words.contains("still not as wanted: unit: hidden by the test"), "{}", done.words);
    rig.hide(Domain::Wireguard);
    let Err(ChangeError::Failed(words)) = engine.set(&format!("{CELL}{}", peer(3))) else { panic!("kept") };
    assert_eq!(words, "cannot read wireguard: hidden by the test");
}

#[test]
fn a_risky_change_waits_and_reverts_on_silence() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    let risky = format!("{CELL}[wireguard]\nport = 4444\n");
    let waiting = engine.set(&risky).unwrap();
    assert_eq!(waiting.state, OperationState::AwaitingConfirm);
    assert_eq!(rig.host().wireguard["pic0"].listen_port, 4444);
    assert!(matches!(engine.set(CELL), Err(ChangeError::Awaiting { generation: 2 })));
    engine.poke();
    assert!(!engine.report().edited, "the file holds the kept state, as it should");
    rig.write_cell_toml(&format!("{CELL}# mine\n"));
    engine.poke();
    assert!(engine.report().edited);
    rig.write_cell_toml(CELL);
    rig.advance(Duration::from_secs(1000));
    engine.poke();
    assert_eq!(engine.report().current.generation, 1);
    assert_eq!(rig.host().wireguard["pic0"].listen_port, 51820);
    assert_eq!(engine.confirm(), Err(ChangeError::NothingWaits));
}

#[test]
fn a_confirmed_change_stays() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    engine.set(&format!("{CELL}[wireguard]\nport = 4444\n")).unwrap();
    assert_eq!(engine.confirm(), Ok(OperationState::Kept));
    rig.advance(Duration::from_secs(1000));
    engine.poke();
    assert_eq!(rig.host().wireguard["pic0"].listen_port, 4444);
}

#[test]
fn the_window_survives_a_crash_but_not_a_reboot() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    engine.set(&format!("{CELL}[wireguard]\nport = 4444\n")).unwrap();
    drop(engine);
    let engine = rig.run();
    assert_eq!(engine.report().operation.as_ref().unwrap().state, OperationState::AwaitingConfirm);
    assert_eq!(rig.host().wireguard["pic0"].listen_port, 4444);
    drop(engine);
    rig.reboot();
    let engine = rig.run();
    assert_eq!(engine.report().current.generation, 1);
    assert_eq!(rig.host().wireguard["pic0"].listen_port, 51820);
    let told = engine.report().taken_back.clone().unwrap();
    assert!(told.generation == 2 && told.words.contains("started anew"), "{told:?}");
}

#[test]
fn a_first_state_that_closes_the_host_waits_and_goes_without_a_trace() {
    for reboots in [false, true] {
        let rig = Rig::with_cell("");
        let engine = rig.run();
        rig.write_cell_toml(CELL);
        assert_eq!(engine.apply(CELL).unwrap().state, OperationState::AwaitingConfirm);
        assert!(rig.host().nft.is_some());
        drop(engine);
        if reboots {
            rig.reboot();
        } else {
            rig.advance(Duration::from_secs(1000));
        }
        let engine = rig.run();
        assert_eq!(engine.report().current.generation, 0, "reboots: {reboots}");
        let left = rig.host();
        assert!(left.nft.is_none() && left.links.is_empty() && left.routes.is_empty(), "reboots: {reboots}");
        assert_eq!(engine.apply(CELL).unwrap().state, OperationState::AwaitingConfirm);
        assert_eq!(engine.confirm(), Ok(OperationState::Kept));
        drop(engine);
        assert_eq!(rig.run().report().current.generation, 2);
    }
}

#[test]
fn drift_is_repaired_and_counted() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    rig.change_host(|host| {
        host.nft = None;
        host.rules.clear();
        host.links.clear();
        host.wireguard.clear();
    });
    engine.poke();
    assert!(rig.host().nft.is_some() && rig.host().links["pic0"].up && rig.host().rules.len() == 11);
    let repairs = || engine.report().domains.values().map(|domain| domain.repairs).sum::<u64>();
    let before = repairs();
    assert!(before > 5);
    // What the host is to follow by our own doing is no repair.
    rig.change_host(|host| host.nft = None);
    engine.follow();
    assert!(rig.host().nft.is_some());
    assert_eq!(repairs(), before);
}

#[test]
fn the_host_is_looked_at_however_often_the_engine_is_asked() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run_with(|config| config.interval = Duration::from_millis(200));
    rig.change_host(|host| host.nft = None);
    let deadline = Instant::now() + Duration::from_secs(30);
    // As systemd's watchdog does, more often than the interval.
    while rig.host().nft.is_none() {
        assert!(Instant::now() < deadline, "nobody looked");
        engine.record(1);
        std::thread::yield_now();
    }
}

#[test]
fn edits_that_were_not_applied_are_never_lost() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    let edited = format!("{CELL}# mine\n");
    rig.write_cell_toml(&edited);
    assert!(matches!(engine.set(&format!("{CELL}{}", peer(2))), Err(ChangeError::Conflict(_))));
    engine.poke();
    assert!(engine.report().edited);
    drop(engine);
    let engine = rig.run();
    assert_eq!(rig.cell_toml(), edited);
    assert!(engine.report().edited);
    engine.apply(&edited).unwrap();
    assert!(!engine.report().edited);
    assert_eq!(engine.report().current.generation, 2);
}

#[test]
fn a_change_is_confirmed_over_another_connection() {
    let over = |from_port| Session {
        from: "192.0.2.7".parse().unwrap(),
        from_port,
        to: "203.0.113.9".parse().unwrap(),
        port: 22,
    };
    // Known connections; ones whose port nobody told are not taken for the same.
    for (made, confirmed, is_kept) in [(50_000, 50_000, false), (50_000, 50_001, true), (0, 0, true)] {
        let rig = Rig::with_cell(CELL);
        let engine = rig.run();
        let shut = format!("{CELL}[firewall]\nssh = [2222]\n");
        rig.write_cell_toml(&shut);
        assert_eq!(engine.apply_over(&shut, over(made)).unwrap().state, OperationState::AwaitingConfirm);
        let told = engine.confirm_over(Some(over(confirmed)));
        if is_kept {
            assert_eq!(told, Ok(OperationState::Kept));
        } else {
            assert_eq!(told, Err(ChangeError::SameConnection));
            assert_eq!(engine.confirm(), Ok(OperationState::Kept), "somebody who sits there");
        }
    }
}

#[test]
fn no_device_moves_when_another_one_comes_or_goes() {
    let bare = |id: u8| peer(id).lines().take(3).map(|line| format!("{line}\n")).collect::<String>();
    let rig = Rig::with_cell(&format!("{CELL}{}{}", bare(5), bare(6)));
    let engine = rig.run();
    let held = rig.cell_toml();
    assert!(held.contains("address = \"10.77.0.2\"") && held.contains("address = \"10.77.0.3\""), "{held}");
    assert!(!engine.report().edited);
    // A file that was made by a program and says no addresses: the first device is gone, a new one is before the other.
    let made = format!("{CELL}{}{}[firewall]\nssh = [2222]\n", bare(7), bare(6));
    rig.write_cell_toml(&made);
    engine.apply(&made).unwrap();
    engine.poke();
    assert!(!engine.report().edited);
    assert_eq!(engine.confirm(), Ok(OperationState::Kept));
    assert_eq!(rig.cell_toml(), *engine.report().current.text);
    let peers = engine.report().current.desired.as_ref().unwrap().peers.clone();
    let address = |name: &str| peers[&name.parse().unwrap()].address.to_string();
    assert_eq!((address("p6").as_str(), address("p7").as_str()), ("10.77.0.3", "10.77.0.2"));
    rig.write_cell_toml(&made);
    assert_eq!(engine.apply(&made).unwrap().words, "nothing to change");
    assert_eq!(rig.cell_toml(), *engine.report().current.text);
}

#[test]
fn every_failing_write_leaves_the_old_or_the_new_state() {
    for at in 0..12 {
        let rig = Rig::with_cell(CELL);
        let engine = rig.run();
        rig.fail_write(at);
        let result = engine.set(&format!("{CELL}{}", peer(2)));
        rig.fail_write(usize::MAX);
        drop(engine);
        let engine = rig.run();
        let generation = engine.report().current.generation;
        let peers = rig.host().wireguard["pic0"].peers.len();
        assert_eq!(engine.report().health(), Health::Ok, "write {at}");
        match result {
            Ok(_) => assert_eq!((generation, peers), (2, 1), "write {at}: acknowledged"),
            Err(_) => assert_eq!((generation, peers), (1, 0), "write {at}: refused"),
        }
        assert_eq!(rig.cell_toml().contains("[[peer]]"), peers == 1, "write {at}");
    }
}

#[test]
fn every_crash_point_ends_in_the_old_or_the_new_state() {
    for at in 0..40 {
        let rig = Rig::with_cell(CELL);
        drop(rig.run());
        rig.crash_at(at);
        let acknowledged = rig.run_until_crash(&format!("{CELL}{}", peer(2)));
        rig.crash_at(usize::MAX);
        let engine = rig.run();
        let (generation, peers) =
            (engine.report().current.generation, rig.host().wireguard["pic0"].peers.len());
        assert_eq!(engine.report().health(), Health::Ok);
        assert!(matches!((generation, peers), (1, 0) | (2, 1)), "crash {at}: {generation} {peers}");
        assert!(!acknowledged || peers == 1, "crash {at}: an acknowledged change was lost");
        assert_eq!(rig.cell_toml().contains("[[peer]]"), peers == 1, "crash {at}");
    }
}

#[test]
fn damaged_ledger_never_means_defaults() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    engine.set(&format!("{CELL}{}", peer(2))).unwrap();
    engine.set(&format!("{CELL}{}{}", peer(2), peer(3))).unwrap();
    drop(engine);
    rig.damage("state.json");
    assert_eq!(rig.run().report().current.generation, 3);
    rig.damage("state.json");
    rig.damage("000003.toml");
    assert_eq!(rig.run().report().current.generation, 2);
}

#[test]
fn a_lost_state_never_brings_back_what_was_reverted() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    engine.set(&format!("{CELL}[wireguard]\nport = 4444\n")).unwrap();
    rig.advance(Duration::from_secs(1000));
    engine.poke();
    drop(engine);
    // The state still reads, but the generation in force does not.
    rig.damage("000001.toml");
    let engine = rig.run();
    assert_ne!(rig.host().wireguard["pic0"].listen_port, 4444);
    assert_ne!(engine.report().current.generation, 2);
}

#[test]
fn a_lost_state_means_the_generation_that_the_file_holds() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    engine.set(&format!("{CELL}[wireguard]\nport = 4444\n")).unwrap();
    rig.advance(Duration::from_secs(1000));
    engine.poke();
    drop(engine);
    // Nothing tells any more that the newest one was taken back.
    rig.damage("state.json");
    let engine = rig.run();
    assert_eq!(engine.report().current.generation, 1);
    assert_eq!(rig.host().wireguard["pic0"].listen_port, 51820);
    engine.set(&format!("{CELL}{}", peer(2))).unwrap();
    assert_eq!(engine.report().current.generation, 3);
}

#[test]
fn a_clock_that_is_behind_lets_nobody_in_again() {
    // 1970-01-12T13:46:40Z is the beginning; the peer is welcome for a day.
    let rig = Rig::with_cell(&format!("{CELL}{}expires = \"1970-01-13T13:46:40Z\"\n", peer(2)));
    let engine = rig.run();
    assert_eq!(rig.host().wireguard["pic0"].peers.len(), 1);
    rig.set_clock(200_000);
    engine.set(&format!("{}{}", rig.cell_toml(), peer(3))).unwrap();
    let alone = |rig: &Rig| rig.host().wireguard["pic0"].peers.len() == 1;
    assert!(alone(&rig));
    drop(engine);
    rig.reboot();
    rig.set_clock(0);
    let engine = rig.run();
    assert!(alone(&rig));
    assert_eq!(engine.report().facts.as_ref().unwrap().now, EPOCH + 200_000);
}

#[test]
fn going_back_to_a_damaged_state_never_opens_the_host() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    engine.set(&format!("{CELL}[wireguard]\nport = 4444\n")).unwrap();
    rig.damage("000001.toml");
    rig.advance(Duration::from_secs(1000));
    engine.poke();
    // From memory: the state before is whole there.
    assert!(rig.host().nft.is_some());
    assert_eq!(rig.host().wireguard["pic0"].listen_port, 51820);
}

#[test]
fn a_plan_of_another_state_is_refused() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    let seen = engine.plan(&format!("{CELL}[dns]\nupstreams = [\"192.0.2.1\"]\n")).plan_id;
    let same_steps = engine.plan(&format!("{CELL}[dns]\nupstreams = [\"192.0.2.1\"]\n")).plan_id;
    assert_eq!(seen, same_steps);
    engine.set(&format!("{CELL}[wireguard]\nendpoint = \"vpn.example.org\"\n")).unwrap();
    let later = engine.plan(&format!("{CELL}[dns]\nupstreams = [\"192.0.2.1\"]\n")).plan_id;
    assert_ne!(seen, later, "a plan made from another state must not be taken for this one");
}

#[test]
fn a_change_says_when_it_is_read_back() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    engine.set(&format!("{CELL}[dns]\nupstreams = [\"192.0.2.1\"]\n")).unwrap();
    assert_eq!(rig.looked(), [OperationState::Verifying]);
}

#[test]
fn how_a_change_went_outlives_the_engine() {
    let rig = Rig::with_cell(CELL);
    let engine = rig.run();
    engine.set(&format!("{CELL}[wireguard]\nport = 4444\n")).unwrap();
    drop(engine);
    let engine = rig.run();
    let waiting = engine.report().operation.clone().unwrap();
    assert_eq!((waiting.state, waiting.plan.risks.len()), (OperationState::AwaitingConfirm, 1));
    rig.fail_when("listen on");
    rig.advance(Duration::from_secs(1000));
    engine.poke();
    rig.fail_when("nothing");
    drop(engine);
    let engine = rig.run();
    let record = engine.record(2).unwrap();
    assert_eq!((record.state, record.risks.len()), (OperationState::Failed, 1), "the way back failed, too");
    assert!(record.words.contains("nobody confirmed"), "{}", record.words);
    engine.set(&format!("{CELL}{}", peer(2))).unwrap();
    drop(engine);
    assert_eq!(rig.run().record(3).unwrap().words, "done");
    rig.damage("op-3.json");
    assert_eq!(rig.run().record(3), None);
}
