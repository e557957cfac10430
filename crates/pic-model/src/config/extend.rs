//! The common changes of a large cell: more peers, grants or records at the end of the file, or fewer records, without
//! reading ten thousand others again.

use std::sync::Arc;

use toml::de::DeTable;

use super::blocks::{blocks, missing};
use super::dns::record;
use super::place::Places;
use super::policy;
use super::reader::Reader;
use super::sections::{self, PeerAt};
use crate::desired::Desired;

/// Peers or grants in a tail up to which looking through all present ones for each of them is faster than reading the
/// whole. All records are compared in one go.
const FEW: usize = 32;

const RECORD: &str = "dns.record";

/// Tables that are continued so.
const KINDS: [&str; 3] = ["peer", "grant", RECORD];

/// Reads `old + tail`, given what `old` means, if `tail` is nothing but `[[peer]]` tables, nothing but `[[grant]]` tables,
/// or nothing but `[[dns.record]]` tables, that are right and new. `None` says nothing about the text: read the whole
/// then, which also words what is wrong.
pub fn extend(desired: &Desired, old: &str, tail: &str) -> Option<Desired> {
    let kind = KINDS.into_iter().find(|kind| is_header(tail, kind))?;
    if !old.ends_with('\n') || !has_tables(old, kind) {
        return None;
    }
    if kind != RECORD && tail.lines().filter(|line| is_header(line, kind)).count() > FEW {
        return None;
    }
    let (root, syntax) = DeTable::parse_recoverable(tail);
    if !syntax.is_empty() || !is_only(root.get_ref(), kind) {
        return None;
    }
    let place = Places::new(tail);
    let mut problems = Vec::new();
    let mut reader = Reader::root(root.get_ref(), &place, &mut problems);
    match kind {
        RECORD => {
            let (zone, mut marks) = (desired.cell.name.zone(), Vec::new());
            let added = reader.table("dns", |t| record::all(t, &zone, &mut marks));
            if !problems.is_empty() || !record::are_right(&added, &marks, desired, &place) {
                return None;
            }
            let mut whole = desired.clone();
            whole.dns.records.extend(added);
            Some(whole)
        }
        "grant" => {
            let added = policy::grants(&mut reader);
            if !problems.is_empty() || !policy::check::are_right(&added, desired, &place) {
                return None;
            }
            let mut whole = desired.clone();
            whole.grants.extend(added.into_iter().map(|at| at.value));
            Some(whole)
        }
        _ => {
            let added = sections::peers(&mut reader, &desired.wireguard, &desired.groups);
            if problems.is_empty() { with_peers(desired, added) } else { None }
        }
    }
}

/// Reads `new`, given what `old` means, if it is `old` without some of its `[[dns.record]]` tables, and right. `None` says
/// nothing about the text, as with [`extend`].
pub fn shrink(desired: &Desired, old: &str, new: &str) -> Option<Desired> {
    if new.len() >= old.len() {
        return None;
    }
    let blocks = blocks(old, RECORD)?;
    if blocks.len() != desired.dns.records.len() {
        return None;
    }
    let mut gone = missing(old, new, &blocks)?.into_iter().peekable();
    let (mut kept, mut removed) = (Vec::with_capacity(blocks.len()), Vec::new());
    for (index, record) in desired.dns.records.iter().enumerate() {
        let list = if gone.next_if_eq(&index).is_some() { &mut removed } else { &mut kept };
        list.push(Arc::clone(record));
    }
    if !record::can_go(&removed, &kept, desired) {
        return None;
    }
    let mut whole = desired.clone();
    whole.dns.records = kept;
    Some(whole)
}

/// Whether a right file has tables of this kind, so that it can be continued by one more. It cannot where the list is a
/// value (`peer = []`, `"peer"=[]`, …), and no value but one of several lines holds a line that looks like a table's: such
/// a value would have to end behind it.
pub(crate) fn has_tables(text: &str, kind: &str) -> bool {
    let begins_line = |at: &usize| {
        text.get(..*at)
            .is_some_and(|before| before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty()))
    };
    let last = text.rmatch_indices(&format!("[[{kind}]]")).map(|(at, _)| at).find(begins_line);
    let behind = last.and_then(|at| text.get(at..));
    behind.is_some_and(|behind| !["\"\"\"", "'''"].iter().any(|quotes| behind.contains(quotes)))
}

