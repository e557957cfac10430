//! A prefix from the provider: hosts of the LAN are reachable by addresses of their own, and when the provider gives
//! another one, everything follows.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Stdio;
use std::time::Duration;

use pic_lab::cell::Cell;
use pic_lab::netns::Lan;
use pic_lab::netns::internet::address;
use pic_lab::{Child, Internet, Namespace, Scratch, files, wait};

const SECOND: Duration = Duration::from_secs(1);
const CELL_TOML: &str = r#"[cell]
name = "home"

[[lan]]
name = "lan"
interface = "eth1"
ipv4 = "192.168.40.1/24"
dhcp6 = {}

[[reservation]]
lan = "lan"
mac = "02:00:00:00:00:10"
address = "192.168.40.10"
address6 = "::10"
name = "nas"
"#;

/// The provider's delegating server, which asks its customers to renew every few seconds.
struct Provider {
    server: Child,
    _scratch: Scratch,
}

impl Provider {
    /// Delegates a /56 out of `2001:db8:XX00::/40`.
    fn delegates(lab: &Internet, pool: &str) -> Self {
        let scratch = Scratch::new("kea6").unwrap();
        let at = |name: &str| scratch.join(name).display().to_string();
        let text = format!(
            r#"{{"Dhcp6":{{"interfaces-config":{{"interfaces":["customers"]}},
            "lease-database":{{"type":"memfile","persist":false}},
            "server-id":{{"type":"EN","enterprise-id":32473,"identifier":"0102","persist":false}},
            "preferred-lifetime":600,"valid-lifetime":1200,"renew-timer":3,"rebind-timer":6,
            "subnet6":[{{"id":1,"subnet":"2001:db8:1::/64","interface":"customers",
                "pd-pools":[{{"prefix":"2001:db8:{pool}::","prefix-len":40,"delegated-len":56}}]}}],
            "loggers":[{{"name":"kea-dhcp6","severity":"INFO","output_options":[{{"output":"{}"}}]}}]}}}}"#,
            at("log")
        );
        files::write(&scratch.join("kea.json"), &text).unwrap();
        // The server opens its sockets once, and needs an address that is no longer being checked.
        soon("the provider's link-local address", || {
            let shown = lab.provider.ip("-6 -o address show dev customers scope link -tentative");
            shown.is_ok_and(|shown| shown.contains("fe80"))
        });
        let mut command = lab.provider.command("kea-dhcp6");
        command.arg("-c").arg(scratch.join("kea.json"));
        command.env("KEA_PIDFILE_DIR", scratch.join("")).env("KEA_LOCKFILE_DIR", scratch.join(""));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Child::spawn(command).unwrap();
        // Real providers put the route there with the prefix.
        lab.provider.ip(&format!("-6 route replace 2001:db8:{pool}::/40 via {}", address::CELL[1])).unwrap();
        soon("the provider's server", || {
            lab.provider.run("ss -Hlun sport = :547").is_ok_and(|out| out.stdout.contains(":547"))
        });
        Self { server, _scratch: scratch }
    }
}

fn soon(what: &str, condition: impl FnMut() -> bool) {
    wait::until(SECOND * 40, what, condition).unwrap();
}

/// Addresses of a host that begin so, with the rest of their line.
fn addresses(host: &Namespace, beginning: &str) -> Vec<String> {
    let shown = host.ip("-6 -o address show dev eth0").unwrap();
    let lines =
        shown.lines().filter(|line| line.split_whitespace().nth(3).is_some_and(|a| a.starts_with(beginning)));
    lines.map(str::to_owned).collect()
}

fn slaac(lan: &Lan, name: &str, mac: &str) -> Namespace {
    let host = Namespace::new(name).unwrap();
    lan.plug(&host, "eth0").unwrap();
    host.ip("link set eth0 down").unwrap();
    host.ip(&format!("link set eth0 address {mac}")).unwrap();
    host.sysctl("net.ipv6.conf.eth0.accept_ra", "1").unwrap();
    host.ip("link set eth0 up").unwrap();
    host
}

/// Ends a program of a namespace without a word to it.
fn kill(host: &Namespace, program: &str) {
    let pids =
        pic_lab::cmd::run(pic_lab::cmd::command("ip").args(["netns", "pids", host.name()])).unwrap().stdout;
    for pid in pids.split_whitespace() {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.trim() == program {
            host.run(&format!("kill -9 {pid}")).unwrap().ok().unwrap();
        }
    }
}

fn web(host: &Namespace) -> String {
    host.http_get(Internet::web().unwrap()[1], "/", SECOND * 2).unwrap_or_default()
}

fn start() -> (Internet, Lan) {
    let lab = Internet::start().unwrap();
    let lan = Lan::new("lan").unwrap();
    lan.plug(&lab.cell, "eth1").unwrap();
    (lab, lan)
}

