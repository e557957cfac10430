//! A table with every expression there is, and what the `nft` tool must say of it.

use pic_plan::marks::MARK_DIRECT;
use pic_plan::target::nft::{
    Base, CT_ESTABLISHED, CT_INVALID, CT_RELATED, Chain, ChainKind, Elements, Expr, Flow, Hook, Is, L4,
    Meter, Rule, Shape, Table,
};
use pic_plan::target::rule::Family;

fn limit(text: &str) -> pic_model::limit::Limit {
    text.parse().unwrap()
}

fn name(name: &str) -> String {
    name.to_owned()
}

/// Each rule with the texts that versions of the `nft` tool print for it.
fn rules() -> Vec<(Rule, &'static [&'static str])> {
    let rows: Vec<(Vec<Expr>, &'static [&'static str])> = vec![
        (vec![Expr::Iif(Is::In, name("pic0")), Expr::Drop], &["iifname \"pic0\" drop"]),
        (vec![Expr::Oif(Is::NotIn, name("pic*")), Expr::Return], &["oifname != \"pic*\" return"]),
        (vec![Expr::Family(Family::V4), Expr::Counter], &["meta nfproto ipv4 counter packets 0 bytes 0"]),
        (vec![Expr::Family(Family::V6), Expr::Accept], &["meta nfproto ipv6 accept"]),
        (vec![Expr::L4(L4::Udp), Expr::Drop], &["meta l4proto udp drop"]),
        (vec![Expr::SourceIn(Is::In, name("sources4")), Expr::Drop], &["ip saddr @sources4 drop"]),
        (
            vec![Expr::Family(Family::V6), Expr::DestinationIn(Is::NotIn, name("nets6")), Expr::Drop],
            &["ip6 daddr != @nets6 drop"],
        ),
        (
            vec![Expr::Source4(Is::In, "10.0.0.0/8".parse().unwrap()), Expr::Drop],
            &["ip saddr 10.0.0.0/8 drop"],
        ),
        (
            vec![Expr::Destination4(Is::NotIn, "10.1.2.3/32".parse().unwrap()), Expr::Drop],
            &["ip daddr != 10.1.2.3 drop"],
        ),
        (
            vec![Expr::Source6(Is::NotIn, "fd00:1:2::/49".parse().unwrap()), Expr::Drop],
            &["ip6 saddr != fd00:1:2::/49 drop"],
        ),
        (
            vec![Expr::Destination6(Is::In, "fd00::1/128".parse().unwrap()), Expr::Drop],
            &["ip6 daddr fd00::1 drop"],
        ),
        (vec![Expr::L4(L4::Tcp), Expr::DestinationPort(443), Expr::Accept], &["tcp dport 443 accept"]),
        (vec![Expr::L4(L4::Udp), Expr::SourcePort(53), Expr::Accept], &["udp sport 53 accept"]),
        (
            vec![Expr::L4(L4::Udp), Expr::DestinationPortIn(name("ports")), Expr::Accept],
            &["udp dport @ports accept"],
        ),
        (
            vec![Expr::Family(Family::V4), Expr::L4(L4::Icmp), Expr::IcmpType(8), Expr::Accept],
            &["icmp type echo-request accept"],
        ),
        (
            vec![
                Expr::Family(Family::V6),
                Expr::L4(L4::Icmp6),
                Expr::IcmpType(135),
                Expr::HopLimit6(255),
                Expr::Accept,
            ],
            &["icmpv6 type nd-neighbor-solicit ip6 hoplimit 255 accept"],
        ),
        (
            vec![Expr::CtState(CT_ESTABLISHED | CT_RELATED), Expr::Accept],
            &["ct state established,related accept"],
        ),
        (vec![Expr::CtState(CT_INVALID), Expr::Drop], &["ct state invalid drop"]),
        (vec![Expr::CtReply, Expr::Accept], &["ct direction reply accept"]),
        (vec![Expr::CtOriginal, Expr::Accept], &["ct direction original accept"]),
        (vec![Expr::CtDnat, Expr::Accept], &["ct status dnat accept"]),
        (vec![Expr::DestinationLocal(Is::In), Expr::Accept], &["fib daddr type local accept"]),
        (vec![Expr::DestinationLocal(Is::NotIn), Expr::Drop], &["fib daddr type != local drop"]),
        (
            vec![Expr::Mark(Is::In, MARK_DIRECT), Expr::Drop],
            &["meta mark & 0xff000000 == 0x01000000 drop", "meta mark 0x01000000/8 drop"],
        ),
        (
            vec![Expr::Mark(Is::NotIn, MARK_DIRECT), Expr::Drop],
            &["meta mark & 0xff000000 != 0x01000000 drop", "meta mark != 0x01000000/8 drop"],
        ),
        (
            vec![Expr::SetMark(MARK_DIRECT)],
            // The tool simplifies (mark & 0x00ffffff) ^ 0x01000000 to forms of equal value.
            &[
                "meta mark set meta mark & 0x01ffffff | 0x01000000",
                "meta mark set meta mark & 0x00ffffff | 0x01000000",
            ],
        ),
        (
            vec![Expr::ShareOfSource(Family::V4)],
            &[
                "meta priority set jhash ip saddr mod 256 seed 0x77 offset 1996488960",
                "meta nfproto ipv4 meta priority set jhash ip saddr mod 256 seed 0x77 offset 1996488960",
            ],
        ),
        (
            vec![Expr::ShareOfDestination(Family::V6)],
            &[
                "meta priority set jhash ip6 daddr mod 256 seed 0x77 offset 1996488960",
                "meta nfproto ipv6 meta priority set jhash ip6 daddr mod 256 seed 0x77 offset 1996488960",
            ],
        ),
        (vec![Expr::SetMark(0)], &["meta mark set meta mark & 0x00ffffff"]),
        (vec![Expr::Limit(5, 7), Expr::Accept], &["limit rate 5/second burst 7 packets accept"]),
        (vec![Expr::ClampMss], &["tcp flags syn tcp option maxseg size set rt mtu"]),
        (
            vec![Expr::Reject],
            &["reject with icmpx admin-prohibited", "reject with icmpx type admin-prohibited"],
        ),
        (vec![Expr::TcpBegins, Expr::Drop], &["tcp flags syn drop", "tcp flags & syn != 0x0 drop"]),
        (vec![Expr::TcpRunning, Expr::Drop], &["tcp flags ! syn drop", "tcp flags & syn == 0x0 drop"]),
        (
            vec![Expr::L4(L4::Tcp), Expr::Reset],
            &["meta l4proto tcp reject with tcp reset", "meta l4proto 6 reject with tcp reset"],
        ),
        (vec![Expr::Jump(name("other"))], &["jump other"]),
        (vec![Expr::Goto(name("other"))], &["goto other"]),
        (vec![Expr::SourceIn(Is::In, name("rates4")), Expr::Drop], &["ip saddr @rates4 drop"]),
        (vec![Expr::CountSource(name("tally4"))], &["add @tally4 { ip saddr }"]),
        (vec![Expr::CountDestination(name("tally6"))], &["add @tally6 { ip6 daddr }"]),
        (
            vec![
                Expr::DestinationIn(Is::In, name("learned4")),
                Expr::Refresh(name("learned4")),
                Expr::Accept,
            ],
            &["ip daddr @learned4 update @learned4 { ip daddr } accept"],
        ),
        (
            vec![Expr::DestinationIn(Is::In, name("learned6")), Expr::Refresh(name("learned6"))],
            &["ip6 daddr @learned6 update @learned6 { ip6 daddr }"],
        ),
        (vec![Expr::IifIn(name("tally_links"))], &["iifname @tally_links"]),
        (vec![Expr::OifIn(name("tally_links"))], &["oifname @tally_links"]),
        (
            vec![Expr::Over(limit("6/minute burst 10"), name("meter4")), Expr::Drop],
            &["update @meter4 { ip saddr limit rate over 6/minute burst 10 packets } drop"],
        ),
        (
            vec![Expr::Over(limit("9/second burst 7"), name("meter6")), Expr::Drop],
            &[
                "update @meter6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 9/second burst 7 packets } drop",
            ],
        ),
        (
            vec![Expr::FlowIn(shape(32, 24), name("pairs4")), Expr::Accept],
            &["ip saddr . ip daddr & 255.255.255.0 @pairs4 accept"],
        ),
        (
            vec![Expr::Family(Family::V6), Expr::FlowIn(shape(128, 128), name("pairs6")), Expr::Accept],
            &["ip6 saddr . ip6 daddr @pairs6 accept"],
        ),
        (
            vec![Expr::FlowIn(shape(16, 32), name("flows4")), Expr::Accept],
            &["ip saddr & 255.255.0.0 . ip daddr . meta l4proto . th dport @flows4 accept"],
        ),
        (
            vec![Expr::FlowIn(shape(64, 128), name("flows6")), Expr::Accept],
            &["ip6 saddr & ffff:ffff:ffff:ffff:: . ip6 daddr . meta l4proto . th dport @flows6 accept"],
        ),
    ];
    rows.into_iter().map(|(exprs, texts)| (Rule { exprs, why: "test: a rule" }, texts)).collect()
}

