//! Which running connections a change of state ends.
//!
//! A packet in the direction of its connection's first one is looked up each time, but answers ride on the connection
//! alone: where its right goes, they would go on for as long as somebody sends them. So the kernel is told to forget it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pic_model::reach::Service;

use crate::reach::{Ends, Packet, Trace, Verdict, Walker};
use crate::way_in::State;

/// A connection by its first packet, as that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// Who began it.
    pub source: IpAddr,
    /// With whom, before any translation.
    pub destination: IpAddr,
    /// What for.
    pub service: Service,
    /// Who answers, after any translation.
    pub end: (IpAddr, Service),
}

/// A state as the judge of connections.
struct Judge<'a> {
    ends: Ends<'a>,
    walker: Walker<'a>,
}

impl<'a> Judge<'a> {
    fn new(State { desired, facts, targets }: State<'a>) -> Self {
        Self { ends: Ends::new(desired, facts, targets), walker: Walker::new(targets, facts) }
    }

    /// Whether an address is one of the cell's own networks.
    fn is_inside(&self, address: IpAddr) -> bool {
        self.ends.interface_of(address).is_some_and(|device| self.ends.is_inside(&device))
    }

    /// What becomes of the first packet; `None`: the host itself began.
    fn trace(&self, one: &Connection) -> Option<Trace> {
        let Connection { source, destination, service, .. } = *one;
        let iif = self.ends.interface_of(source)?;
        // Addresses of names are in the sets themselves.
        Some(self.walker.walk(&Packet { iif: Some(iif), source, destination, service, learned: Vec::new() }))
    }

    /// Whether a connection that was led to somebody inside would now be led elsewhere.
    fn is_elsewhere(&self, one: &Connection, trace: &Trace) -> bool {
        trace.end != one.end && self.is_inside(one.end.0)
    }

    fn lets_begin(&self, one: &Connection) -> Option<bool> {
        let trace = self.trace(one)?;
        Some(trace.verdict == Verdict::Allowed && !self.is_elsewhere(one, &trace))
    }

    /// Whether a connection between somebody inside and anybody has no right.
    fn stops(&self, one: &Connection) -> bool {
        let is_begun_inside = self.is_inside(one.source);
        if !is_begun_inside && !self.is_led_inside(one) {
            return false;
        }
        let Some(trace) = self.trace(one) else { return false };
        match trace.verdict {
            Verdict::Allowed => self.is_elsewhere(one, &trace),
            Verdict::Dropped | Verdict::Refused => true,
            // What is granted has a mark, whether there is a way now or not.
            Verdict::Unreachable => is_begun_inside && trace.mark == 0,
        }
    }

    /// Whether an address of the host, which it still has, leads to somebody inside, or he was asked himself.
    fn is_led_inside(&self, one: &Connection) -> bool {
        let is_asked = one.end.0 == one.destination || self.ends.interface_of(one.destination).is_none();
        is_asked && self.is_inside(one.end.0)
    }
}

/// Each is judged once, however often it is there.
fn judged(connections: &[Connection], judge: impl Fn(&Connection) -> bool) -> Vec<bool> {
    let mut known = BTreeMap::new();
    connections.iter().map(|one| *known.entry(*one).or_insert_with(|| judge(one))).collect()
}

/// For each connection whether `before` let it begin and `after` does not, or not with whom it runs. What the host itself began
/// is its own matter, and what neither state lets begin is nobody's of ours.
pub fn ended(before: State<'_>, after: State<'_>, connections: &[Connection]) -> Vec<bool> {
    let (before, after) = (Judge::new(before), Judge::new(after));
    judged(connections, |one| before.lets_begin(one) == Some(true) && after.lets_begin(one) == Some(false))
}

/// The same for an agent that begins and knows no state before: for each connection whether somebody in the cell's own networks
/// began it, or was led to by a forward, and `now` stops it. Its right may have gone while no agent ran, and its answers would go
/// on. What merely has no way at the moment may have one again.
pub fn stopped(now: State<'_>, connections: &[Connection]) -> Vec<bool> {
    let now = Judge::new(now);
    judged(connections, |one| now.stops(one))
}

#[cfg(test)]
mod tests {
    use pic_model::Desired;
    use pic_model::config::parse;
    use pic_model::reach::Target;

