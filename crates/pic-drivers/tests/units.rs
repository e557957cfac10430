//! Units as plain processes: readiness, survival, and never touching another process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{run, wait_for};
use pic_drivers::units::{Child, Children, Error, Manager};

fn manager(folder: &Path, program: &str, arguments: &[&str]) -> Manager {
    let child = Child {
        program: program.into(),
        arguments: arguments.iter().map(Into::into).collect(),
        environment: BTreeMap::new(),
        ready_socket: None,
    };
    Manager::Children(Children::new([("pic-test.service".into(), child)].into(), folder.to_owned()))
}

const UNIT: &str = "pic-test.service";

async fn words(manager: &Manager) -> String {
    manager.observe(&[UNIT]).await.unwrap()[UNIT].words.clone()
}

#[tokio::test]
async fn starts_once_is_found_again_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let first = manager(folder.path(), "/bin/sleep", &["600"]);
    assert_eq!(words(&first).await, "inactive");
    first.start(UNIT).await.unwrap();
    let record = std::fs::read_to_string(folder.path().join("pic-test.service.pid")).unwrap();
    first.start(UNIT).await.unwrap();
    drop(first);

    let second = manager(folder.path(), "/bin/sleep", &["600"]);
    assert_eq!(words(&second).await, "active");
    second.start(UNIT).await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("pic-test.service.pid")).unwrap(), record);
    second.stop(UNIT).await.unwrap();
    second.stop(UNIT).await.unwrap();
    assert_eq!(words(&second).await, "inactive");
    let pid = record.split(' ').next().unwrap();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn one_that_dies_is_failed_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path(), "/bin/sleep", &["600"]);
    manager.start(UNIT).await.unwrap();
    let record = std::fs::read_to_string(folder.path().join("pic-test.service.pid")).unwrap();
    run(&format!("kill -9 {}", record.split(' ').next().unwrap()));
    while words(&manager).await == "active" {
        tokio::task::yield_now().await;
    }
    assert_eq!(words(&manager).await, "failed");
    manager.start(UNIT).await.unwrap();
    assert_eq!(words(&manager).await, "active");
    manager.stop(UNIT).await.unwrap();
}

#[tokio::test]
async fn one_that_ends_at_once_says_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path(), "/bin/ls", &["/nonexistent"]);
    let error = manager.start(UNIT).await.unwrap_err();
    let Error::Ended { log, .. } = error else { panic!("{error:?}") };
    wait_for("the log", || std::fs::read_to_string(&log).unwrap().contains("nonexistent"));
}

#[tokio::test]
async fn a_record_of_another_process_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path(), "/bin/sleep", &["600"]);
    let record = folder.path().join("pic-test.service.pid");
    for text in [format!("{} 1\n", std::process::id()), "garbage".into(), String::new()] {
        #[expect(clippy::disallowed_methods, reason = "a test file")]
        std::fs::write(&record, text).unwrap();
        assert!(!manager.observe(&[UNIT]).await.unwrap()[UNIT].active);
        manager.stop(UNIT).await.unwrap();
    }
}

#[tokio::test]
async fn unknown_units_and_programs_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let manager = manager(folder.path(), "/nonexistent/program", &[]);
    assert!(matches!(manager.start("other.service").await.unwrap_err(), Error::Unknown { .. }));
    let error = manager.start(UNIT).await.unwrap_err().to_string();
    assert_eq!(error, "cannot start pic-test.service (/nonexistent/program)");
}
