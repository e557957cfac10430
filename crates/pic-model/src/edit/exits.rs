//! Exits and who uses them.

use toml_edit::{ArrayOfTables, Item, Table, Value, value};

use super::{EditError, document, put, set_peer};
use crate::desired::Desired;
use crate::exit::{Kind, WayOut};
use crate::name::{ExitName, PeerName};

/// Appends an exit, or makes the one of this name another.
pub fn add_exit(
    text: &str,
    name: &ExitName,
    kind: &Kind,
    fails_open: Option<bool>,
) -> Result<String, EditError> {
    let mut fields = vec![("kind", Some(value(kind.as_str())))];
    fields.extend(kind.fields().map(|(field, text)| (field, text.map(value))));
    fields.push(("listen", kind.listen().map(|port| value(i64::from(port)))));
    if let Some(open) = fails_open {
        fields.push(("fail", open.then(|| value("open"))));
    }
    let known = fields
        .iter()
        .try_fold(text.to_owned(), |text, (field, item)| set_exit(&text, name, field, item.clone()));
    match known {
        Err(EditError::NoExit(_)) => {}
        known => return known,
    }
    let mut out = text.to_owned();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&format!("\n[[exit]]\nname = \"{name}\"\nkind = \"{}\"\n", kind.as_str()));
    for (field, text) in kind.fields() {
        if let Some(text) = text {
            out.push_str(&format!("{field} = {}\n", Value::from(text)));
        }
    }
    if let Some(port) = kind.listen() {
        out.push_str(&format!("listen = {port}\n"));
    }
    if fails_open == Some(true) {
        out.push_str("fail = \"open\"\n");
    }
    Ok(out)
}

/// Removes an exit. Where it is still named, the file is refused afterwards.
pub fn remove_exit(text: &str, name: &ExitName) -> Result<String, EditError> {
    edit(text, name, |all, index| {
        all.remove(index);
    })
}

/// Switches an exit on or off.
pub fn enable_exit(text: &str, name: &ExitName, enabled: bool) -> Result<String, EditError> {
    set_exit(text, name, "enabled", (!enabled).then(|| value(false)))
}

fn set_exit(text: &str, name: &ExitName, field: &str, new: Option<Item>) -> Result<String, EditError> {
    edit(text, name, |all, index| {
        if let Some(table) = all.get_mut(index) {
            match new {
                Some(item) => put(table, field, item),
                None => drop(table.remove(field)),
            }
        }
    })
}

fn edit(
    text: &str,
    name: &ExitName,
    work: impl FnOnce(&mut ArrayOfTables, usize),
) -> Result<String, EditError> {
    let mut document = document(text)?;
    let missing = || EditError::NoExit(name.to_string());
    let all = document.get_mut("exit").and_then(Item::as_array_of_tables_mut).ok_or_else(missing)?;
    let is_it = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name.as_str());
    let index = all.iter().position(is_it).ok_or_else(missing)?;
    work(all, index);
    Ok(document.to_string())
}

/// Says by which exits a peer goes out; an empty list is that of its group, or the uplink.
pub fn set_ways(text: &str, peer: &PeerName, ways: &[WayOut]) -> Result<String, EditError> {
    let list: toml_edit::Array = ways.iter().map(|way| Value::from(way.as_str())).collect();
    set_peer(text, peer, "exit", (!list.is_empty()).then(|| value(list)))
}

/// Who names an exit, in words as `peer tv`, `group kids`, `LAN guests`.
pub fn users(desired: &Desired, name: &ExitName) -> Vec<String> {
    let uses = |ways: &[WayOut]| ways.contains(&WayOut::Exit(name.clone()));
    let peers = desired.peers.iter().filter(|(_, peer)| peer.exit.as_ref().is_some_and(|ways| uses(ways)));
    let peers = peers.map(|(peer, _)| format!("peer {peer}"));
    let groups = desired.group_exits.iter().filter(|(_, ways)| uses(ways));
    let groups = groups.map(|(group, _)| format!("group {group}"));
    let lans = desired.lans.iter().filter(|(_, lan)| uses(&lan.exit));
    let lans = lans.map(|(name, lan)| format!("{} {name}", lan.word()));
    let lines = (1..).zip(&desired.egress).filter(|(_, line)| uses(&line.exit));
    let lines = lines.map(|(number, _): (u32, _)| format!("[[egress]] number {number}"));
    peers.chain(groups).chain(lans).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const CELL: &str = "[cell]\nname = \"home\"\n[[peer]]\nname = \"tv\"\npublic_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"\naddress = \"10.77.0.2\" # big\n";

    #[test]
    fn exits_come_and_go_and_say_who_uses_them() {
        let (nl, tv): (ExitName, PeerName) = ("nl".parse().unwrap(), "tv".parse().unwrap());
        let file = |name: &str| Kind::Wireguard { file: name.to_owned() };
        let text = add_exit(CELL, &nl, &file("nl-1.conf"), None).unwrap();
        let text = set_ways(&text, &tv, &[WayOut::Exit(nl.clone()), WayOut::Direct]).unwrap();
        let desired = parse(&text).unwrap();
        assert_eq!(desired.exits[&nl].kind, file("nl-1.conf"));
        assert_eq!(users(&desired, &nl), ["peer tv"]);
        let again = add_exit(&text, &nl, &file("nl-2.conf"), Some(true)).unwrap();
        let exit = parse(&again).unwrap().exits[&nl].clone();
        assert!(exit.kind == file("nl-2.conf") && exit.fails_open && again.contains("# big"));
        let tor = add_exit(&again, &nl, &Kind::Tor, None).unwrap();
        let exit = parse(&tor).unwrap().exits[&nl].clone();
        assert!(exit.kind == Kind::Tor && exit.fails_open, "what was said of it stays");
        assert_eq!(
            parse(&add_exit(CELL, &nl, &Kind::Tor, None).unwrap()).unwrap().exits[&nl].kind,
            Kind::Tor
        );
        assert!(parse(&tor.replace("\"tor\"", "\"tor\"\nfile = \"nl.conf\"")).is_err());
        assert!(!parse(&enable_exit(&text, &nl, false).unwrap()).unwrap().exits[&nl].enabled);
        let gone = remove_exit(&text, &nl).unwrap();
        assert!(parse(&gone).unwrap_err().to_string().contains("no exit named \"nl\""));
        let free = set_ways(&gone, &tv, &[]).unwrap();
        assert!(parse(&free).unwrap().exits.is_empty());
        assert_eq!(remove_exit(&free, &nl), Err(EditError::NoExit("nl".into())));
    }
}
