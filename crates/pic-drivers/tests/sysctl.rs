//! Kernel settings in a network namespace of the test's own. Needs root.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod hosts;

use hosts::{Host, run};
use pic_drivers::sysctl::{self, Error};
use pic_plan::target::sysctl::Key;

#[test]
fn a_setting_is_written_and_read_back() {
    Host::new().run(|| {
        let forward = Key::new(&["net", "ipv4", "ip_forward"]);
        for value in ["1", "0", "1"] {
            sysctl::write(&forward, value).unwrap();
            assert_eq!(sysctl::read(&forward).unwrap().as_deref(), Some(value));
        }
        let range = Key::new(&["net", "ipv4", "ip_local_port_range"]);
        sysctl::write(&range, "20000\t30000").unwrap();
        assert_eq!(sysctl::read(&range).unwrap().as_deref(), Some("20000\t30000"));
    });
}

#[test]
fn settings_belong_to_the_namespace() {
    let (one, other) = (Host::new(), Host::new());
    let forward = || Key::new(&["net", "ipv4", "ip_forward"]);
    other.run(move || sysctl::write(&forward(), "0").unwrap());
    one.run(move || sysctl::write(&forward(), "1").unwrap());
    assert_eq!(other.run(move || sysctl::read(&forward()).unwrap()).as_deref(), Some("0"));
}

#[test]
fn an_interface_with_a_dot_in_its_name_is_one_part() {
    Host::new().run(|| {
        run("ip", &["link", "add", "va.5", "type", "veth", "peer", "name", "vb"]);
        let key = Key::new(&["net", "ipv4", "conf", "va.5", "rp_filter"]);
        sysctl::write(&key, "2").unwrap();
        assert_eq!(run("sysctl", &["-n", &key.to_string()]).trim(), "2");
        run("ip", &["link", "delete", "va.5"]);
        assert_eq!(sysctl::read(&key).unwrap(), None);
        let gone = sysctl::write(&key, "2").unwrap_err();
        assert_eq!(gone.to_string(), "cannot set the kernel setting net.ipv4.conf.va/5.rp_filter to \"2\"");
    });
}

#[test]
fn what_the_kernel_refuses_is_an_error() {
    Host::new().run(|| {
        let forward = Key::new(&["net", "ipv4", "ip_forward"]);
        assert!(matches!(sysctl::write(&forward, "many"), Err(Error::Write { .. })));
        assert!(matches!(sysctl::write(&forward, "1\n0"), Err(Error::Value { .. })));
        assert!(matches!(sysctl::write(&Key::new(&["net", "..", "x"]), "1"), Err(Error::Key { .. })));
    });
}
