//! Groups and their members.

use toml_edit::{Item, Value, value};

use super::{EditError, document, set_peer};
use crate::name::{GroupName, PeerName};

/// Appends a group.
pub fn add_group(text: &str, name: &GroupName) -> String {
    let mut out = text.to_owned();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&format!("\n[[group]]\nname = \"{name}\"\n"));
    out
}

/// Removes a group, and its name from those who are in it. Where else it is named, the file is refused afterwards.
pub fn remove_group(text: &str, name: &GroupName) -> Result<String, EditError> {
    let mut document = document(text)?;
    let missing = || EditError::NoGroup(name.to_string());
    let all = document.get_mut("group").and_then(Item::as_array_of_tables_mut).ok_or_else(missing)?;
    let is_it = |table: &toml_edit::Table| table.get("name").and_then(Item::as_str) == Some(name.as_str());
    let index = all.iter().position(is_it).ok_or_else(missing)?;
    all.remove(index);
    for kind in ["peer", "reservation"] {
        let tables = document.get_mut(kind).and_then(Item::as_array_of_tables_mut);
        for table in tables.into_iter().flat_map(|tables| tables.iter_mut()) {
            if let Some(groups) = table.get_mut("groups").and_then(Item::as_array_mut) {
                groups.retain(|group| group.as_str() != Some(name.as_str()));
                if groups.is_empty() {
                    table.remove("groups");
                }
            }
        }
    }
    Ok(document.to_string())
}

/// Says which groups a peer is in.
pub fn set_groups(text: &str, peer: &PeerName, groups: &[GroupName]) -> Result<String, EditError> {
    let list: toml_edit::Array = groups.iter().map(|group| Value::from(group.as_str())).collect();
    set_peer(text, peer, "groups", (!list.is_empty()).then(|| value(list)))
}

/// `["kids", "family"]`
pub(super) fn list<'g>(groups: impl IntoIterator<Item = &'g GroupName>) -> String {
    let quoted: Vec<_> = groups.into_iter().map(|group| format!("\"{group}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const CELL: &str = "[cell]\nname = \"home\"\n[[peer]]\nname = \"tablet\"\npublic_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"\naddress = \"10.77.0.2\" # small\n";

    #[test]
    fn groups_come_and_go_with_their_members() {
        let (kids, tablet) = ("kids".parse().unwrap(), "tablet".parse().unwrap());
        let text = set_groups(&add_group(CELL, &kids), &tablet, std::slice::from_ref(&kids)).unwrap();
        let desired = parse(&text).unwrap();
        assert!(desired.groups.contains(&kids) && desired.peers[&tablet].groups.contains(&kids));
        let gone = remove_group(&text, &kids).unwrap();
        assert!(parse(&gone).unwrap().groups.is_empty() && gone.contains("# small"));
        assert_eq!(remove_group(&gone, &kids), Err(EditError::NoGroup("kids".into())));
        let used = format!("{text}[[dns.blocklist]]\nname = \"ads\"\nsource = \"/ads\"\nfor = [\"kids\"]\n");
        let refused = parse(&remove_group(&used, &kids).unwrap()).unwrap_err();
        assert!(refused.to_string().contains("no peer, group or LAN named \"kids\""), "{refused}");
    }
}
