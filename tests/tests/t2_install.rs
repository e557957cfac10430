//! The whole way of a stranger: install.sh piped into a shell on a fresh Debian, a phone that connects with the
//! printed configuration, a second run, and an uninstall that leaves the host as it was.
//!
//! Containers share this machine's kernel, so WireGuard is the userspace one where that kernel has none. Needs the
//! programs built (`cargo build --bins`): the package is made of what lies in the target folder.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of a test fail it by panicking; it shows what a person saw"
)]

mod t2;

use std::path::Path;
use std::time::Duration;

use pic_lab::cmd;
use pic_lab::netns::internet::address::{CELL, CLIENT, OUTSIDE, OUTSIDE_NAME, ROUTER};
use pic_lab::{Namespace, Nspawn, Release, wait};
use t2::{REPOSITORY, World};

/// What must be the same before an install and after an uninstall.
fn snapshot(host: &Nspawn) -> String {
    let script = "nft list ruleset; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all | sed 's/ expires [0-9]*sec//'
        ip -o link | sed 's/^[0-9]*: //'; sysctl -a 2>/dev/null | grep -E '^net\\.(ipv4\\.(ip_forward|conf)|ipv6\\.conf)' | sort
        sort /etc/passwd /etc/group /etc/shadow /etc/gshadow; systemctl list-unit-files --no-legend --no-pager | sort
        systemctl list-units --all --no-legend --plain --no-pager 'pic*' 'var-lib-pic*'
        find /etc /usr /run/pic* /run/wireguard /var/lib/pic* /srv -xdev ! -name '*-' ! -name .pwd.lock ! -name .updated \
            ! -name ld.so.cache 2>/dev/null | sort
        find /etc -xdev -type f ! -name '*-' ! -name ld.so.cache -exec sha256sum {} + | sort
        dpkg -l | grep ^ii | awk '{print $2, $3}'";
    host.sh(script).unwrap().stdout
}

/// Lines that only one of two texts has.
fn difference(before: &str, after: &str) -> Vec<String> {
    let only = |mark: &str, a: &str, b: &str| {
        let b: std::collections::BTreeSet<&str> = b.lines().collect();
        a.lines().filter(|line| !b.contains(line)).map(|line| format!("{mark} {line}")).collect::<Vec<_>>()
    };
    [only("-", before, after), only("+", after, before)].concat()
}

/// What an uninstall left. systemd forgets units whose files are gone when it next has time.
fn left(world: &World, before: &str) -> Vec<String> {
    let left = || difference(before, &snapshot(&world.cell));
    let _ = wait::until(Duration::from_secs(20), "systemd to forget the units", || left().is_empty());
    left()
}

/// The configuration of a device in what the installer printed.
fn printed_config(output: &str) -> String {
    let start = output.find("[Interface]").unwrap_or_else(|| panic!("no configuration in:\n{output}"));
    let lines = output[start..].lines();
    lines.take_while(|line| !line.starts_with("The cell ")).map(|line| format!("{line}\n")).collect()
}

/// A phone: wg-quick with exactly that configuration, on WireGuard in a process.
fn phone(place: &Namespace, config: &str) -> Nspawn {
    let phone = Nspawn::start(Release::Trixie, "phone", place).unwrap();
    phone.put(Path::new("/usr/bin/wireguard-go"), "/usr/bin/wireguard-go").unwrap();
    // What resolvconf does for wg-quick, and no more.
    let resolvconf = "#!/bin/sh\ncase $1 in -a) grep nameserver >/etc/resolv.conf ;; esac\n";
    phone.write("/usr/sbin/resolvconf", resolvconf).unwrap();
    phone.write("/etc/wireguard/cell.conf", config).unwrap();
    phone.sh("chmod 755 /usr/sbin/resolvconf; chmod 600 /etc/wireguard/cell.conf").unwrap().ok().unwrap();
    phone.sh("wg-quick up cell").unwrap().ok().unwrap();
    phone
}

