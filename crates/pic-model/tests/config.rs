//! `cell.toml` read as a person would write it, rightly and wrongly.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use pic_model::config::{parse, read};
use pic_model::{ProblemCode, Problems};

const KEY: &str = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
const KEY3: &str = "Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2M=";
const KEY2: &str = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=";

fn problems(text: &str) -> Problems {
    parse(text).expect_err("must be refused")
}

fn codes(text: &str) -> Vec<ProblemCode> {
    problems(text).0.iter().map(|p| p.code).collect()
}

#[test]
fn the_smallest_cell() {
    let cell = parse("[cell]\nname = \"home\"\n").unwrap();
    assert_eq!(cell.cell.name.zone(), "home.cell");
    assert_eq!(cell.wireguard.port, 51820);
    assert!(cell.peers.is_empty());
}

#[test]
fn peers_get_addresses_in_order() {
    let text = format!(
        "[cell]\nname=\"home\"\n[[peer]]\nname=\"b\"\npublic_key=\"{KEY}\"\n[[peer]]\nname=\"a\"\npublic_key=\"{KEY2}\"\naddress=\"10.77.0.2\"\n"
    );
    let cell = parse(&text).unwrap();
    assert_eq!(cell.peers[&"b".parse().unwrap()].address.to_string(), "10.77.0.3");
}

#[test]
fn peers_without_addresses_keep_those_they_had() {
    let peer = |name: &str, key: &str| format!("[[peer]]\nname=\"{name}\"\npublic_key=\"{key}\"\n");
    let cell = "[cell]\nname=\"home\"\n";
    let before = parse(&format!("{cell}{}{}", peer("a", KEY), peer("b", KEY2))).unwrap();
    let address = |text: &str, name: &str| {
        let read = read(text, Some(&before)).unwrap();
        assert_eq!(read.given[&name.parse().unwrap()], read.desired.peers[&name.parse().unwrap()].address);
        read.given[&name.parse().unwrap()].to_string()
    };
    let alone = format!("{cell}{}", peer("b", KEY2));
    assert_eq!(address(&alone, "b"), "10.77.0.3");
    assert_eq!(address(&alone.replace("\"b\"", "\"c\""), "c"), "10.77.0.3", "by its key");
    assert_eq!(address(&alone.replace(KEY2, KEY3), "b"), "10.77.0.3", "by its name");
    let turned = format!("{cell}{}{}", peer("b", KEY2), peer("a", KEY));
    assert_eq!((address(&turned, "a").as_str(), address(&turned, "b").as_str()), ("10.77.0.2", "10.77.0.3"));
    let taken = format!("{cell}{}{}address=\"10.77.0.3\"\n", peer("b", KEY2), peer("c", KEY3));
    assert_eq!(address(&taken, "b"), "10.77.0.2");
    let elsewhere = format!("{alone}[wireguard]\nipv4=\"10.9.0.0/24\"\n");
    assert_eq!(address(&elsewhere, "b"), "10.9.0.2");
}

#[test]
fn all_problems_at_once_with_places() {
    let text = format!(
        "version = 1\nwhat = 1\n[cell]\nname = \"Home\"\n[wireguard]\nport = \"x\"\nipv4 = \"10.0.0.1/16\"\n[[peer]]\nname = \"phone\"\nadress = \"10.0.0.2\"\npublic_key = \"{KEY}\"\n[[peer]]\nname = \"phone\"\npublic_key = \"{KEY}\"\n"
    );
    let found = problems(&text);
    insta::assert_snapshot!(found.to_string());
}

#[test]
fn records_and_forwards() {
    let text = format!(
        "[cell]\nname = \"home\"\n[[peer]]\nname = \"phone\"\npublic_key = \"{KEY}\"\n[dns]\n\
        record = [\n{{ name = \"a\", type = \"A\", value = \"192.0.2.1\", ttl = 5, for = [\"peers\", \"phone\"] }},\n\
        {{ name = \"sub\", type = \"NS\", value = \"a\" }},\n\
        {{ name = \"*.x\", type = \"CNAME\", value = \"www.example.org\" }},\n\
        {{ name = \"1.2.0.192.in-addr.arpa\", type = \"PTR\", value = \"a\" }} ]\n\
        forward = [{{ zone = \"office.cell\", upstreams = [\"10.99.0.1\"] }}]\n"
    );
    let cell = parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((cell.dns.records.len(), cell.dns.forwards.len()), (4, 1));
    assert_eq!(cell.dns.records[2].data.text, "www.example.org.");
}

