//! What devices call themselves is any bytes, and may be what others are called.

use crate::kit::{Host, dig, soon, start, told};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gets an address, calling itself these bytes.
fn ask(host: &Host, name: &[u8]) -> String {
    let script = host.scratch.join("script");
    let line =
        format!("busybox udhcpc -i eth0 -n -q -f -t 8 -T 1 -x 0x0c:{} -s {}", hex(name), script.display());
    let out = host.namespace.run(&line).unwrap();
    assert_eq!(out.code(), 0, "{}{}", out.stdout, out.stderr);
    told(&out.stdout, "ip")
}

#[test]
fn hostile_names_are_labels_or_none() {
    let (_lab, [lan, _guests], cell) = start();
    let long = [b'a'; 250];
    let names: [(&[u8], &str); 7] = [
        (b"<script>alert(1)</script>", "script-alert-1-script"),
        (&long, &"a".repeat(63)),
        (b"evil\0.home.cell", "evil"),
        (b"..", ""),
        ("m\u{fc}ller".as_bytes(), "m-ller"),
        (b"xn--mller-kva", "xn-mller-kva"),
        (b"localhost", ""),
    ];
    let mut hosts = Vec::new();
    for (number, (name, label)) in names.iter().enumerate() {
        let host = Host::plug(&lan, "odd", &format!("02:00:00:00:01:{number:02x}"));
        let address = ask(&host, name);
        let at = format!("@192.168.40.1 -x {address}");
        if label.is_empty() {
            let listed = cell.picctl(&format!("dhcp leases {address}")).unwrap().ok().unwrap();
            assert_eq!(listed.split('\t').nth(1), Some(""), "{listed}");
            assert_eq!(dig(&host.namespace, &at), "", "{name:?}");
        } else {
            soon(label, || dig(&host.namespace, &at) == format!("{label}.home.cell."));
        }
        hosts.push(host);
    }
    let listed = cell.picctl("dhcp leases --json").unwrap().ok().unwrap();
    assert!(!listed.contains('<') && !listed.contains("\\u0000"), "{listed}");
    assert!(dig(&hosts[0].namespace, "@192.168.40.1 ns.home.cell").len() < 20);
}

#[test]
fn who_is_written_down_has_the_name_and_others_are_told() {
    let (_lab, [lan, _guests], cell) = start();
    let first = Host::plug(&lan, "first", "02:00:00:00:00:51");
    let second = Host::plug(&lan, "second", "02:00:00:00:00:52");
    let at = |name: &str| dig(&first.namespace, &format!("@192.168.40.1 {name}.home.cell"));
    let (a, b) = (ask(&first, b"tv"), ask(&second, b"tv"));
    // Who was there first has it.
    soon("the second's name", || at("tv-000052") == b);
    assert_eq!(at("tv"), a);
    let listed = cell.picctl("dhcp leases --lan lan").unwrap().ok().unwrap();
    assert!(listed.contains("\ttv\t") && listed.contains("tv-000052 (says tv)"), "{listed}");
    // A record goes before both, whenever it is written.
    cell.picctl("dns add tv A 192.168.40.77").unwrap().ok().unwrap();
    soon("the record", || at("tv") == "192.168.40.77");
    soon("another name for the first", || at("tv-000051") == a);
    let listed = cell.picctl("dhcp leases").unwrap().ok().unwrap();
    assert!(listed.contains("tv-000051 (says tv)") && listed.contains("tv-000052 (says tv)"), "{listed}");
    // So does a reservation, and a device of the tunnel's.
    cell.picctl("dns remove tv").unwrap().ok().unwrap();
    cell.picctl(&format!("dhcp reserve tv --address {b}")).unwrap().ok().unwrap();
    soon("the reservation", || at("tv") == b && at("tv-000051") == a);
    cell.picctl("dhcp unreserve tv").unwrap().ok().unwrap();
    soon("the first again", || at("tv") == a);
    cell.add("tv", "").unwrap();
    soon("the peer's name to be nobody else's", || at("tv-000051") == a && at("tv-000052") == b);
    assert_eq!(
        cell.picctl(&format!("dhcp reserve tv --address {a}")).unwrap().code(),
        3,
        "refused: a peer has it"
    );
}