#[test]
fn a_prefix_comes_is_split_and_renumbered() {
    let (lab, lan) = start();
    let mut provider = Provider::delegates(&lab, "a00");
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let phone = slaac(&lan, "phone", "02:00:00:00:00:07");
    soon("an address of the prefix", || !addresses(&phone, "2001:db8:a").is_empty());
    // Out by its own address, untranslated; and nothing begins from outside.
    soon("the way out", || web(&phone).contains("2001:db8:a"));
    let own = addresses(&phone, "2001:db8:a")[0]
        .split_whitespace()
        .nth(3)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    assert!(web(&phone).ends_with(&format!("{own}\n")), "{}", web(&phone));
    assert!(
        !lab.outside.ping(&own, 1, None).is_ok_and(|pings| pings.all_back()),
        "nothing begins toward the LAN"
    );
    // What no LAN has goes nowhere, and not back to the provider.
    let routes = lab.cell.ip("-6 route show type unreachable").unwrap();
    assert!(routes.contains("2001:db8:a") && routes.contains("/56"), "{routes}");
    let listed = cell.picctl("lan list").unwrap().ok().unwrap();
    assert!(listed.contains("delegated") && listed.contains("/56"), "{listed}");
    // Names follow: the device that has its address for good has it in the prefix, too.
    let ask = |pool: &str| {
        let out = phone.run("dig +short +time=1 +tries=1 @192.168.40.1 nas.home.cell AAAA");
        let by6 = listed
            .lines()
            .find_map(|line| line.split_whitespace().find(|word| word.starts_with("fd")))
            .map(|word| {
                let server = word.split('/').next().unwrap_or_default();
                phone.run(&format!("dig +short +time=1 +tries=1 @{server} nas.home.cell AAAA"))
            });
        [Some(out), by6]
            .into_iter()
            .flatten()
            .any(|out| out.is_ok_and(|out| out.stdout.contains(&format!("2001:db8:{pool}"))))
    };
    soon("the name in the prefix", || ask("a"));

    // The provider gives another one from one moment to the next.
    provider.server.kill();
    drop(provider);
    let mut provider = Provider::delegates(&lab, "b00");
    soon("an address of the new prefix", || !addresses(&phone, "2001:db8:b").is_empty());
    soon("the old one to be deprecated", || {
        addresses(&phone, "2001:db8:a").iter().all(|line| line.contains("deprecated"))
    });
    soon("the way out by the new one", || web(&phone).contains("2001:db8:b"));
    soon("the name in the new prefix", || ask("b") && !ask("a"));
    let listed = cell.picctl("lan list --json").unwrap().ok().unwrap();
    assert!(
        listed.contains("\"current\":false") && listed.contains("2001:db8:a"),
        "the old one is going: {listed}"
    );

    // Everything is killed, and the provider has forgotten, too.
    cell.kill_agent().unwrap();
    kill(&lab.cell, "pic-dhcp");
    provider.server.kill();
    drop(provider);
    let _provider = Provider::delegates(&lab, "c00");
    soon("the prefix after that", || !addresses(&phone, "2001:db8:b").is_empty());
    cell.start_agent().unwrap();
    soon("an address of the third prefix", || !addresses(&phone, "2001:db8:c").is_empty());
    soon("the second to be deprecated", || {
        addresses(&phone, "2001:db8:b").iter().all(|line| line.contains("deprecated"))
    });
    cell.teardown().unwrap();
    let left = lab.cell.ip("-6 route show").unwrap() + &lab.cell.ip("-6 -br address").unwrap();
    assert!(
        !["2001:db8:a", "2001:db8:b", "2001:db8:c"].iter().any(|beginning| left.contains(beginning)),
        "{left}"
    );
}

#[test]
fn a_client_of_the_host_is_not_disturbed() {
    let (lab, _lan) = start();
    let scratch = Scratch::new("client").unwrap();
    let line = format!(
        "dhclient -6 -d -sf /bin/true -lf {} -pf {} eth0",
        scratch.join("lease").display(),
        scratch.join("pid").display()
    );
    let mut client = lab.cell.spawn(&line).unwrap();
    soon("the host's own client", || {
        lab.cell.run("ss -Hlun sport = :546").is_ok_and(|out| out.stdout.contains(":546"))
    });
    let _provider = Provider::delegates(&lab, "a00");
    let cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    let listed = || {
        let out = cell.picctl("lan list --json").unwrap();
        out.stdout
    };
    soon("words about it", || listed().contains("another DHCPv6 client of this host"));
    assert!(!listed().contains("2001:db8:a"), "nothing is asked for beside it");
    client.kill();
    soon("the prefix when it has gone", || listed().contains("2001:db8:a"));
}

#[test]
fn a_routed_prefix_that_is_written_down() {
    let (lab, lan) = start();
    lab.provider.ip(&format!("-6 route replace 2001:db8:d00::/56 via {}", address::CELL[1])).unwrap();
    let text = format!("{CELL_TOML}\n[uplink]\nprefix = \"2001:db8:d00::/56\"\n");
    let cell = Cell::start(&lab.cell, &text).unwrap();
    let phone = slaac(&lan, "phone", "02:00:00:00:00:07");
    soon("an address of the prefix", || !addresses(&phone, "2001:db8:d").is_empty());
    soon("the way out", || web(&phone).contains("2001:db8:d"));
    let listed = cell.picctl("lan list").unwrap().ok().unwrap();
    assert!(listed.contains("routed"), "{listed}");
}

