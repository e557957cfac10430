//! Packets through installed rules: two hosts, and between them a router with our table.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt};
use pic_drivers::nft;
use pic_plan::marks::{MARK_DIRECT, MARK_MASK};
use pic_plan::plan::Action;
use pic_plan::target::nft::{Base, Chain, ChainKind, Elements, Expr, Hook, Is, L4, Rule, SetDelta, Table};

use crate::hosts::{Host, run};

/// Long enough on a loaded machine for a packet to arrive, short enough to wait for one that does not.
const PATIENCE: Duration = Duration::from_millis(700);

/// `client` (10.1.0.2, fd01::2) - `router` - `server` (10.2.0.2, fd02::2).
struct Net {
    client: Host,
    router: Host,
    server: Host,
}

fn command(host: &Host, line: &str) {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    host.run(move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(words[0], &words[1..])
    });
}

fn cable(router: &Host, name: &str, host: &Host, number: u8) {
    let task = host.run(nix::unistd::gettid);
    command(router, &format!("ip link add {name} type veth peer name eth0 netns {task}"));
    for (side, link, last) in [(router, name, 1), (host, "eth0", 2)] {
        command(side, &format!("ip address add 10.{number}.0.{last}/24 dev {link}"));
        command(side, &format!("ip address add fd0{number}::{last}/64 dev {link} nodad"));
        command(side, &format!("ip link set {link} up"));
    }
    command(host, &format!("ip route add default via 10.{number}.0.1"));
    command(host, &format!("ip route add default via fd0{number}::1"));
}

