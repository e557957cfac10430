//! Units against a real systemd.
//!
//! For a throw-away container or virtual machine that was booted by systemd: writes units into
//! `/run/systemd/system`. Run there as root: `units_systemd --ignored`.

use crate::common;

use common::run;
use pic_drivers::units::{Error, Manager, Systemd};

fn unit(name: &str, service: &str) {
    let path = format!("/run/systemd/system/{name}");
    #[expect(clippy::disallowed_methods, reason = "a test file")]
    std::fs::write(path, format!("[Service]\n{service}\n")).unwrap();
}

async fn words(manager: &Manager, name: &str) -> String {
    let states = manager.observe(&[name]).await.unwrap();
    let shown = run(&format!("systemctl show --property=ActiveState --value {name}"));
    assert_eq!(states[name].words, shown.trim());
    states[name].words.clone()
}

#[tokio::test]
#[ignore = "needs a host booted by systemd"]
async fn starts_stops_and_tells_failures() {
    unit(
        "pic-test-good.service",
        "Type=notify\nNotifyAccess=all\nExecStart=sh -c 'sleep 1; systemd-notify --ready; exec sleep 600'",
    );
    unit("pic-test-quick.service", "Type=oneshot\nRemainAfterExit=yes\nExecStart=true");
    unit("pic-test-bad.service", "Type=oneshot\nExecStart=false\nStartLimitBurst=1");
    run("systemctl daemon-reload");
    assert!(Manager::host_has_systemd());
    let manager = Manager::Systemd(Systemd::connect().await.unwrap());

    for name in ["pic-test-good.service", "pic-test-quick.service"] {
        assert_eq!(words(&manager, name).await, "inactive");
        manager.start(name).await.unwrap();
        assert_eq!(words(&manager, name).await, "active", "start returns when the unit is ready");
        manager.start(name).await.unwrap();
        manager.stop(name).await.unwrap();
        manager.stop(name).await.unwrap();
        assert_eq!(words(&manager, name).await, "inactive");
    }

    for _ in 0..8 {
        let error = manager.start("pic-test-bad.service").await.unwrap_err();
        assert!(matches!(&error, Error::Job { result, .. } if result == "failed"), "{error:?}");
    }
    assert_eq!(words(&manager, "pic-test-bad.service").await, "failed");
    assert!(!manager.observe(&["pic-test-bad.service"]).await.unwrap()["pic-test-bad.service"].active);
}

#[tokio::test]
#[ignore = "needs a host booted by systemd"]
async fn a_unit_that_is_not_there() {
    let manager = Manager::Systemd(Systemd::connect().await.unwrap());
    assert_eq!(words(&manager, "pic-test-none.service").await, "inactive");
    manager.stop("pic-test-none.service").await.unwrap();
    let error = manager.start("pic-test-none.service").await.unwrap_err();
    assert_eq!(error.to_string(), "systemd cannot start pic-test-none.service");
}