fn chain(name: &str, base: Option<(ChainKind, Hook, i32, bool)>, rules: Vec<Rule>) -> Chain {
    let base = base.map(|(kind, hook, priority, accept)| Base { kind, hook, priority, accept });
    Chain { name: name.to_owned(), base, rules }
}

fn shape(source: u8, destination: u8) -> Shape {
    Shape { source, destination }
}

/// Sets and maps of several fields.
fn rows() -> [(String, Elements); 15] {
    let (a, b) = ([10, 0, 0, 1].into(), [10, 0, 1, 0].into());
    let (c, d) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
    let (transport, port) = (L4::Tcp, 445);
    [
        (name("rates4"), Elements::Rates4([(a, 2_500_000), (b, 12_500)].into())),
        (name("twins6"), Elements::Twins6([(c, a), (d, b)].into())),
        (name("tally4"), Elements::Tally4),
        (name("tally6"), Elements::Tally6),
        (name("tally_links"), Elements::TallyLinks([name("eth0"), name("a-name-of-15-ch")].into())),
        (name("meter4"), Elements::Meter4(Meter { remembered: 120 })),
        (name("meter6"), Elements::Meter6(Meter { remembered: 4000 })),
        (name("learned4"), Elements::Learned4([a].into())),
        (name("learned6"), Elements::Learned6([c].into())),
        (name("pairs4"), Elements::Pairs4([(a, b)].into())),
        (name("pairs6"), Elements::Pairs6([(c, d)].into())),
        (name("flows4"), Elements::Flows4([Flow { source: a, destination: b, transport, port }].into())),
        (name("flows6"), Elements::Flows6([Flow { source: c, destination: d, transport, port }].into())),
        (name("forwards4"), Elements::Forwards4([((L4::Udp, 8443), (a, 443))].into())),
        (name("forwards6"), Elements::Forwards6([((L4::Tcp, 8443), (c, 443))].into())),
    ]
}

