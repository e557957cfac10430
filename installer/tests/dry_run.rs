//! The program in network namespaces: what it finds there, what it chooses, and that it touches nothing.
#![expect(clippy::unwrap_used, reason = "helpers of a test fail it by panicking")]

use pic_lab::Namespace;
use pic_lab::cmd::{self, Output};
use serde_json::Value;

/// A host on a public network.
fn vps() -> Namespace {
    let host = Namespace::new("vps").unwrap();
    host.bridge("eth0").unwrap();
    host.address("eth0", "203.0.113.10/24").unwrap();
    host.default_route("203.0.113.1").unwrap();
    host
}

fn dry_run(host: &Namespace, environment: &str, options: &[&str]) -> Output {
    let mut command = host.command("env");
    command.args(["-u", "SSH_CONNECTION"]).args(environment.split('|').filter(|word| !word.is_empty()));
    cmd::run(command.arg(env!("CARGO_BIN_EXE_pic-installer")).arg("--dry-run").args(options)).unwrap()
}

fn document(host: &Namespace, environment: &str, options: &[&str]) -> Value {
    let output = dry_run(host, environment, &[options, &["--json"]].concat());
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}{}", output.stdout, output.stderr))
}

/// The findings of one name, as "level words".
fn found(document: &Value, name: &str) -> String {
    let checks = document["checks"].as_array().unwrap().iter().filter(|check| check["name"] == name);
    checks.map(|check| format!("{} {} {}\n", check["level"], check["words"], check["do"])).collect()
}

fn toml(document: &Value) -> &str {
    document["cell_toml"].as_str().unwrap()
}

#[test]
fn a_host_where_everything_is_taken() {
    let host = vps();
    host.bridge("docker0").unwrap();
    host.address("docker0", "172.17.0.1/16").unwrap();
    host.route("10.77.0.0/16", "203.0.113.9").unwrap();
    host.nft("table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }")
        .unwrap();
    let _port = host.spawn("socat udp-recvfrom:51820,fork /dev/null").unwrap();
    let _web = host.spawn("socat tcp-listen:8080,fork,reuseaddr /dev/null").unwrap();
    let _inner = host.spawn("socat tcp-listen:8081,bind=172.17.0.1,fork,reuseaddr /dev/null").unwrap();
    let listening = || host.run("ss -Hlntu").unwrap().stdout.matches(":8080 ").count() == 1;
    pic_lab::wait::until(std::time::Duration::from_secs(5), "the listeners", listening).unwrap();
    let before = host.run("sh -c nft${IFS}list${IFS}ruleset;ip${IFS}a;ip${IFS}r").unwrap().stdout;

    let document = document(&host, "", &["--peer=phone"]);
    let text = toml(&document);
    assert!(text.contains("ipv4 = \"10.78.0.0/16\"") && text.contains("port = 51821"), "{text}");
    assert!(text.contains("inbound = \"closed\""), "{text}");
    assert!(found(&document, "network").contains("10.77.0.0/16 is eth0's"), "{document}");
    let port = found(&document, "port");
    assert!(port.contains("socat (process") && port.contains("udp/51820"), "{port}");
    let outside = found(&document, "outside");
    assert!(outside.contains("tcp/8080 (socat)") && !outside.contains("8081"), "{outside}");
    let docker = found(&document, "docker");
    assert!(
        docker.contains("warn") && docker.contains("iptables -I DOCKER-USER -i pic0 -j ACCEPT"),
        "{docker}"
    );
    assert_eq!(host.run("sh -c nft${IFS}list${IFS}ruleset;ip${IFS}a;ip${IFS}r").unwrap().stdout, before);
}

#[test]
fn options_are_taken_up() {
    let host = vps();
    let options = [
        "--name=den",
        "--domain=den.example.org",
        "--inbound=open",
        "--open=udp/3478",
        "--endpoint=vpn.example.org:443",
    ];
    let document = document(&host, "", &options);
    for line in
        ["name = \"den\"", "domain = \"den.example.org\"", "inbound = \"open\"", "open = [\"udp/3478\"]"]
    {
        assert!(toml(&document).contains(line), "{line} in {document}");
    }
    let refused = dry_run(&host, "", &["--endpoint=a b"]);
    assert_eq!(refused.code(), 3, "{}", refused.stderr);
    assert_eq!(dry_run(&host, "", &["--name=A B"]).code(), 2);
    let refused = dry_run(&host, "", &["--data-dir=/proc"]);
    assert_eq!(refused.code(), 3, "{}", refused.stderr);
}

#[test]
fn the_session_is_found_even_behind_sudo() {
    let host = vps();
    let session = "SSH_CONNECTION=192.0.2.7 50000 203.0.113.10 2222";
    let text = document(&host, session, &[]);
    assert!(
        toml(&text).contains("ssh = [2222]") && toml(&text).contains("admin = [\"192.0.2.7\"]"),
        "{text}"
    );
    // sudo clears the environment; the shell above it still has it.
    let mut shell = host.command("env");
    let script = format!("env -i {} --dry-run --json; true", env!("CARGO_BIN_EXE_pic-installer"));
    shell.args([session, "sh", "-c", &script]);
    let output = cmd::run(&mut shell).unwrap();
    let text: Value = serde_json::from_str(&output.stdout).unwrap();
    assert!(toml(&text).contains("admin = [\"192.0.2.7\"]"), "{text}");
    // A console has no session, and then nobody is named.
    let text = document(&host, "", &[]);
    assert!(toml(&text).contains("# admin = "), "{text}");
}

#[test]
fn a_program_on_port_53_of_all_addresses_stops_it() {
    let host = vps();
    let _names = host.spawn("socat udp-recvfrom:53,fork /dev/null").unwrap();
    let listening = || host.run("ss -Hlnu").unwrap().stdout.contains(":53 ");
    pic_lab::wait::until(std::time::Duration::from_secs(5), "the listener", listening).unwrap();
    let output = dry_run(&host, "", &[]);
    assert_eq!(output.code(), 1);
    assert!(output.stdout.contains("STOP") && output.stdout.contains("socat (process"), "{}", output.stdout);
}
