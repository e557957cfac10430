//! Every file that must not become a state: refused with exit code 3 and words that say what is wrong and where, and
//! nothing of what is in force has moved.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;

use pic_lab::cell::Cell;
use pic_lab::{Namespace, cmd, files, netns};

const HEAD: &str = "version = 1\n\n[cell]\nname = \"home\"\n";
const KEYS: [&str; 2] =
    ["xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="];

/// A device's table.
fn peer(name: &str, key: &str, rest: &str) -> String {
    format!("\n[[peer]]\nname = {name}\npublic_key = \"{key}\"\n{rest}\n")
}

fn two(names: [&str; 2], keys: [&str; 2], rest: [&str; 2]) -> String {
    (0..2).fold(HEAD.to_owned(), |text, n| text + &peer(names[n], keys[n], rest[n]))
}

/// What is wrong with each text, and a word that must be said about it.
fn bad() -> Vec<(&'static str, String, &'static str)> {
    let names = ["\"a\"", "\"b\""];
    let one = |name: &str| HEAD.to_owned() + &peer(name, KEYS[0], "");
    let name_cases = [
        ("a newline in a name", "\"a\\nb\""),
        ("a quote in a name", "\"a\\\"b\""),
        ("a percent sign in a name", "\"a%b\""),
        ("a dollar sign in a name", "\"a$b\""),
        ("dots in a name", "\"../a\""),
    ];
    let mut bad: Vec<_> = name_cases.into_iter().map(|(what, name)| (what, one(name), "name")).collect();
    bad.push(("a long name", one(&format!("\"{}\"", "a".repeat(300))), "name"));
    bad.extend([
        ("an unknown field", HEAD.to_owned() + "colour = \"red\"\n", "colour"),
        ("a name twice", two(["\"a\"", "\"a\""], KEYS, ["", ""]), "a"),
        ("a key twice", two(names, [KEYS[0], KEYS[0]], ["", ""]), "key"),
        (
            "an address twice",
            two(names, KEYS, ["address = \"10.77.0.9\"", "address = \"10.77.0.9\""]),
            "same address",
        ),
        (
            "a v6 address twice",
            HEAD.replace("\n[cell]", "\n[wireguard]\nipv6 = \"fd12:3456:789a:1::/64\"\n\n[cell]")
                + &peer(names[0], KEYS[0], "address6 = \"fd12:3456:789a:1::9\"")
                + &peer(names[1], KEYS[1], "address6 = \"fd12:3456:789a:1::9\""),
            "same address6",
        ),
        (
            "an address outside",
            HEAD.to_owned() + &peer(names[0], KEYS[0], "address = \"10.9.0.9\""),
            "10.9.0.9",
        ),
        (
            "a network of the host",
            HEAD.to_owned() + "\n[wireguard]\nipv4 = \"192.168.0.0/16\"\n",
            "192.168.7.0/24",
        ),
        ("a bad key", HEAD.to_owned() + &peer(names[0], "AAAA", ""), "key"),
        ("an empty file", String::new(), "cell"),
        ("a later version", HEAD.replace("version = 1", "version = 99"), "version"),
        ("half a file", HEAD[..HEAD.len() - 4].to_owned(), ""),
        ("bytes that are no text", HEAD.to_owned() + "\u{0}\u{1}", ""),
    ]);
    bad
}

/// Everything that is in force, in words.
fn in_force(cell: &Cell, namespace: &Namespace) -> String {
    let mut words = String::new();
    for line in
        ["nft --stateless list ruleset", "ip addr show dev pic0", "ip rule", "ip route show table all"]
    {
        let _ = write!(words, "{}", namespace.run(line).unwrap().ok().unwrap());
    }
    words += &cell.picctl("history --json").unwrap().ok().unwrap();
    words += &cell.picctl("peer list --json").unwrap().ok().unwrap();
    words + &std::fs::read_to_string(cell.path("etc/cell.toml")).unwrap()
}

#[test]
fn a_bad_file_is_refused_and_nothing_moves() {
    let (namespace, provider) = (Namespace::new("cell").unwrap(), Namespace::new("provider").unwrap());
    netns::veth(&namespace, "up0", &provider, "cell").unwrap();
    namespace.ip("addr add 203.0.113.5/24 dev up0").unwrap();
    namespace.ip("link set up0 up").unwrap();
    provider.ip("link set cell up").unwrap();
    namespace.ip("addr add 192.168.7.5/24 dev up0").unwrap();
    namespace.ip("route add default via 203.0.113.1").unwrap();
    let cell = Cell::start(&namespace, HEAD).unwrap();
    cell.add("phone", "").unwrap();
    let before = in_force(&cell, &namespace);
    let file = cell.path("bad.toml");
    let mut wrong = String::new();
    for (what, text, word) in bad() {
        files::write(&file, &text).unwrap();
        let mut command = cmd::command(pic_lab::cell::programs().join("picctl"));
        command.args(["apply", "--yes", "-f"]).arg(&file).env("PIC_SOCKET", cell.socket());
        let out = cmd::run(&mut command).unwrap();
        let says = out.stderr.contains(word) && out.stderr.contains("bad.toml");
        if out.code() != 3 || !says {
            let _ = writeln!(wrong, "{what}: exit code {}, words: {}", out.code(), out.stderr);
        }
        let after = in_force(&cell, &namespace);
        if after != before {
            let _ = writeln!(wrong, "{what}: something moved:\n{after}\nwas:\n{before}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
