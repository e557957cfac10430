//! The machine itself.

use pic_drivers::host::HostFacts;

use super::{Check, Level};
use crate::facts::{Machine, Resolver};

const MB: u64 = 1 << 20;

pub(super) fn checks(machine: &Machine, host: &HostFacts) -> Vec<Check> {
    let mut checks =
        vec![disk(machine), memory(machine), clock(machine), wireguard(machine), resolver(machine, host)];
    if !machine.systemd {
        let words = "this machine was not booted by systemd, which the cell's services need";
        checks.push(Check::new("systemd", Level::Stop, words, "use a machine that systemd runs"));
    }
    checks
}

fn disk(machine: &Machine) -> Check {
    let Some(free) = machine.disk_free else {
        return Check::note("disk", "the free space below /var/lib cannot be read");
    };
    let words = format!("{} MB free below /var/lib", free / MB);
    let fix = "make room, or give another disk by --data-dir";
    match free / MB {
        0..200 => Check::new("disk", Level::Stop, words + ", and the cell needs 200 MB", fix),
        200..1024 => Check::new("disk", Level::Warn, words + ", which is little", fix),
        _ => Check::ok("disk", words),
    }
}

fn memory(machine: &Machine) -> Check {
    match machine.memory_free {
        Some(free) if free < 128 * MB => {
            let words = format!("{} MB of memory free, and the cell takes about 60 MB", free / MB);
            Check::new("memory", Level::Warn, words, "stop what is not needed, or add swap")
        }
        Some(free) => Check::ok("memory", format!("{} MB free", free / MB)),
        None => Check::note("memory", "the free memory cannot be read"),
    }
}

/// WireGuard refuses handshakes of a clock that went back, and expiry dates need a true one.
fn clock(machine: &Machine) -> Check {
    let now = date(machine.now);
    if machine.now < machine.built {
        let words = format!("it is {now} here, and this program was built on {}", date(machine.built));
        return Check::new("clock", Level::Warn, words, "set the clock: timedatectl set-ntp true");
    }
    Check::ok("clock", format!("{now}, plausible"))
}

/// Days to a civil date, by eras of 400 years, which all have 146097 days.
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    // Months are counted from March, so that the day that comes and goes is the last.
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{of_month:02}", era * 400 + year + next)
}

fn wireguard(machine: &Machine) -> Check {
    if machine.kernel_wireguard {
        return Check::ok("wireguard", "in the kernel");
    }
    let words = "this kernel has no WireGuard; it will run as a program, which is slower";
    if machine.tun {
        return Check::new("wireguard", Level::Note, words, "");
    }
    let words = "this kernel has neither WireGuard nor /dev/net/tun";
    Check::new(
        "wireguard",
        Level::Stop,
        words,
        "in a container, have /dev/net/tun handed in; else load the module tun",
    )
}

fn resolver(machine: &Machine, host: &HostFacts) -> Check {
    let who = match machine.resolver {
        Resolver::File => "in /etc/resolv.conf",
        Resolver::Resolved => "by systemd-resolved",
        Resolver::Resolvconf => "by resolvconf",
        Resolver::NetworkManager => "by NetworkManager",
        Resolver::Missing => "and there is no /etc/resolv.conf",
    };
    if host.resolvers.is_empty() {
        let words =
            format!("this host has no resolvers {who}, so devices will find no names outside the cell");
        return Check::new(
            "resolver",
            Level::Warn,
            words,
            "picctl config set dns.upstreams '[\"tls://9.9.9.9\"]'",
        );
    }
    let servers: Vec<String> = host.resolvers.iter().map(ToString::to_string).collect();
    let then = match machine.resolver {
        Resolver::NetworkManager => "this host goes on asking them itself, as the file is not ours to write",
        _ => "once the cell answers, this host asks it first, and them again when it does not (dns.host)",
    };
    Check::ok("resolver", format!("{} {who}, asked for names outside the cell; {then}", servers.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let cases = [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (4_107_542_400, "2100-03-01"),
            (1_798_761_599, "2026-12-31"),
        ];
        for (seconds, want) in cases {
            assert_eq!(date(seconds), want);
        }
    }
}