pub(crate) fn table() -> Table {
    let last = Rule { exprs: vec![Expr::Drop], why: "the end" };
    let masquerade = Rule {
        exprs: vec![Expr::Oif(Is::In, name("eth0")), Expr::Masquerade],
        why: "hide behind the uplink",
    };
    let [forward4, forward6] = ["forwards4", "forwards6"]
        .map(|map| Rule { exprs: vec![Expr::ForwardBy(name(map))], why: "on to a host" });
    let [onto4, onto6] = ["10.77.0.1:9040", "[fd00::1]:9040"].map(|to| Rule {
        exprs: vec![Expr::Mark(Is::In, 0x0500_0000), Expr::L4(L4::Tcp), Expr::Onto(to.parse().unwrap())],
        why: "on to the host itself",
    });
    Table {
        sets: [
            (name("sources4"), Elements::V4(["10.0.0.1", "10.0.0.2"].map(|a| a.parse().unwrap()).into())),
            (name("sources6"), Elements::V6(["fd00::1", "ffff::"].map(|a| a.parse().unwrap()).into())),
            (
                name("nets4"),
                Elements::Net4(
                    ["0.0.0.0/8", "192.168.0.0/16", "255.0.0.0/8"].map(|a| a.parse().unwrap()).into(),
                ),
            ),
            (
                name("nets6"),
                Elements::Net6(["fd00::/64", "fd00:0:0:1::/64"].map(|a| a.parse().unwrap()).into()),
            ),
            (name("all6"), Elements::Net6(["::/0"].map(|a| a.parse().unwrap()).into())),
            (name("ports"), Elements::Ports([53, 80, 65535].into())),
            (name("empty"), Elements::Net4([].into())),
        ]
        .into_iter()
        .chain(rows())
        .collect(),
        chains: vec![
            chain("other", None, Vec::new()),
            chain(
                "forward",
                Some((ChainKind::Filter, Hook::Forward, -5, false)),
                rules().into_iter().map(|(rule, _)| rule).chain([last]).collect(),
            ),
            chain("input", Some((ChainKind::Filter, Hook::Input, 0, true)), Vec::new()),
            chain("mangle", Some((ChainKind::Filter, Hook::Prerouting, -150, true)), Vec::new()),
            chain("route", Some((ChainKind::Route, Hook::Output, -150, true)), Vec::new()),
            chain("nat", Some((ChainKind::Nat, Hook::Postrouting, 100, true)), vec![masquerade]),
            chain(
                "on",
                Some((ChainKind::Nat, Hook::Prerouting, -100, true)),
                vec![forward4, forward6, onto4, onto6],
            ),
        ],
    }
}