/// Whether a text begins with `[[kind]]`.
fn is_header(text: &str, kind: &str) -> bool {
    let inner = text.trim_start().strip_prefix("[[").and_then(|text| text.strip_prefix(kind));
    inner.is_some_and(|rest| rest.starts_with("]]"))
}

/// Whether a document has nothing but tables of this kind.
fn is_only(root: &DeTable<'_>, kind: &str) -> bool {
    let mut table = root;
    for part in kind.split('.') {
        if table.keys().any(|key| key.get_ref() != part) {
            return false;
        }
        let Some(inner) = table.get(part).and_then(|value| value.get_ref().as_table()) else { return true };
        table = inner;
    }
    true
}

/// With peers that clash with nothing.
fn with_peers(desired: &Desired, added: Vec<PeerAt>) -> Option<Desired> {
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
        let named =
            |record: &Arc<crate::desired::DnsRecord>| record.name.beneath(&zone) == Some(name.as_str());
        if desired.dns.records.iter().any(named) {
            return None;
        }
        Arc::make_mut(&mut whole.peers).insert(name, peer);
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
        let text = format!("{OLD}[[grant]]\nname = \"first\"\nfrom = [\"a\"]\nto = [\"dns\"]\n");
        let old = parse(&text).unwrap();
        for more in
            ["to = [\"a:80\", \"internet\"]\nexpires = \"2030-01-01\"", "to = [\"cell\"]\nname = \"other\""]
        {
            let more = format!("\n[[grant]]\nfrom = [\"a\"]\n{more}\n");
            let whole = extend(&old, &text, &more);
            assert!(whole.is_some(), "{more}");
            assert_eq!(whole, parse(&format!("{text}{more}")).ok());
        }
    }

    #[test]
    fn records_mean_the_same_as_in_the_whole() {
        let text = format!(
            "{OLD}[[dns.record]]\nname = \"nas\"\ntype = \"A\"\nvalue = \"192.168.40.10\"\n\
             [[dns.record]]\nname = \"www\"\ntype = \"CNAME\"\nvalue = \"nas\"\n\
             [[dns.record]]\nname = \"lab\"\ntype = \"NS\"\nvalue = \"nas\"\n"
        );
        let old = parse(&text).unwrap();
        let tail = |name: &str, rtype: &str, value: &str| {
            format!("\n[[dns.record]]\nname = \"{name}\"\ntype = \"{rtype}\"\nvalue = \"{value}\"\n")
        };
        let good = [
            tail("nas", "A", "192.168.40.11"),
            format!("{}for = [\"a\"]\nttl = 5\n", tail("*.apps", "TXT", "say hi")),
            format!("{}{}", tail("x", "AAAA", "fd00::1"), tail("x", "MX", "10 nas")),
        ];
        for more in good {
            let whole = extend(&old, &text, &more);
            assert!(whole.is_some(), "{more}");
            assert_eq!(whole, parse(&format!("{text}{more}")).ok());
        }
        let others = [
            tail("nas", "A", "192.168.40.10"),
            tail("nas", "CNAME", "www"),
            tail("www", "A", "192.168.40.11"),
            tail("a", "A", "192.168.40.11"),
            tail("@", "A", "192.168.40.11"),
            tail("x.lab", "TXT", "hi"),
            tail("new", "NS", "nas"),
            tail("x", "A", "nothing"),
            format!("{}for = [\"nobody\"]\n", tail("x", "A", "192.168.40.11")),
            format!("{}what = 1\n", tail("x", "A", "192.168.40.11")),
            format!("{}[dns.tls]\n", tail("x", "A", "192.168.40.11")),
            format!("{}{}", tail("x", "TXT", "same"), tail("x", "TXT", "same")),
        ];
        for more in others {
            assert_eq!(extend(&old, &text, &more), None, "{more}");
        }
        // A line in a value that looks like a table's.
        let value = format!(
            "dns.record = [{{ name = \"x\", type = \"TXT\", value = \"\"\"\n[[dns.record]]\n\"\"\" }}]\n{OLD}"
        );
        assert!(!has_tables(&value, "dns.record"));
        assert!(!has_tables("# [[dns.record]]\n", "dns.record"));
        assert!(has_tables(&format!("{value}  [[dns.record]]\nname = \"x\"\n"), "dns.record"));
    }

    #[test]
    fn many_records_are_compared_in_one_go() {
        let record = |name: &str, rtype: &str, value: &str| {
            format!("\n[[dns.record]]\nname = \"{name}\"\ntype = \"{rtype}\"\nvalue = \"{value}\"\n")
        };
        let text = format!("{OLD}{}{}", record("nas", "A", "192.168.40.10"), record("lab", "NS", "nas"));
        let old = parse(&text).unwrap();
        let many: String = (0..200).map(|n| record(&format!("n{n}"), "A", "10.0.0.1")).collect();
        assert_eq!(extend(&old, &text, &many), parse(&format!("{text}{many}")).ok());
        let others = [
            record("n7", "A", "10.0.0.1"),
            record("n7", "CNAME", "nas"),
            record("x.lab", "TXT", "hi"),
            record("lab", "TXT", "hi"),
            record("nas", "A", "192.168.40.10"),
        ];
        for other in others {
            assert_eq!(extend(&old, &text, &format!("{many}{other}")), None, "{other}");
        }
        let same: String = (0..200).map(|n| record("n", "TXT", &n.to_string())).collect();
        assert_eq!(extend(&old, &text, &same), None, "each with each is not one go");
    }

    #[test]
    fn fewer_records_mean_the_same_as_in_the_whole() {
        let record = |name: &str, rtype: &str, value: &str| {
            format!("\n[[dns.record]]\nname = \"{name}\"\ntype = \"{rtype}\"\nvalue = \"{value}\"\n")
        };
        let records = [
            record("nas", "A", "192.168.40.10"),
            record("www", "CNAME", "nas"),
            record("x", "TXT", "a [[b]]"),
            format!("{}ttl = 5\n", record("x", "TXT", "other")),
        ];
        let text = format!("{OLD}{}\n[wireguard]\nport = 5182\n", records.concat());
        let old = parse(&text).unwrap();
        for gone in 1..16_usize {
            let is_gone = |at: usize| gone >> at & 1 == 1;
            let found = blocks(&text, RECORD).unwrap();
            let new = super::super::without(&text, &found, is_gone);
            let whole = shrink(&old, &text, &new);
            assert!(whole.is_some(), "{new}");
            assert_eq!(whole, parse(&new).ok(), "{new}");
        }
        for other in [
            text.replace("port = 5182", "port = 518"),
            text.replace("[wireguard]\nport = 5182\n", ""),
            text.replace("ttl = 5\n", ""),
            format!("{text}# more\n"),
            text.clone(),
        ] {
            assert_eq!(shrink(&old, &text, &other), None, "{other}");
        }
        // A server's address that a part of the zone is handed to is needed.
        let cut = format!("{text}{}{}", record("lab", "NS", "nas"), record("y", "A", "192.168.40.11"));
        let old = parse(&cut).unwrap();
        let new = cut.replace(&records[0], "");
        assert!(parse(&new).is_err() && shrink(&old, &cut, &new).is_none());
        let new = cut.replace(&records[2], "");
        assert_eq!(shrink(&old, &cut, &new), parse(&new).ok());
        // Tables written in another way are not counted by lines.
        let odd = text.replacen("[[dns.record]]", "[[ dns.record ]]", 1);
        assert_eq!(shrink(&parse(&odd).unwrap(), &odd, &odd.replace(&records[3], "")), None);
    }

    #[test]
    fn grants_that_are_wrong_are_left_to_the_whole() {
        let text = format!("{OLD}[[grant]]\nname = \"first\"\nfrom = [\"a\"]\nto = [\"dns\"]\n");
        let old = parse(&text).unwrap();
        let cases = [
            "from = [\"nobody\"]\nto = [\"dns\"]",
            "from = [\"a\"]\nto = [\"nothing\"]",
            "from = [\"a\"]\nto = [\"dns\"]\nname = \"first\"",
            "from = [\"a\"]\nto = [\"10.0.0.0/8\"]",
            "from = [\"a\"]\nto = []",
            "from = [\"a\"]\nto = [\"dns\"]\n[cell]",
        ];
        for case in cases {
            assert_eq!(extend(&old, &text, &format!("[[grant]]\n{case}\n")), None, "{case}");
        }
        let without = parse(OLD).unwrap();
        assert_eq!(extend(&without, OLD, "[[grant]]\nfrom = [\"a\"]\nto = [\"dns\"]\n"), None);
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