/// dhcpcd on a router between the LAN and a network of its own: an address and a prefix by DHCPv6, the way out by
/// advertisements, the first network of the prefix on the other side.
fn router(lan: &Lan, behind: &Lan, scratch: &Scratch) -> (Namespace, Child) {
    let router = slaac(lan, "router", "02:00:00:00:00:20");
    behind.plug(&router, "eth1").unwrap();
    router.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let config = scratch.join("dhcpcd.conf");
    let text = "duid ll\nnoipv6rs\ninterface eth0\nipv6rs\nia_na 1\nia_pd 1 eth1/1/64\n";
    files::write(&config, text).unwrap();
    // What it remembers of other runs is not of this one.
    let script = scratch.join("dhcpcd");
    let text = format!(
        "mkdir -p /run/dhcpcd && mount -t tmpfs none /run/dhcpcd && mount -t tmpfs none /var/lib/dhcpcd \
         && exec dhcpcd -6 -B -c /bin/true -f {} eth0 eth1\n",
        config.display()
    );
    files::write(&script, &text).unwrap();
    let client = router.spawn(&format!("unshare -m sh {}", script.display())).unwrap();
    (router, client)
}

#[test]
fn a_router_behind_the_lan_is_given_a_prefix() {
    let (lab, lan) = start();
    let _provider = Provider::delegates(&lab, "a00");
    let mut cell = Cell::start(&lab.cell, CELL_TOML).unwrap();
    soon("the uplink's prefix", || cell.picctl("lan list").is_ok_and(|out| out.stdout.contains("delegated")));
    let scratch = Scratch::new("router").unwrap();
    let upstairs = Lan::new("upstairs").unwrap();
    let (router, client) = router(&lan, &upstairs, &scratch);
    let mut own = String::new();
    soon("the router's network", || {
        let shown = router.ip("-6 -o address show dev eth1").unwrap_or_default();
        let found = shown.split_whitespace().find(|word| word.starts_with("2001:db8:a"));
        own = found.map(|word| word.split('/').next().unwrap_or_default().to_owned()).unwrap_or_default();
        !own.is_empty()
    });
    let given = || lab.cell.ip("-6 route show dev eth1 proto 77").unwrap();
    soon("the route to it", || given().contains("via fe80"));
    let listed = cell.picctl("lan list").unwrap().ok().unwrap();
    assert!(listed.contains("given") && listed.contains("/62 via fe80"), "{listed}");

    // A host behind it: out by its own address, nothing begins toward it, and names as for the LAN.
    let desk = Namespace::new("desk").unwrap();
    upstairs.plug(&desk, "eth0").unwrap();
    let prefix = own.strip_suffix("::1").unwrap();
    desk.ip(&format!("-6 address add {prefix}::20/64 dev eth0 nodad")).unwrap();
    desk.ip(&format!("-6 route add default via {own}")).unwrap();
    soon("the way out", || web(&desk).ends_with(&format!("{prefix}::20\n")));
    assert!(
        !lab.outside.ping(&format!("{prefix}::20"), 1, None).is_ok_and(|pings| pings.all_back()),
        "nothing begins toward it"
    );
    let server = listed.split_whitespace().find(|word| word.starts_with("fd")).unwrap();
    let server = server.split('/').next().unwrap();
    soon("names", || {
        let out = desk.run(&format!("dig +short +time=1 +tries=1 @{server} nas.home.cell A"));
        out.is_ok_and(|out| out.stdout.trim() == "192.168.40.10")
    });

    // Everything of the cell is killed: what was given stays where it is.
    let before = given();
    cell.kill_agent().unwrap();
    kill(&lab.cell, "pic-dhcp");
    assert!(web(&desk).contains(prefix), "the agent is not needed for packets");
    cell.start_agent().unwrap();
    soon("the way out after a restart", || web(&desk).contains(prefix));
    assert_eq!(given(), before);

    // The owner takes it back: nothing leads there, until the router asks anew.
    let leases = cell.picctl("dhcp leases /62").unwrap().ok().unwrap();
    let prefix = leases.split_whitespace().find(|word| word.ends_with("/62")).unwrap().to_owned();
    let told = cell.picctl(&format!("dhcp release {prefix}")).unwrap();
    assert!(told.status.success() && told.stderr.contains("until its router asks"), "{told:?}");
    soon("the route to be gone", || !given().contains("via fe80"));
    let leases = cell.picctl("dhcp leases /62").unwrap().ok().unwrap();
    assert!(leases.contains("released"), "{leases}");
    router.run(&format!("kill -HUP {}", client.pid())).unwrap().ok().unwrap();
    soon("the route when it has asked", || given() == before);

    // It gives its prefix back: nothing leads there any more.
    router.run(&format!("kill -ALRM {}", client.pid())).unwrap().ok().unwrap();
    soon("the route to be gone", || !given().contains("via fe80"));
    cell.teardown().unwrap();
}
