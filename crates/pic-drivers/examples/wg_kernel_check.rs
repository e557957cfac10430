//! Drives a real kernel WireGuard device through everything the drivers do with one, and compares what is read back.
//!
//! For a virtual machine whose kernel has the module; the machines that build this often have none. Run as root:
//! `wg_kernel_check`; exits non-zero at the first difference.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Instant;

use ipnet::IpNet;
use pic_drivers::{link, wireguard};
use pic_model::key::{PresharedKey, PrivateKey, PublicKey};
use pic_plan::plan::Action;
use pic_plan::target::link::Kind;
use pic_plan::target::wireguard::{Delta, Peer};

const NAME: &str = "pic77";
const PEERS: u32 = 1000;
const CROWDED: u32 = 500;

type Outcome = Result<(), Box<dyn Error>>;

fn key(number: u32) -> PublicKey {
    let mut bytes = [3; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    PublicKey::from_bytes(bytes)
}

fn network(number: u32) -> IpNet {
    let ip = Ipv4Addr::from(0x0a00_0000 + number);
    IpNet::from(std::net::IpAddr::from(ip))
}

fn peer(number: u32) -> Peer {
    let first = if number == CROWDED { 100_000 } else { number };
    let count = if number == CROWDED { 600 } else { 1 };
    let mut psk = [5; 32];
    psk[..4].copy_from_slice(&number.to_be_bytes());
    Peer {
        preshared_key: Some(PresharedKey::from_bytes(psk)),
        allowed_ips: (first..first + count).map(network).collect(),
        keepalive: number.is_multiple_of(2).then_some(25),
        endpoint: None,
    }
}

fn check(what: &str, fine: bool) -> Outcome {
    say(&format!("{} {what}", if fine { "ok  " } else { "FAIL" }));
    if fine { Ok(()) } else { Err(what.to_owned().into()) }
}

#[expect(clippy::print_stdout, reason = "a check's output is its purpose")]
fn say(text: &str) {
    println!("{text}");
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = work();
    say(&format!("     {what}: {:?}", begin.elapsed()));
    result
}

fn sequence() -> Outcome {
    check("the kernel makes WireGuard devices", link::probe_kernel_wireguard()?)?;
    let create = Action::LinkCreate { name: NAME.into(), kind: Kind::Wireguard, mtu: 1420, parent: None };
    link::apply(&create)?;
    link::apply(&create)?;
    let seen = link::observe("pic")?;
    let fine =
        seen.get(NAME).is_some_and(|link| link.kind == Kind::Wireguard && link.mtu == 1420 && !link.up);
    check("a created device is seen", fine)?;
    check("the probe is gone", !seen.contains_key("pic-probe"))?;
    let (blank, _) = wireguard::observe(NAME)?.ok_or("no device")?;
    check("a new device has no key and no peers", blank.private_key.is_none() && blank.peers.is_empty())?;

    let mut wanted = Delta {
        private_key: Some(PrivateKey::from_random([7; 32])),
        listen_port: Some(51877),
        fwmark: Some(0x0200_0000),
        set: (0..PEERS).map(|n| (key(n), peer(n))).collect(),
        remove: BTreeSet::new(),
    };
    timed("set 1,000 peers", || wireguard::apply(NAME, &wanted))?;
    compare("everything set is read back", &wanted)?;
    timed("set them again", || wireguard::apply(NAME, &wanted))?;
    compare("again changes nothing", &wanted)?;

    let plain =
        Peer { preshared_key: None, allowed_ips: [network(999_999)].into(), keepalive: None, endpoint: None };
    let change = Delta {
        set: [(key(7), plain.clone()), (key(CROWDED), plain_crowded())].into(),
        remove: [key(8), key(123_456)].into(),
        ..Delta::default()
    };
    timed("change two, remove one", || wireguard::apply(NAME, &change))?;
    wanted.set.insert(key(7), plain);
    wanted.set.insert(key(CROWDED), plain_crowded());
    wanted.set.remove(&key(8));
    compare("only these changed", &wanted)?;

    let delete = Action::LinkDelete { name: NAME.into() };
    timed("delete", || link::apply(&delete))?;
    link::apply(&delete)?;
    check("the device is gone", link::observe("pic")?.is_empty() && wireguard::observe(NAME)?.is_none())
}

/// The crowded peer after its change: half of its networks.
fn plain_crowded() -> Peer {
    Peer { allowed_ips: (100_000..100_300).map(network).collect(), ..peer(CROWDED) }
}

fn compare(what: &str, wanted: &Delta) -> Outcome {
    let (device, live) = timed("read", || wireguard::observe(NAME))?.ok_or("no device")?;
    let fine = device.private_key == wanted.private_key
        && Some(device.listen_port) == wanted.listen_port
        && Some(device.fwmark) == wanted.fwmark
        && device.peers == wanted.set
        && live.len() == wanted.set.len();
    check(what, fine)
}

fn main() -> ExitCode {
    match sequence() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed: {error}"));
            let mut cause = error.source();
            while let Some(next) = cause {
                say(&format!("  because {next}"));
                cause = next.source();
            }
            let _ = link::apply(&Action::LinkDelete { name: NAME.into() });
            ExitCode::FAILURE
        }
    }
}
