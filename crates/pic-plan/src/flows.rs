//! Which running connections a change of state ends.
//!
//! A packet in the direction of its connection's first one is looked up each time, but answers ride on the connection
//! alone: where its right goes, they would go on for as long as somebody sends them. So the kernel is told to forget it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pic_model::reach::Service;

use crate::reach::{Ends, Packet, Verdict, Walker};
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
}

/// For each connection whether `before` let it begin and `after` does not. What the host itself began is its own matter,
/// and what neither state lets begin is nobody's of ours.
pub fn ended(before: State<'_>, after: State<'_>, connections: &[Connection]) -> Vec<bool> {
    let both = [before, after].map(|State { desired, facts, targets }| {
        (Ends::new(desired, facts, targets), Walker::new(targets, facts))
    });
    let passes = |(ends, walker): &(Ends<'_>, Walker<'_>), one: &Connection| {
        let iif = ends.interface_of(one.source)?;
        let Connection { source, destination, service } = *one;
        // Addresses of names are in the sets themselves.
        let packet = Packet { iif: Some(iif), source, destination, service, learned: Vec::new() };
        Some(walker.walk(&packet).verdict == Verdict::Allowed)
    };
    let [before, after] = &both;
    let mut known = BTreeMap::new();
    let judge = |one: &Connection| passes(before, one) == Some(true) && passes(after, one) == Some(false);
    connections.iter().map(|one| *known.entry(*one).or_insert_with(|| judge(one))).collect()
}

/// The same for an agent that begins and knows no state before: for each connection whether somebody in the cell's own networks
/// began it, and the table of `now` stops it. Its right may have gone while no agent ran, and its answers would go on. What merely
/// has no way at the moment may have one again.
pub fn stopped(now: State<'_>, connections: &[Connection]) -> Vec<bool> {
    let State { desired, facts, targets } = now;
    let (ends, walker) = (Ends::new(desired, facts, targets), Walker::new(targets, facts));
    let judge = |one: &Connection| {
        let Connection { source, destination, service } = *one;
        let iif = ends.interface_of(source).filter(|device| ends.is_inside(device));
        iif.is_some_and(|iif| {
            let packet = Packet { iif: Some(iif), source, destination, service, learned: Vec::new() };
            let trace = walker.walk(&packet);
            match trace.verdict {
                Verdict::Allowed => false,
                Verdict::Dropped | Verdict::Refused => true,
                // What is granted has a mark, whether there is a way now or not.
                Verdict::Unreachable => trace.mark == 0,
            }
        })
    };
    let mut known = BTreeMap::new();
    connections.iter().map(|one| *known.entry(*one).or_insert_with(|| judge(one))).collect()
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
        Connection { source: source.parse().unwrap(), destination, service: target.service }
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
            connection("198.51.100.9", "203.0.113.9:8443"),
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
        let out = CELL.replace("10.77.0.2\"\n", "10.77.0.2\"\nenabled = false\n");
        assert_eq!(told(&text(&out)), [true, true, no, true, no, no, no]);
        // Whoever knows nothing of before ends what is not right now, as far as it is of the cell's own networks.
        let found = |now: &Desired| {
            let targets = compile(Some(now), &facts);
            stopped(State { desired: now, targets: &targets, facts: &facts }, &connections)
        };
        assert_eq!(found(&text(CELL)), [no, no, true, no, no, no, no]);
        assert_eq!(found(&text(&one)), [true, no, true, no, no, no, no]);
        assert_eq!(found(&text(&closed)), [no, no, true, no, no, no, no]);
    }
}