    use super::*;
    use crate::compile::compile;
    use crate::facts::{Facts, UplinkFacts};

    const CELL: &str = r#"
[cell]
name = "home"
[[peer]]
name = "phone"
public_key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
address = "10.77.0.2"
[[peer]]
name = "nas"
public_key = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="
address = "10.77.0.3"
[[grant]]
from = ["phone"]
to = ["nas:445", "nas:udp/53"]
[[forward]]
listen = "tcp/8443"
to = "nas:443"
"#;

    fn connection(source: &str, to: &str) -> Connection {
        let target: Target = to.parse().unwrap();
        let pic_model::reach::Host::Address(destination) = target.host else { panic!("{to}") };
        let (source, service) = (source.parse().unwrap(), target.service);
        Connection { source, destination, service, end: (destination, service) }
    }

    /// One that was led on.
    fn led(source: &str, to: &str, on: &str) -> Connection {
        let on = connection(source, on);
        Connection { end: on.end, ..connection(source, to) }
    }

    #[test]
    fn what_was_let_begin_and_is_not_any_more_ends() {
        let facts = Facts {
            uplink: Some(UplinkFacts {
                interface: "eth0".parse().unwrap(),
                ipv4: Some([203, 0, 113, 9].into()),
                ipv6: None,
                routes6: false,
            }),
            ..crate::memory::facts()
        };
        let connections = [
            connection("10.77.0.2", "10.77.0.3:445"),
            connection("10.77.0.2", "10.77.0.3:udp/53"),
            connection("10.77.0.2", "10.77.0.3:80"),
            connection("10.77.0.2", "198.51.100.9:443"),
            led("198.51.100.9", "203.0.113.9:8443", "10.77.0.3:443"),
            connection("203.0.113.9", "198.51.100.9:443"),
            connection("10.77.0.1", "10.77.0.3:22"),
        ];
        let text = |text: &str| parse(text).unwrap();
        let told = |after: &Desired| {
            let before = text(CELL);
            let (one, two) = (compile(Some(&before), &facts), compile(Some(after), &facts));
            let before = State { desired: &before, targets: &one, facts: &facts };
            ended(before, State { desired: after, targets: &two, facts: &facts }, &connections)
        };
        let no = false;
        assert_eq!(told(&text(CELL)), [no; 7]);
        let one = CELL.replace("\"nas:445\", ", "");
        assert_eq!(told(&text(&one)), [true, no, no, no, no, no, no]);
        let home = CELL.replace("10.77.0.2\"\n", "10.77.0.2\"\nallow = []\n");
        assert_eq!(told(&text(&home)), [no, no, no, true, no, no, no]);
        let closed = CELL.replace("tcp/8443", "tcp/8444");
        assert_eq!(told(&text(&closed)), [no, no, no, no, true, no, no]);
        let other = CELL.replace("nas:443", "nas:444");
        assert_eq!(told(&text(&other)), [no, no, no, no, true, no, no]);
        let out = CELL.replace("10.77.0.2\"\n", "10.77.0.2\"\nenabled = false\n");
        assert_eq!(told(&text(&out)), [true, true, no, true, no, no, no]);
        // Whoever knows nothing of before ends what is not right now, as far as it is of the cell's own networks or led there.
        let found = |now: &Desired| {
            let targets = compile(Some(now), &facts);
            stopped(State { desired: now, targets: &targets, facts: &facts }, &connections)
        };
        assert_eq!(found(&text(CELL)), [no, no, true, no, no, no, no]);
        assert_eq!(found(&text(&one)), [true, no, true, no, no, no, no]);
        assert_eq!(found(&text(&closed)), [no, no, true, no, true, no, no]);
        assert_eq!(found(&text(&other)), [no, no, true, no, true, no, no]);
        // Somebody else's translation, and one of an address that the host has not at the moment.
        let foreign = [
            led("198.51.100.9", "203.0.113.9:8443", "172.17.0.2:443"),
            led("198.51.100.9", "203.0.113.200:8443", "10.77.0.3:443"),
        ];
        let (now, targets) = (text(&closed), compile(Some(&text(&closed)), &facts));
        assert_eq!(stopped(State { desired: &now, targets: &targets, facts: &facts }, &foreign), [no, no]);
    }
}