impl Net {
    fn new() -> Self {
        let net = Self { client: Host::new(), router: Host::new(), server: Host::new() };
        command(&net.router, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        cable(&net.router, "in", &net.client, 1);
        cable(&net.router, "out", &net.server, 2);
        // Fresh links lose what is sent before the neighbours have found each other.
        for far in ["10.2.0.2", "fd02::2"] {
            assert!((0..20).any(|_| net.reaches(far)), "{far} cannot be reached at all");
        }
        net
    }

    fn install(&self, sets: &[(&str, Elements)], chains: Vec<Chain>) {
        let sets = sets.iter().map(|(name, elements)| ((*name).to_owned(), elements.clone())).collect();
        self.apply(Action::NftReplace(Table { sets, chains }));
    }

    fn apply(&self, action: Action) {
        self.router.run(move || nft::apply(&action).unwrap());
    }

    /// Sends this many datagrams from the client to the server; gives whom they seem to come from there.
    fn datagrams(&self, server: &str, count: usize) -> Vec<IpAddr> {
        let server: IpAddr = server.parse().unwrap();
        let listening = self.server.run(move || UdpSocket::bind((server, 0)).unwrap());
        let target = listening.local_addr().unwrap();
        send(&self.client, target, count);
        received(&listening)
    }

    fn reaches(&self, server: &str) -> bool {
        !self.datagrams(server, 1).is_empty()
    }
}

fn send(from: &Host, to: SocketAddr, count: usize) {
    from.run(move || {
        let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
        let socket = UdpSocket::bind((any, 0)).unwrap();
        for _ in 0..count {
            // An error here is an earlier datagram's ICMP answer.
            let _ = socket.send_to(b"hello", to);
        }
    });
}

fn received(socket: &UdpSocket) -> Vec<IpAddr> {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut from = Vec::new();
    while let Ok((_, sender)) = socket.recv_from(&mut [0; 16]) {
        from.push(sender.ip());
    }
    from
}

fn base(name: &str, kind: ChainKind, hook: Hook, priority: i32, accept: bool, rules: &[&[Expr]]) -> Chain {
    let rules = rules.iter().map(|exprs| Rule { exprs: exprs.to_vec(), why: "test" }).collect();
    Chain { name: name.to_owned(), base: Some(Base { kind, hook, priority, accept }), rules }
}

fn filter(hook: Hook, accept: bool, rules: &[&[Expr]]) -> Chain {
    base("chain", ChainKind::Filter, hook, 0, accept, rules)
}

fn addresses(list: &[&str]) -> Elements {
    Elements::V4(list.iter().map(|address| address.parse().unwrap()).collect())
}

#[test]
fn only_marked_packets_find_the_way_and_foreign_bits_stay() {
    let net = Net::new();
    for line in [
        format!("ip rule add pref 7700 fwmark {MARK_DIRECT:#x}/{MARK_MASK:#x} lookup main"),
        "ip rule add pref 7701 iif in lookup 7700".to_owned(),
        "ip route add unreachable default table 7700".to_owned(),
        "nft add table inet foreign".to_owned(),
        "nft add chain inet foreign early { type filter hook prerouting priority -200 ; }".to_owned(),
        "nft add rule inet foreign early meta mark set 0xaa000042".to_owned(),
        "nft add chain inet foreign late { type filter hook forward priority 0 ; policy drop ; }".to_owned(),
        format!("nft add rule inet foreign late meta mark {:#x} accept", MARK_DIRECT | 0x42),
    ] {
        command(&net.router, &line);
    }
    let marking: &[Expr] = &[Expr::SourceIn(Is::In, "peers".to_owned()), Expr::SetMark(MARK_DIRECT)];
    let unmarked: &[Expr] = &[Expr::Mark(Is::NotIn, MARK_DIRECT), Expr::SetMark(0)];
    let chains = vec![base("mangle", ChainKind::Filter, Hook::Prerouting, -150, true, &[marking, unmarked])];
    net.install(&[("peers", addresses(&[]))], chains);
    assert!(!net.reaches("10.2.0.2"));
    let change = |add: &[&str], remove: &[&str]| {
        let (add, remove) = (addresses(add), addresses(remove));
        net.apply(Action::NftElements(vec![SetDelta { set: "peers".to_owned(), add, remove }]));
    };
    change(&["10.1.0.2"], &[]);
    assert!(net.reaches("10.2.0.2"));
    change(&[], &["10.1.0.2"]);
    assert!(!net.reaches("10.2.0.2"));
}

#[test]
fn masquerade_hides_both_families() {
    let net = Net::new();
    assert_eq!(net.datagrams("10.2.0.2", 1), ["10.1.0.2".parse::<IpAddr>().unwrap()]);
    assert_eq!(net.datagrams("fd02::2", 1), ["fd01::2".parse::<IpAddr>().unwrap()]);
    let rule: &[Expr] = &[Expr::Oif(Is::In, "out".to_owned()), Expr::Masquerade];
    net.install(&[], vec![base("nat", ChainKind::Nat, Hook::Postrouting, 100, true, &[rule])]);
    assert_eq!(net.datagrams("10.2.0.2", 1), ["10.2.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(net.datagrams("fd02::2", 1), ["fd02::1".parse::<IpAddr>().unwrap()]);
}

#[test]
fn a_limit_lets_its_burst_through() {
    let net = Net::new();
    let rule: &[Expr] = &[Expr::L4(L4::Udp), Expr::Limit(1, 5), Expr::Accept];
    net.install(&[], vec![filter(Hook::Forward, false, &[rule])]);
    let arrived = net.datagrams("10.2.0.2", 50).len();
    // On a slow machine sending takes long enough for a few more.
    assert!((5..=10).contains(&arrived), "{arrived}");
}

#[test]
fn local_means_the_router_itself() {
    let net = Net::new();
    for (is, router, server) in [(Is::NotIn, true, false), (Is::In, false, true)] {
        let rule: &[Expr] =
            &[Expr::Iif(Is::In, "i*".to_owned()), Expr::L4(L4::Udp), Expr::DestinationLocal(is), Expr::Drop];
        net.install(&[], vec![filter(Hook::Prerouting, true, &[rule])]);
        // The router's far address is its own as well.
        for (own, far) in [("10.2.0.1", "10.2.0.2"), ("fd02::1", "fd02::2")] {
            let own: IpAddr = own.parse().unwrap();
            let listening = net.router.run(move || UdpSocket::bind((own, 0)).unwrap());
            send(&net.client, listening.local_addr().unwrap(), 1);
            assert_eq!(!received(&listening).is_empty(), router, "{own} {is:?}");
            assert_eq!(net.reaches(far), server, "{far} {is:?}");
        }
    }
}

#[test]
fn the_segment_size_is_lowered_to_the_path() {
    let net = Net::new();
    // Only the router knows that the path is narrow.
    command(&net.router, "ip link set out mtu 1300");
    let size = |address: &str| {
        let address: IpAddr = address.parse().unwrap();
        let listening = net.server.run(move || TcpListener::bind((address, 0)).unwrap());
        let target = listening.local_addr().unwrap();
        let client = net.client.run(move || TcpStream::connect_timeout(&target, 5 * PATIENCE).unwrap());
        let (server, _) = listening.accept().unwrap();
        let sizes = [&client, &server].map(|stream| getsockopt(stream, sockopt::TcpMaxSeg).unwrap());
        sizes.into_iter().max().unwrap()
    };
    assert!(size("10.2.0.2") > 1300);
    net.install(&[], vec![filter(Hook::Forward, true, &[&[Expr::ClampMss]])]);
    assert!(size("10.2.0.2") <= 1260, "{}", size("10.2.0.2"));
    assert!(size("fd02::2") <= 1240, "{}", size("fd02::2"));
}

#[test]
fn a_refusal_is_told_to_the_sender() {
    let net = Net::new();
    net.install(&[], vec![filter(Hook::Forward, true, &[&[Expr::L4(L4::Tcp), Expr::Reject]])]);
    for address in ["10.2.0.2:80", "[fd02::2]:80"] {
        let target: SocketAddr = address.parse().unwrap();
        let error = net.client.run(move || TcpStream::connect_timeout(&target, 5 * PATIENCE).unwrap_err());
        let kinds = [ErrorKind::HostUnreachable, ErrorKind::PermissionDenied];
        assert!(kinds.contains(&error.kind()), "{address}: {error}");
    }
}

#[test]
fn replies_pass_where_requests_do_not() {
    let net = Net::new();
    let reply: &[Expr] = &[Expr::CtReply, Expr::Accept];
    let request: &[Expr] = &[
        Expr::SourceIn(Is::In, "from".to_owned()),
        Expr::L4(L4::Tcp),
        Expr::DestinationPortIn("ports".to_owned()),
        Expr::Accept,
    ];
    let sets = [
        ("from", Elements::Net4(["10.1.0.0/30".parse().unwrap(), "10.1.0.4/30".parse().unwrap()].into())),
        ("ports", Elements::Ports([8080].into())),
    ];
    net.install(&sets, vec![filter(Hook::Forward, false, &[reply, request])]);
    let listening =
        net.server.run(|| ["0.0.0.0:8080", "0.0.0.0:8081"].map(|own| TcpListener::bind(own).unwrap()));
    let mut stream = net.client.run(|| {
        let target: [SocketAddr; 2] =
            ["10.2.0.2:8080", "10.2.0.2:8081"].map(|target| target.parse().unwrap());
        assert!(TcpStream::connect_timeout(&target[1], PATIENCE).is_err());
        TcpStream::connect_timeout(&target[0], 5 * PATIENCE).unwrap()
    });
    let (mut server, _) = listening[0].accept().unwrap();
    server.write_all(b"hi").unwrap();
    stream.set_read_timeout(Some(5 * PATIENCE)).unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    let own = net.client.run(|| TcpListener::bind("0.0.0.0:8080").unwrap());
    let back = net.server.run(|| TcpStream::connect_timeout(&"10.1.0.2:8080".parse().unwrap(), PATIENCE));
    assert!(back.is_err(), "a request against the direction passed");
    drop(own);
}