/// Compares with a listing by the `nft` tool.
pub(crate) fn check(listing: &str) {
    let lines: Vec<&str> = listing.lines().map(str::trim).collect();
    let start = lines.iter().position(|line| *line == "chain forward {").unwrap() + 2;
    for (line, (rule, texts)) in lines[start..].iter().zip(rules()) {
        let comment = format!(" comment \"{}\"", rule.comment());
        let text = line.strip_suffix(&comment).unwrap_or_else(|| panic!("{line} lacks {comment}"));
        assert!(texts.contains(&text), "listed as {text:?}, expected {texts:?}");
    }
    let flat = lines.join(" ");
    for part in [
        "set sources4 { type ipv4_addr size 16384 elements = { 10.0.0.1, 10.0.0.2 } }",
        "set sources6 { type ipv6_addr size 16384 elements = { fd00::1, ffff:: } }",
        "elements = { 0.0.0.0/8, 192.168.0.0/16, 255.0.0.0/8 } }",
        "set nets6 { type ipv6_addr flags interval elements = { fd00::/64, fd00:0:0:1::/64 } }",
        "set all6 { type ipv6_addr flags interval elements = { ::/0 } }",
        "set ports { type inet_service elements = { 53, 80, 65535 } }",
        "set meter4 { type ipv4_addr size 65536 flags dynamic,timeout timeout 2m }",
        "set meter6 { type ipv6_addr size 65536 flags dynamic,timeout timeout 1h6m40s }",
        "10.0.1.0 limit rate over 12500 bytes/second burst 128 kbytes",
        "set tally4 { type ipv4_addr size 65536 flags dynamic counter }",
        "set tally6 { type ipv6_addr size 65536 flags dynamic counter }",
        "set empty { type ipv4_addr flags interval }",
        "set pairs4 { type ipv4_addr . ipv4_addr size 16384 elements = { 10.0.0.1 . 10.0.1.0 } }",
        "set flows6 { type ipv6_addr . ipv6_addr . inet_proto . inet_service size 16384 elements = { fd00::1 . fd00::2 . tcp . 445 } }",
        "map forwards4 { type inet_proto . inet_service : ipv4_addr . inet_service elements = { udp . 8443 : 10.0.0.1 . 443 } }",
        "map forwards6 { type inet_proto . inet_service : ipv6_addr . inet_service elements = { tcp . 8443 : fd00::1 . 443 } }",
        "meta nfproto ipv4 dnat ip to meta l4proto . th dport map @forwards4 comment",
        "meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @forwards6 comment",
        "meta nfproto ipv4 dnat ip to 10.77.0.1:9040 comment",
        "meta nfproto ipv6 dnat ip6 to [fd00::1]:9040 comment",
        "type filter hook forward priority filter - 5; policy drop;",
        "type filter hook input priority filter; policy accept;",
        "type filter hook prerouting priority mangle; policy accept;",
        "type route hook output priority mangle; policy accept;",
        "type nat hook postrouting priority srcnat; policy accept; oifname \"eth0\" masquerade comment",
    ] {
        assert!(flat.contains(part), "{part}\nis not in\n{listing}");
    }
}