#[test]
fn records_that_cannot_be() {
    let record = |fields: &str| format!("[[dns.record]]\n{fields}\n");
    let all = [
        "name = \"a\"\ntype = \"CNAME\"\nvalue = \"b\"",
        "name = \"a\"\ntype = \"TXT\"\nvalue = \"beside it\"",
        "name = \"phone\"\ntype = \"A\"\nvalue = \"192.0.2.1\"",
        "name = \"@\"\ntype = \"A\"\nvalue = \"192.0.2.1\"",
        "name = \"sub\"\ntype = \"NS\"\nvalue = \"ns.example.org\"",
        "name = \"x.sub\"\ntype = \"TXT\"\nvalue = \"beneath it\"",
        "name = \"1.2.0.192.in-addr.arpa\"\ntype = \"TXT\"\nvalue = \"x\"",
        "name = \"b\"\ntype = \"TXT\"\nvalue = \"x\"\nfor = [\"nobody\"]",
        "name = \"c\"\ntype = \"MX\"\nvalue = \"10 d\"",
        "name = \"c\"\ntype = \"MX\"\nvalue = \"10 d.home.cell\"",
    ];
    let cell = format!("[cell]\nname = \"home\"\n[[peer]]\nname = \"phone\"\npublic_key = \"{KEY}\"\n");
    let forwards = "[[dns.forward]]\nzone = \"home.cell\"\nupstreams = [\"10.99.0.1\"]\n";
    let text = cell.clone() + &all.map(record).concat() + forwards;
    insta::assert_snapshot!("records_between_tables", problems(&text).to_string());
    let single = [
        "name = \"www.example.org.\"\ntype = \"A\"\nvalue = \"192.0.2.1\"",
        "name = \"a b\"\ntype = \"A\"\nvalue = \"192.0.2.1\"",
        "name = \"a\"\ntype = \"SPF\"\nvalue = \"x\"",
        "name = \"a\"\ntype = \"A\"\nvalue = \"fd00::1\"\nttl = -1",
        "name = \"a\"\ntype = \"A\"\nvalue = \"192.0.2.1\"\nfor = [\"Not A Name\"]",
        "name = \"a\"\nvaleu = \"192.0.2.1\"",
    ];
    let text = cell + &single.map(record).concat() + "[[dns.forward]]\nzone = \"office.cell\"\n";
    insta::assert_snapshot!("records_by_themselves", problems(&text).to_string());
}

#[test]
fn groups_and_schedules() {
    let text = format!(
        "[cell]\nname = \"home\"\ntimezone = \"europe/paris\"\n[[group]]\nname = \"kids\"\n[[lan]]\nname = \"lan\"\n\
        interface = \"eth1\"\nipv4 = \"192.168.40.1/24\"\n[[reservation]]\nlan = \"lan\"\nmac = \"00:11:22:33:44:5a\"\n\
        address = \"192.168.40.10\"\ngroups = [\"kids\"]\n[[peer]]\nname = \"tablet\"\npublic_key = \"{KEY}\"\n\
        groups = [\"kids\"]\n[[dns.blocklist]]\nname = \"ads\"\nsource = \"/ads\"\nfor = [\"kids\", \"lan\", \"tablet\"]\n\
        when = [\"mon-fri 20:00-07:00\", \"sun\"]\n"
    );
    let cell = parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(cell.cell.timezone, "Europe/Paris");
    assert_eq!(cell.peers.values().next().unwrap().groups, cell.groups);
    assert_eq!(cell.reservations[0].groups, cell.groups);
    let when = cell.dns.blocklists[0].when.as_ref().unwrap();
    assert_eq!(when.to_string(), "mon-fri 20:00-07:00; sun 00:00-24:00");
    let wrong = [
        ("[\"kids\"]\n[[dns", "[\"kid\", 3]\n[[dns"),
        ("name = \"kids\"", "name = \"lan\""),
        ("name = \"kids\"", "name = \"peers\""),
        ("\"kids\", \"lan\", \"tablet\"]", "\"kidz\", \"table\", \"everybody\"]"),
        ("europe/paris", "Europe/Pari"),
        ("mon-fri 20:00", "mon-fry 20:00"),
        ("[\"mon-fri 20:00-07:00\", \"sun\"]", "[]"),
    ];
    let told: Vec<_> = wrong.iter().map(|(old, new)| problems(&text.replace(old, new)).to_string()).collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn the_query_log_is_bounded() {
    let text = |number: &str| format!("[cell]\nname = \"home\"\n[dns]\nquery_log = {number}\n");
    assert_eq!(parse("[cell]\nname = \"home\"\n").unwrap().dns.query_log, 0);
    assert_eq!(parse(&text("50000")).unwrap().dns.query_log, 50_000);
    for wrong in ["-1", "50001", "4294967297", "\"all\""] {
        let told = problems(&text(wrong)).to_string();
        assert!(told.contains("dns.query_log") && told.contains("4:"), "{told}");
    }
}

#[test]
fn hostile_values() {
    let long = "a".repeat(300);
    for name in ["a\\nb", "a\\\"b", "a%b", "$(id)", "..", &long, ""] {
        let text = format!("[cell]\nname=\"home\"\n[[peer]]\nname=\"{name}\"\npublic_key=\"{KEY}\"\n");
        assert_eq!(codes(&text), [ProblemCode::BadValue], "{name}");
    }
    assert_eq!(codes(""), [ProblemCode::Missing]);
    assert_eq!(codes("[cell]\nname = \"home"), [ProblemCode::Syntax]);
    assert!(codes("version = 2\n[cell]\nname=\"home\"\n").contains(&ProblemCode::Version));
    assert_eq!(codes("cell = 3\n"), [ProblemCode::Missing, ProblemCode::WrongType]);
    let outside = format!(
        "[cell]\nname=\"home\"\n[[peer]]\nname=\"a\"\npublic_key=\"{KEY}\"\naddress=\"192.168.0.1\"\n"
    );
    assert_eq!(codes(&outside), [ProblemCode::BadValue]);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,400}") {
        let _ = parse(&text);
    }

    #[test]
    fn cut_files_never_panic(at in 0usize..200) {
        let text = format!("[cell]\nname=\"home\"\n[[peer]]\nname=\"a\"\npublic_key=\"{KEY}\"\nallow=[\"cell\"]\n");
        let _ = parse(text.get(..at).unwrap_or(&text));
    }
}
