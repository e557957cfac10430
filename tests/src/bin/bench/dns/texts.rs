//! What the servers are given to read.

use std::fmt::Write as _;
use std::path::Path;

use super::NAMES;
use super::servers::ADDRESS;

/// Zone of the names that a server has itself, and of those that it asks for.
pub(super) const INSIDE: &str = "bench.cell";
pub(super) const OUTSIDE: &str = "bench.example";
/// Of the names on a list.
pub(super) const BLOCKED: &str = "blocked.example";
/// Where the server is that has those.
pub(super) const UPSTREAM: &str = "127.0.0.2";

/// What pic-dns is given beside the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Views {
    /// No views.
    Off,
    /// Three views, half of the names for two of them, and a thousand clients that differ from their network.
    On,
}

/// A question for the address of a name.
pub(super) fn question(name: &str) -> Vec<u8> {
    let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap_or(0));
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, 1, 0, 1]);
    packet
}

/// Address of the nth name; `salt` makes another zone of it.
pub(super) fn address(n: usize, salt: usize) -> String {
    format!("10.{}.{}.{}", 100 + salt + n / 62_500, n / 250 % 250, n % 250)
}

/// Writing into a `String` cannot fail.
fn put(text: &mut String, more: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(more);
}

/// Snapshot of a zone with so many names, whose last so many questions are kept.
pub(super) fn zone(names: usize, salt: usize, zone: &str, listen: &str, views: Views, logged: u32) -> String {
    let mut text = String::with_capacity(64 * names + 256);
    let clients = "[\"127.0.0.0/8\",\"10.0.0.0/8\"]";
    put(
        &mut text,
        format_args!(
            "{{\"version\":1,\"generation\":{salt},\"listen\":[\"{listen}:53\"],\"clients\":{clients},\
             \"zones\":[{{\"name\":\"{zone}\",\"ttl\":60,\"hosts\":["
        ),
    );
    for n in 0..names {
        let comma = if n == 0 { "" } else { "," };
        let seen = if views == Views::On && n % 2 == 0 { ",\"views\":[0,2]" } else { "" };
        let address = address(n, salt);
        put(&mut text, format_args!("{comma}{{\"name\":\"n{n}\",\"addresses\":[\"{address}\"]{seen}}}"));
    }
    text.push_str("]}],\"reverse\":[\"10.in-addr.arpa\"],\"upstreams\":[]");
    put(&mut text, format_args!(",\"query_log\":{logged}"));
    if views == Views::On {
        let some = (0..1_000).map(|n| format!("\"10.77.{}.{}/32\"", n / 250, n % 250)).collect::<Vec<_>>();
        let view = |name: &str, clients: &str, internet: bool| {
            format!("{{\"name\":\"{name}\",\"clients\":[{clients}],\"cell\":true,\"internet\":{internet}}}")
        };
        let all = [
            view("host", "\"127.0.0.9/32\"", true),
            view("some", &some.join(","), false),
            view("rest", "\"127.0.0.0/8\"", true),
        ];
        put(&mut text, format_args!(",\"views\":[{}]", all.join(",")));
    }
    text.push('}');
    text
}

/// Names of so many leases, none of which is in the zone.
pub(super) fn leases(count: usize) -> String {
    let one = |n: usize| {
        let address = format!("10.99.{}.{}", n / 250, n % 250);
        format!("{{\"name\":\"device{n}\",\"otherwise\":\"device{n}-1\",\"addresses\":[\"{address}\"]}}")
    };
    format!("{{\"version\":1,\"names\":[{}]}}", (0..count).map(one).collect::<Vec<_>>().join(","))
}

/// The same snapshot, served by TLS as well.
pub(super) fn by_tls(mut zone: String, listen: &str) -> String {
    let _ = zone.pop();
    zone + &format!(",\"tls\":{{\"dns\":[\"{listen}:853\"]}}}}")
}

/// Snapshot without names, with an upstream and perhaps a blocklist.
pub(super) fn asking(list: &Path, blocks: bool) -> String {
    let path = list.display();
    let (lists, counts) = if blocks {
        (format!("[{{\"name\":\"all\",\"path\":\"{path}\"}}]"), "0")
    } else {
        ("[]".to_owned(), "")
    };
    format!(
        "{{\"version\":1,\"generation\":1,\"listen\":[\"{ADDRESS}:53\"],\"clients\":[\"127.0.0.0/8\"],\"zones\":[],\
         \"reverse\":[],\"upstreams\":[{{\"kind\":\"plain\",\"address\":\"{UPSTREAM}:53\"}}],\"private\":[\"{OUTSIDE}\"],\
         \"views\":[{{\"name\":\"all\",\"clients\":[\"127.0.0.0/8\"],\"cell\":true,\"internet\":true,\
         \"blocklists\":[{counts}]}}],\"blocklists\":{lists}}}"
    )
}

/// A hosts file of names that are blocked.
pub(super) fn blocklist(names: usize) -> String {
    (0..names).map(|n| format!("0.0.0.0 n{n}.{BLOCKED}\n")).collect()
}

/// The names as a hosts file.
pub(super) fn hosts() -> String {
    (0..NAMES).map(|n| format!("{} n{n}.{INSIDE}\n", address(n, 1))).collect()
}

/// unbound's configuration: the names as local data, or the upstream; by TLS with this certificate, and its key.
pub(super) fn unbound(asks: bool, certificate: Option<[&Path; 2]>) -> String {
    let mut text = format!(
        "server:\n interface: {ADDRESS}\n num-threads: 1\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n use-syslog: no\n \
         pidfile: \"\"\n verbosity: 0\n access-control: 127.0.0.0/8 allow\n incoming-num-tcp: 100\n \
         module-config: \"iterator\"\n do-not-query-localhost: no\n"
    );
    if let Some([certificate, key]) = certificate {
        put(
            &mut text,
            format_args!(
                " interface: {ADDRESS}@853\n tls-port: 853\n tls-service-pem: {}\n tls-service-key: {}\n",
                certificate.display(),
                key.display()
            ),
        );
    }
    if asks {
        put(&mut text, format_args!("forward-zone:\n name: \".\"\n forward-addr: {UPSTREAM}\n"));
    } else {
        put(&mut text, format_args!(" local-zone: \"{INSIDE}.\" static\n"));
        for n in 0..NAMES {
            put(&mut text, format_args!(" local-data: \"n{n}.{INSIDE}. 60 A {}\"\n", address(n, 1)));
        }
    }
    text.push_str("remote-control:\n control-enable: no\n");
    text
}