fn reaches(phone: &Nspawn, name: &str) {
    let asks = |kind: &str, name: &str| {
        phone.sh(&format!("dig +short +time=2 +tries=2 {kind} {name}")).unwrap().stdout
    };
    for ip in ["10.77.0.1".to_owned(), asks("AAAA", &format!("{name}.cell")).trim().to_owned()] {
        phone.run(&format!("ping -n -c 3 -i 0.2 -W 2 {ip}")).unwrap().ok().unwrap();
    }
    assert_eq!(asks("A", &format!("{name}.cell")).trim(), "10.77.0.1");
    assert_eq!(asks("A", &format!("phone.{name}.cell")).trim(), "10.77.0.2");
    assert_eq!(asks("A", OUTSIDE_NAME).trim(), OUTSIDE[0], "names outside");
    for ip in OUTSIDE {
        phone.run(&format!("ping -n -c 2 -i 0.2 -W 2 {ip}")).unwrap().ok().unwrap();
    }
    let seen = phone.sh(&format!("curl -fsS --max-time 5 http://{}/", OUTSIDE[0])).unwrap();
    assert!(seen.status.success(), "{}", seen.stderr);
}

fn from_nothing_to_nothing(release: Release) {
    let world = World::start(release);
    let before = snapshot(&world.cell);

    let dry = world.install("--dry-run").ok().unwrap();
    assert!(dry.contains("would write"), "{dry}");
    assert_eq!(
        difference(&before, &snapshot(&world.cell)),
        Vec::<String>::new(),
        "a dry run touches nothing"
    );

    // Somebody's services: one to be kept, one to be cut.
    world.cell("for p in 9998 9999; do systemd-run --quiet --unit=port$p socat tcp-listen:$p,fork,reuseaddr echo; done");
    let printed = world.install("--name den --peer phone --yes").ok().unwrap();
    println!("{printed}");
    assert!(printed.contains("--open tcp/9998 --open tcp/9999"), "services that will be cut are named");
    assert!(printed.contains("The cell \"den\" is up"));
    let file = world.cell("cat /etc/pic/cell.toml");
    assert!(file.contains("admin = [\"198.51.100.10\"]") && file.contains("inbound = \"closed\""), "{file}");
    assert!(world.cell("picctl status --json").contains("\"state\":\"ok\""));

    // The names of the lab are not signed. Whoever logged in as "daemon" and became root is told in the history.
    world.cell("echo 1 >/proc/self/loginuid && picctl config set --yes dns.dnssec false");
    let history = world.cell("picctl history");
    assert!(history.contains("root (daemon)"), "{history}");
    let config = printed_config(&printed);
    assert!(config.contains(&format!("Endpoint = {}:51820", CELL[0])), "{config}");
    let phone = phone(&world.lab.client, &config);
    reaches(&phone, "den");
    let refused = phone.sh("socat -T3 - tcp:10.77.0.1:9999,connect-timeout=3 </dev/null").unwrap();
    assert!(!refused.status.success(), "what is not granted is not reachable");
    let outside = |port: u16| {
        let to = format!("{}:{port}", CELL[0]);
        world.lab.outside.run(&format!("socat -T2 - tcp:{to},connect-timeout=2")).unwrap().status.success()
    };
    assert!(!outside(9999) && !outside(9998), "closed means closed");

    // Again, with one more option and one more device: nothing is lost, the tunnel stands.
    let identity = "picctl status --json | tr ',' '\\n' | grep public_key; picctl peer list --json | tr ',' '\\n' | grep public_key";
    let was = world.cell(identity);
    let printed = world.install("--open-nothing").stderr;
    assert!(printed.contains("is not an option"), "{printed}");
    let printed = world.install("--name den --peer phone --yes").ok().unwrap();
    assert!(printed.contains("is here already") && !printed.contains("PrivateKey"), "{printed}");
    assert_eq!(world.cell(identity), was, "a second run changes no identity");
    world.cell("pic-installer --open tcp/9998 --yes");
    assert!(outside(9998) && !outside(9999));
    reaches(&phone, "den");
    world.cell("picctl peer disable phone");
    let gone = phone.run("ping -n -c 2 -i 0.2 -W 1 10.77.0.1").unwrap();
    assert!(!gone.status.success(), "a disabled device is out");

    world.cell("systemctl stop port9998 port9999; systemctl reset-failed 'port*'");
    world.install("--uninstall --purge --yes").ok().unwrap();
    assert_eq!(left(&world, &before), Vec::<String>::new(), "the uninstall left this");
}

