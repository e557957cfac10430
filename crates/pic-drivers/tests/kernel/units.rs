//! Units as plain processes: readiness, survival, and never touching another process.

use crate::common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{in_namespace, run, wait_for};
use pic_drivers::units::{Child, Children, Error, Manager};

fn manager(folder: &Path, program: &str, arguments: &[&str]) -> Manager {
    let child = Child {
        program: program.into(),
        arguments: arguments.iter().map(Into::into).collect(),
        environment: BTreeMap::new(),
        ready_socket: None,
        ready_path: None,
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
    let buried = async {
        while Path::new(&format!("/proc/{pid}")).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), buried).await.unwrap();
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

#[test]
fn one_with_a_socket_is_ready_when_it_answers() {
    in_namespace(|| {
        let name = format!("pic{}", 100_000 + std::process::id());
        let socket = pic_drivers::wireguard::socket_path(&name);
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let child = Child {
            program: "wireguard-go".into(),
            arguments: vec!["--foreground".into(), name.clone().into()],
            environment: [("WG_PROCESS_FOREGROUND".to_owned(), "1".into())].into(),
            ready_socket: Some(socket.clone()),
            ready_path: None,
        };
        let manager =
            Manager::Children(Children::new([(UNIT.to_owned(), child)].into(), folder.path().to_owned()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            manager.start(UNIT).await.unwrap();
            assert!(pic_drivers::wireguard::observe(&name).unwrap().is_some(), "it answers once started");
            manager.stop(UNIT).await.unwrap();
        });
        assert!(!run("ip link").contains(&name));
    });
}
