//! The name server's snapshot as it is compiled from a cell with records, views, forwards and a blocklist.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use pic_model::config::parse;
use pic_model::key::PublicKey;
use pic_plan::Facts;
use pic_plan::compile::compile;
use pic_plan::facts::UplinkFacts;
use pic_plan::marks::FILE_DNS;

fn facts() -> Facts {
    Facts {
        now: 1_000_000,
        resolvers: vec!["203.0.113.1".parse().unwrap()],
        interfaces: Default::default(),
        ..pic_plan::memory::facts()
    }
}

fn targets(records: &str, facts: &Facts) -> pic_plan::Targets {
    let mut text = "[cell]\nname = \"home\"\n[wireguard]\nipv6 = \"off\"\n".to_owned();
    for (n, (name, allow)) in
        [("phone", "\"internet\", \"cell\""), ("tv", "\"cell\""), ("guest", "\"internet\"")]
            .iter()
            .enumerate()
    {
        let key = PublicKey::from_bytes([u8::try_from(n).unwrap() + 1; 32]);
        text.push_str(&format!("[[peer]]\nname = \"{name}\"\npublic_key = \"{key}\"\naddress = \"10.77.0.{}\"\nallow = [{allow}]\n", n + 2));
    }
    let desired = parse(&(text + records)).unwrap_or_else(|problems| panic!("{problems}"));
    compile(Some(&desired), facts)
}

fn snapshot(records: &str) -> serde_json::Value {
    serde_json::from_slice(&targets(records, &facts()).files[FILE_DNS].content).unwrap()
}

/// Rules of a chain.
fn chain(targets: &pic_plan::Targets, name: &str) -> String {
    let table = targets.nft.as_ref().unwrap();
    format!("{:?}", table.chains.iter().find(|chain| chain.name == name).unwrap().rules)
}

#[test]
fn everything_at_once() {
    let records = r#"
[dns]
upstreams = ["https://9.9.9.9/dns-query#dns.example.org"]
private = ["fritz.box"]
allow = ["good.example"]
[[dns.record]]
name = "nas"
type = "A"
value = "192.168.40.10"
[[dns.record]]
name = "nas"
type = "A"
value = "192.168.40.11"
for = ["tv"]
[[dns.record]]
name = "@"
type = "MX"
value = "10 mail.example.org"
ttl = 300
for = ["peers"]
[[dns.record]]
name = "9.0.77.10.in-addr.arpa"
type = "PTR"
value = "inside"
[[dns.record]]
name = "10.40.168.192.in-addr.arpa"
type = "PTR"
value = "nas"
[[dns.record]]
name = "lab"
type = "NS"
value = "ns.lab.home.cell"
[[dns.record]]
name = "ns.lab"
type = "A"
value = "192.168.40.53"
[[dns.forward]]
zone = "office.cell"
upstreams = ["10.99.0.1"]
[[dns.blocklist]]
name = "ads"
source = "/etc/pic/blocklists/ads"
[[dns.blocklist]]
name = "games"
source = "/etc/pic/blocklists/games"
for = ["phone"]
"#;
    insta::assert_snapshot!(serde_json::to_string_pretty(&snapshot(records)).unwrap());
}

#[test]
fn equal_peers_share_a_view() {
    let plain = snapshot("");
    // The host, peers with the cell, peers without it.
    assert_eq!(plain["views"].as_array().unwrap().len(), 3);
    assert!(plain.get("blocklists").is_none(), "nothing is blocked unless somebody asks for it");
}

#[test]
fn by_tls_at_the_same_addresses_for_the_same_clients() {
    let tls = "[dns.tls]\ncertificate = \"/c\"\nkey = \"/k\"\n";
    let plain = targets("", &facts());
    assert!(
        !chain(&plain, "input_peers").contains("DestinationPort(853)") && snapshot("").get("tls").is_none()
    );
    let lan = "[[lan]]\nname = \"l\"\ninterface = \"eth1\"\nipv4 = \"192.168.41.1/24\"\nipv6 = \"off\"\nallow = []\n";
    let lan_facts = Facts { interfaces: ["eth1".to_owned()].into(), ..facts() };
    let with = targets(&format!("{tls}https = true\nhttps_port = 8443\n{lan}"), &lan_facts);
    let told: serde_json::Value = serde_json::from_slice(&with.files[FILE_DNS].content).unwrap();
    let at = |port: u16| serde_json::json!([format!("10.77.0.1:{port}"), format!("192.168.41.1:{port}")]);
    assert_eq!(told["tls"], serde_json::json!({ "dns": at(853), "https": at(8443) }));
    assert_eq!(told["listen"], at(53));
    for name in ["input_peers", "input_lans"] {
        let rules = chain(&with, name);
        assert!(rules.contains("DestinationPort(853)") && rules.contains("DestinationPort(8443)"), "{rules}");
    }
    assert!(!chain(&with, "input_outside").contains("DestinationPort(853)"));
    assert_eq!(
        snapshot(tls)["tls"],
        serde_json::json!({ "dns": ["10.77.0.1:853"] }),
        "HTTPS only when asked for"
    );
}

#[test]
fn outside_is_served_only_when_asked_for() {
    let uplink = UplinkFacts {
        interface: "eth0".parse().unwrap(),
        ipv4: Some([203, 0, 113, 10].into()),
        ipv6: Some("2001:db8::10".parse().unwrap()),
        routes6: true,
    };
    let facts = Facts { uplink: Some(uplink), ..facts() };
    let record = "[[dns.record]]\nname = \"www\"\ntype = \"A\"\nvalue = \"192.0.2.1\"\nfor = [\"outside\"]\n";
    let read = |targets: &pic_plan::Targets| -> serde_json::Value {
        serde_json::from_slice(&targets.files[FILE_DNS].content).unwrap()
    };
    let closed = targets(record, &facts);
    assert!(!chain(&closed, "input_outside").contains("names for outside"));
    assert_eq!(read(&closed)["listen"], serde_json::json!(["10.77.0.1:53"]));
    assert!(read(&closed).get("outside").is_none());

    let open = targets(&format!("[dns]\noutside = true\n{record}"), &facts);
    let told = read(&open);
    assert_eq!(told["listen"], serde_json::json!(["10.77.0.1:53", "203.0.113.10:53", "[2001:db8::10]:53"]));
    let view = told["outside"].as_u64().unwrap();
    assert_eq!(told["views"][usize::try_from(view).unwrap()]["name"], "outside");
    assert_eq!(
        told["zones"][0]["records"][0]["views"],
        serde_json::json!([0, view]),
        "the host, and outside"
    );
    let rules = chain(&open, "input_outside");
    assert_eq!(rules.matches("names for outside").count(), 4, "{rules}");
    assert!(rules.contains("203.0.113.10/32") && rules.contains("2001:db8::10/128"));
}