/// The one line, at a terminal, where these lines are typed; all that is seen there.
fn install_by_hand(world: &World, options: &str, typed: &str) -> String {
    let line = format!("curl -fsSL {REPOSITORY}/install.sh | sh -s -- {options}");
    let mut command = world.cell.command("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    cmd::run_for(&mut command, Duration::from_secs(180), typed.as_bytes()).unwrap().ok().unwrap()
}

/// What a person sets in the router when told to.
fn forward_in_router(router: &Namespace) {
    let to = CLIENT[0];
    let rules = format!(
        "add table ip to_home
        add chain ip to_home in {{ type nat hook prerouting priority dstnat; }}
        add rule ip to_home in iifname wan udp dport 51820 dnat to {to}
        insert rule inet home forward ct status dnat accept\n"
    );
    router.nft(&rules).unwrap();
}

#[test]
fn at_home_what_devices_dial_is_asked_for_before_the_first_code_is_shown() {
    let world = World::at(Release::Trixie, |lab| &lab.client);
    forward_in_router(&world.lab.router);
    // An answer that is none, this host's own address and no, the router's address, and yes.
    let typed = format!("not a name\n{}\nn\n{}\n\n", CLIENT[0], ROUTER[0]);
    let shown = install_by_hand(&world, "--name den --peer phone", &typed);
    println!("{shown}");
    let place = |words: &str| shown.find(words).unwrap_or_else(|| panic!("{words} is not in\n{shown}"));
    assert!(place("forward udp/51820") < place("What do they dial"));
    assert!(place("devices outside cannot dial it") < place("[Interface]"));
    assert!(place("What do they dial") < place("[Interface]"));
    // What to scan, and what to do with it, are the last things on the screen.
    assert!(place("The cell \"den\" is up") < place("▀") && shown.trim_end().ends_with("the window taller."));
    let config = printed_config(&shown);
    assert!(config.contains(&format!("Endpoint = {}:51820", ROUTER[0])), "{config}");
    world.cell("picctl config set --yes dns.dnssec false");
    let phone = phone(&world.lab.cell, &config);
    reaches(&phone, "den");
}

#[test]
fn debian_13_from_nothing_to_nothing() {
    from_nothing_to_nothing(Release::Trixie);
}

#[test]
fn debian_12_from_nothing_to_nothing() {
    from_nothing_to_nothing(Release::Bookworm);
}

#[test]
fn folders_elsewhere_survive_a_removal() {
    let world = World::start(Release::Trixie);
    world.cell("mkdir -p /srv/cell /srv/keep");
    let before = snapshot(&world.cell);
    world.install("--data-dir /srv/cell --backups-dir=/srv/keep/b --yes").ok().unwrap();
    let key = "picctl status --json | tr ',' '\\n' | grep public_key";
    let was = world.cell(key);
    assert!(world.cell("ls /srv/cell").contains("ledger"));
    world.cell(
        "mountpoint /var/lib/pic && mountpoint /var/lib/pic/backups && touch /var/lib/pic/backups/kept",
    );
    let other = world.cell.sh("mkdir -p /srv/other; pic-installer --data-dir=/srv/other --yes").unwrap();
    assert_eq!(other.code(), 3, "{}", other.stderr);

    // Removed and installed again, without a word about folders: the same cell.
    world.install("--uninstall --yes").ok().unwrap();
    world.cell("! mountpoint -q /var/lib/pic && rmdir /srv/other");
    let printed = world.install("--yes").ok().unwrap();
    assert!(printed.contains("is up again as it was"), "{printed}");
    assert_eq!(world.cell(key), was);
    world.cell("mountpoint /var/lib/pic");

    // Somebody lost the file under a running cell.
    world.cell("rm /etc/pic/cell.toml");
    let printed = world.install("--yes").ok().unwrap();
    assert!(printed.contains("was a cell before"), "{printed}");
    assert_eq!(world.cell(key), was);
    world.cell("picctl config check && test -z \"$(picctl diff)\"");

    world.install("--uninstall --purge --yes").ok().unwrap();
    assert_eq!(
        world.cell("ls -A /srv/cell /srv/keep/b").split_whitespace().collect::<Vec<_>>().join(" "),
        "/srv/cell: /srv/keep/b: .pic-folder kept"
    );
    world.cell("rm -r /srv/keep/b");
    assert_eq!(left(&world, &before), Vec::<String>::new());
}

#[test]
fn a_failed_first_install_leaves_the_host_as_it_was() {
    let world = World::start(Release::Trixie);
    // With the package but without a cell: what a failed first install must come back to.
    world.cell(
        "curl -fsSL http://198.51.100.10:8000/install.sh | sh -s -- --data-dir=/no/such --yes; test $? = 3",
    );
    let before = snapshot(&world.cell);
    // The port of the cell's names is taken after the look and before the agent: nobody can foresee that.
    world.cell("mkdir -p /etc/systemd/system/pic-agent.service.d && printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >/etc/systemd/system/pic-agent.service.d/break.conf && systemctl daemon-reload");
    let mut command = world.cell.command("pic-installer");
    let failed = cmd::run_for(command.arg("--yes"), Duration::from_secs(150), b"").unwrap();
    assert_eq!(failed.code(), 1, "{}", failed.stderr);
    assert!(failed.stderr.contains("journalctl -u pic-agent"), "{}", failed.stderr);
    world.cell("rm -r /etc/systemd/system/pic-agent.service.d && systemctl daemon-reload");
    assert_eq!(left(&world, &before), Vec::<String>::new());
    world.cell("pic-installer --yes");
}

/// What the installer says to type about a check, from its report. One command each.
fn advice(printed: &str, check: &str) -> Vec<String> {
    let line = printed.lines().skip_while(|line| !line.contains(check)).find(|line| line.contains("pic0"));
    let line = line.unwrap_or_else(|| panic!("no advice about {check} in:\n{printed}"));
    let begin = ["ufw allow", "iptables"].iter().filter_map(|word| line.find(word)).min().unwrap();
    let commands = line[begin..].split("; ").map(str::trim);
    commands.filter(|words| words.starts_with("ufw ") || words.starts_with("ip")).map(str::to_owned).collect()
}

/// Other people's rules, without counters and without ours.
fn foreign_rules(host: &Nspawn) -> String {
    let script = "nft --stateless list ruleset 2>/dev/null | sed 's/counter packets [0-9]* bytes [0-9]*/counter/' | \
                  awk '/^table inet pic /{ours=1} !ours{print} ours&&/^}/{ours=0}'";
    host.sh(script).unwrap().stdout
}

#[test]
fn a_host_with_ufw_keeps_it_and_the_phone_comes_in_by_the_printed_commands() {
    let world = World::start(Release::Trixie);
    world.cell("ufw allow 22/tcp && ufw --force enable && ufw status | grep -q 'Status: active'");
    let before = foreign_rules(&world.cell);
    let printed = world.install("--name den --peer phone --yes").ok().unwrap();
    assert_eq!(difference(&before, &foreign_rules(&world.cell)), Vec::<String>::new());
    for command in advice(&printed, "ufw is on") {
        world.cell(&command);
    }
    let told = foreign_rules(&world.cell);
    let phone = phone(&world.lab.client, &printed_config(&printed));
    reaches(&phone, "den");
    // ufw replaces its own rules and ours stay.
    world.cell("ufw reload");
    reaches(&phone, "den");
    assert!(world.cell("picctl status --json").contains("\"state\":\"ok\""));
    world.install("--uninstall --purge --yes").ok().unwrap();
    assert_eq!(difference(&told, &foreign_rules(&world.cell)), Vec::<String>::new());
    world.cell("ufw status | grep -q 'Status: active'");
}

#[test]
fn a_host_with_docker_keeps_its_chains_and_the_phone_gets_out_by_the_printed_commands() {
    let world = World::start(Release::Trixie);
    // What Docker leaves on a host that was no router before it.
    world.cell(
        "ip link add docker0 type bridge && ip addr add 172.17.0.1/16 dev docker0 && ip link set docker0 up
         iptables -N DOCKER-USER && iptables -A DOCKER-USER -j RETURN && iptables -A FORWARD -j DOCKER-USER
         iptables -P FORWARD DROP && echo 1 >/proc/sys/net/ipv4/ip_forward
         iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
    );
    let before = foreign_rules(&world.cell);
    let printed = world.install("--name den --peer phone --yes").ok().unwrap();
    assert_eq!(difference(&before, &foreign_rules(&world.cell)), Vec::<String>::new());
    let phone = phone(&world.lab.client, &printed_config(&printed));
    let page = format!("curl -fsS --max-time 5 http://{}/", OUTSIDE[0]);
    assert!(!phone.sh(&page).unwrap().status.success(), "the policy of Docker's chain is not ours to change");
    for command in advice(&printed, "Docker") {
        world.cell(&command);
    }
    reaches(&phone, "den");
    let told = foreign_rules(&world.cell);
    world.install("--uninstall --purge --yes").ok().unwrap();
    assert_eq!(difference(&told, &foreign_rules(&world.cell)), Vec::<String>::new());
    assert_eq!(world.cell("cat /proc/sys/net/ipv4/ip_forward").trim(), "1");
}
