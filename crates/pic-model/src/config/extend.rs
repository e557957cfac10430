//! The common change of a large cell: one more peer at the end of the file, without reading ten thousand others again.

use toml::de::DeTable;

use super::place::Places;
use super::reader::Reader;
use super::sections;
use crate::desired::Desired;

/// Peers in a tail up to which looking through all present ones for each of them is faster than reading the whole.
const FEW: usize = 32;

/// Reads `old + tail`, given what `old` means, if `tail` is nothing but `[[peer]]` tables with addresses that are right
/// and new. `None` says nothing about the text: read the whole then, which also words what is wrong.
pub fn extend(desired: &Desired, old: &str, tail: &str) -> Option<Desired> {
    let is_header = |line: &str| line.trim_start().starts_with("[[peer]]");
    // The list of peers cannot be continued by tables where it is a value (`peer = []`, `"peer"=[]`, …): only where one
    // such table stands already. No value of a right file holds a line that looks like one.
    if !old.ends_with('\n') || !is_header(tail.trim_start()) || !old.lines().any(is_header) {
        return None;
    }
    if tail.lines().filter(|line| is_header(line)).count() > FEW {
        return None;
    }
    let (root, syntax) = DeTable::parse_recoverable(tail);
    let only_peers = root.get_ref().keys().all(|key| key.get_ref() == "peer");
    if !syntax.is_empty() || !only_peers {
        return None;
    }
    let place = Places::new(tail);
    let mut problems = Vec::new();
    let mut reader = Reader::root(root.get_ref(), &place, &mut problems);
    let added = sections::peers(&mut reader, &desired.wireguard, &desired.groups);
    if !problems.is_empty() {
        return None;
    }
    let zone = desired.cell.name.zone();
    let mut whole = desired.clone();
    for at in added {
        let (name, peer) = at.into_plain()?;
        let clashes = |other: &crate::desired::Peer| {
            // An explicit v6 address may meet another's implied one: the whole check decides.
            other.public_key == peer.public_key || other.address == peer.address || other.address6.is_some()
        };
        let mut networks = whole.lans.keys().chain(whole.subnets.keys());
        let name_taken = networks.any(|lan| lan.as_str() == name.as_str())
            || whole.groups.iter().any(|group| group.as_str() == name.as_str())
            || whole
                .reservations
                .iter()
                .any(|kept| kept.name.as_ref().is_some_and(|n| n.as_str() == name.as_str()));
        let name_taken = name_taken || whole.services.keys().any(|service| service.as_str() == name.as_str());
        if name_taken
            || peer.address6.is_some()
            // Whether there are such exits, and whether groups agree, is told by the whole check.
            || peer.exit.is_some()
            || (peer.groups.len() > 1 && !(desired.group_exits.is_empty() && desired.group_limits.is_empty()))
            || whole.peers.contains_key(&name)
            || whole.peers.values().any(clashes)
        {
            return None;
        }
        // A record that the new peer's name would clash with, or one that was waiting for it.
        let named = |record: &crate::desired::DnsRecord| record.name.beneath(&zone) == Some(name.as_str());
        if desired.dns.records.iter().any(named) {
            return None;
        }
        whole.peers.insert(name, peer);
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const OLD: &str = "[cell]\nname = \"home\"\n[[peer]]\nname = \"a\"\npublic_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"\naddress = \"10.77.0.2\"\n";

    fn tail(name: &str, key: char, address: &str) -> String {
        let key = String::from_utf8(vec![key as u8; 32]).unwrap();
        let key = crate::key::PublicKey::from_bytes(key.as_bytes().try_into().unwrap());
        format!("\n[[peer]]\nname = \"{name}\"\npublic_key = \"{key}\"\naddress = \"{address}\"\n")
    }

    #[test]
    fn means_the_same_as_the_whole() {
        let old = parse(OLD).unwrap();
        let good = tail("b", 'b', "10.77.0.3");
        assert_eq!(extend(&old, OLD, &good), parse(&format!("{OLD}{good}")).ok());
        let two = format!("{good}{}", tail("c", 'c', "10.77.0.4"));
        assert_eq!(extend(&old, OLD, &two), parse(&format!("{OLD}{two}")).ok());
    }

    #[test]
    fn leaves_everything_else_to_the_whole() {
        let old = parse(OLD).unwrap();
        let cases = [
            tail("a", 'b', "10.77.0.3"),
            tail("b", 'a', "10.77.0.3"),
            tail("b", 'b', "10.77.0.2"),
            tail("b", 'b', "10.78.0.2"),
            "port = 1\n".to_owned(),
            "\n[wireguard]\nport = 1\n".to_owned(),
            "\n[[peer]]\nname = \"b\n".to_owned(),
            format!("{}what = 1\n", tail("b", 'b', "10.77.0.3")),
        ];
        for case in cases {
            assert_eq!(extend(&old, OLD, &case), None, "{case}");
        }
        for list in ["peer=[]", "peer\t= []", "\"peer\" = []", "'peer' = []"] {
            let text = format!("{list}\n[cell]\nname = \"home\"\n");
            assert_eq!(extend(&parse(&text).unwrap(), &text, &tail("b", 'b', "10.77.0.3")), None, "{list}");
        }
        assert_eq!(extend(&old, OLD.trim_end(), &tail("b", 'b', "10.77.0.3")), None);
    }
}
