//! Grants, services and forwards.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use super::{EditError, document, put};
use crate::desired::{Allow, Port, Protocol};
use crate::name::SubjectName;
use crate::policy::{Forward, Grant, Ports, Service, Subject, Target, Where};
use crate::reach::Host;

/// Appends a grant.
pub fn add_grant(text: &str, grant: &Grant) -> String {
    let mut out = appended(text, "grant");
    if let Some(name) = &grant.name {
        out.push_str(&format!("name = \"{name}\"\n"));
    }
    out.push_str(&format!("from = {}\nto = {}\n", list(&grant.from), list(&grant.to)));
    if let Some(when) = &grant.when {
        out.push_str(&format!("when = \"{when}\"\n"));
    }
    if let Some(expires) = grant.expires.and_then(|at| jiff::Timestamp::from_second(at).ok()) {
        out.push_str(&format!("expires = \"{expires}\"\n"));
    }
    out
}

/// Takes from `from` what lets it reach `to`: wherever both are named, in grants and in `allow`. What a grant says
/// beside that stays granted. A way that a group or a wider network opens is not found by the names of its parts.
pub fn revoke(text: &str, from: &Subject, to: &Target) -> Result<String, EditError> {
    let mut document = document(text)?;
    let mut found = revoke_short(&mut document, from, to);
    let mut kept = Vec::new();
    if let Some(grants) = document.get_mut("grant").and_then(Item::as_array_of_tables_mut) {
        let mut at = 0;
        while at < grants.len() {
            match grants.get_mut(at).map(|table| split(table, from, to)) {
                Some(Split::Gone) => {
                    grants.remove(at);
                    found = true;
                }
                Some(Split::Rest(rest)) => {
                    kept.extend(rest);
                    found = true;
                    at += 1;
                }
                Some(Split::Untouched) | None => at += 1,
            }
        }
        for table in kept {
            grants.push(table);
        }
    }
    if found { Ok(document.to_string()) } else { Err(EditError::NoGrant(from.to_string(), to.to_string())) }
}

/// What becomes of one grant.
enum Split {
    Untouched,
    Gone,
    /// Changed in place; what it said beside that is a grant of its own, if that is anything.
    Rest(Option<Table>),
}

fn split(table: &mut Table, from: &Subject, to: &Target) -> Split {
    let (subjects, targets) = (texts(table, "from"), texts(table, "to"));
    let is_from = |text: &String| text.parse::<Subject>().as_ref() == Ok(from);
    let is_to = |text: &String| text.parse::<Target>().as_ref() == Ok(to);
    if !subjects.iter().any(is_from) || !targets.iter().any(is_to) {
        return Split::Untouched;
    }
    let other_subjects: Vec<_> = subjects.iter().filter(|text| !is_from(text)).cloned().collect();
    let other_targets: Vec<_> = targets.iter().filter(|text| !is_to(text)).cloned().collect();
    match (other_subjects.is_empty(), other_targets.is_empty()) {
        (true, true) => Split::Gone,
        (true, false) => {
            put(table, "to", value(array(&other_targets)));
            Split::Rest(None)
        }
        (false, true) => {
            put(table, "from", value(array(&other_subjects)));
            Split::Rest(None)
        }
        (false, false) => {
            let mut rest = table.clone();
            rest.remove("name");
            put(&mut rest, "from", value(array(&[from.to_string()])));
            put(&mut rest, "to", value(array(&other_targets)));
            put(table, "from", value(array(&other_subjects)));
            Split::Rest(Some(rest))
        }
    }
}

/// `allow` of a peer, LAN or subnet. Where it is absent, everything is allowed.
fn revoke_short(document: &mut DocumentMut, from: &Subject, to: &Target) -> bool {
    let word = match (&to.to, to.ports) {
        (Where::Internet, None) => Allow::Internet,
        (Where::Cell, None) => Allow::Cell,
        _ => return false,
    };
    let Subject::Named(name) = from else { return false };
    let is_it = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name.as_str());
    for kind in ["peer", "lan", "subnet"] {
        let tables = document.get_mut(kind).and_then(Item::as_array_of_tables_mut);
        let Some(table) = tables.and_then(|tables| tables.iter_mut().find(|table| is_it(table))) else {
            continue;
        };
        let allowed = if table.contains_key("allow") {
            texts(table, "allow")
        } else {
            [Allow::Internet, Allow::Cell].map(|allow| allow.as_str().to_owned()).to_vec()
        };
        let rest: Vec<_> = allowed.iter().filter(|text| *text != word.as_str()).cloned().collect();
        if rest.len() < allowed.len() {
            put(table, "allow", value(array(&rest)));
            return true;
        }
    }
    false
}

/// Appends a service.
pub fn add_service(text: &str, name: &SubjectName, service: &Service) -> String {
    let mut out = appended(text, "service");
    let host = host(&service.host);
    out.push_str(&format!("name = \"{name}\"\nhost = \"{host}\"\n"));
    if !service.ports.is_empty() {
        out.push_str(&format!("ports = {}\n", list::<Ports>(&service.ports)));
    }
    out
}

/// Removes a service. Where it is named, the file is refused afterwards.
pub fn remove_service(text: &str, name: &SubjectName) -> Result<String, EditError> {
    let missing = || EditError::NoService(name.to_string());
    remove(text, "service", |table| table.get("name").and_then(Item::as_str) == Some(name.as_str()), missing)
}

/// Appends a forward.
pub fn add_forward(text: &str, forward: &Forward) -> String {
    let mut out = appended(text, "forward");
    let host = match forward.host {
        Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]"),
        _ => host(&forward.host),
    };
    out.push_str(&format!("listen = \"{}\"\nto = \"{host}:{}\"\n", port(forward.listen), forward.port));
    if !forward.from.is_empty() {
        out.push_str(&format!("from = {}\n", list(&forward.from)));
    }
    out
}

/// Removes the forward of a port.
pub fn remove_forward(text: &str, listen: Port) -> Result<String, EditError> {
    let wanted = port(listen);
    let missing = || EditError::NoForward(wanted.clone());
    remove(text, "forward", |table| table.get("listen").and_then(Item::as_str) == Some(&wanted), missing)
}

fn remove(
    text: &str,
    kind: &str,
    is_it: impl Fn(&Table) -> bool,
    missing: impl Fn() -> EditError,
) -> Result<String, EditError> {
    let mut document = document(text)?;
    let tables: Option<&mut ArrayOfTables> = document.get_mut(kind).and_then(Item::as_array_of_tables_mut);
    let tables = tables.ok_or_else(&missing)?;
    let index = tables.iter().position(is_it).ok_or_else(missing)?;
    tables.remove(index);
    Ok(document.to_string())
}

/// The text with the header of one more table of a kind at its end.
fn appended(text: &str, kind: &str) -> String {
    let mut out = text.to_owned();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&format!("\n[[{kind}]]\n"));
    out
}

/// `tcp/443`
fn port(port: Port) -> String {
    match port.protocol {
        Protocol::Tcp => format!("tcp/{}", port.number),
        Protocol::Udp => format!("udp/{}", port.number),
    }
}

fn host(host: &Host) -> String {
    host.to_string()
}

/// Items as a list of texts. None of the types can hold a quotation mark.
fn list<'i, T: std::fmt::Display + 'i>(items: impl IntoIterator<Item = &'i T>) -> String {
    let quoted: Vec<_> = items.into_iter().map(|item| format!("\"{item}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

fn array(items: &[String]) -> Array {
    items.iter().map(|item| Value::from(item.as_str())).collect()
}

/// A text or a list of texts.
fn texts(table: &Table, key: &str) -> Vec<String> {
    let item = table.get(key);
    let one = item.and_then(Item::as_str).map(str::to_owned);
    let many = item.and_then(Item::as_array).into_iter().flatten();
    one.into_iter().chain(many.filter_map(Value::as_str).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::parse;

    const CELL: &str = "[cell]\nname = \"home\"\n[[peer]]\nname = \"a\" # mine\npublic_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"\naddress = \"10.77.0.2\"\n[[peer]]\nname = \"b\"\npublic_key = \"YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=\"\naddress = \"10.77.0.3\"\n";

    fn grant(from: &[&str], to: &[&str]) -> Grant {
        Grant {
            name: None,
            from: from.iter().map(|text| text.parse().unwrap()).collect(),
            to: to.iter().map(|text| text.parse().unwrap()).collect(),
            when: "daily 08:00-20:00".parse().ok(),
            expires: Some(1_800_000_000),
        }
    }

    #[test]
    fn what_is_granted_is_read_back_and_taken_piece_by_piece() {
        let whole = grant(&["a", "b"], &["b:tcp/80", "internet"]);
        let text = add_grant(CELL, &whole);
        assert_eq!(parse(&text).unwrap().grants, [Arc::new(whole)]);
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let less = revoke(&text, &a, &"b:80".parse().unwrap()).unwrap();
        let mut left = parse(&less).unwrap().grants;
        left.sort_by_key(|grant| grant.from.clone());
        let both = [grant(&["a"], &["internet"]), grant(&["b"], &["b:tcp/80", "internet"])];
        assert_eq!(left, both.map(Arc::new));
        // Everything that lets it, the short form, too.
        let less = revoke(&less, &a, &"internet".parse().unwrap()).unwrap();
        let read = parse(&less).unwrap();
        assert_eq!(read.grants, [Arc::new(grant(&["b"], &["b:tcp/80", "internet"]))]);
        assert!(
            read.peers.values().next().unwrap().allow.iter().eq(&[Allow::Cell]) && less.contains("# mine")
        );
        assert!(matches!(revoke(&less, &a, &"internet".parse().unwrap()), Err(EditError::NoGrant(..))));
        let none = revoke(&less, &b, &"b:80".parse().unwrap()).unwrap();
        assert_eq!(parse(&none).unwrap().grants, [Arc::new(grant(&["b"], &["internet"]))]);
    }

    #[test]
    fn services_and_forwards_come_and_go() {
        let name: SubjectName = "web".parse().unwrap();
        let service = Service {
            host: "b".parse().unwrap(),
            ports: vec!["tcp/80".parse().unwrap(), "udp/5000-5001".parse().unwrap()],
        };
        let text = add_service(CELL, &name, &service);
        assert_eq!(parse(&text).unwrap().services.get(&name), Some(&service));
        assert!(parse(&remove_service(&text, &name).unwrap()).unwrap().services.is_empty());
        let forward = Forward {
            listen: Port { protocol: Protocol::Tcp, number: 8443 },
            host: "a".parse().unwrap(),
            port: 443,
            from: ["203.0.113.0/24".parse().unwrap()].into(),
        };
        let text = add_forward(CELL, &forward);
        assert_eq!(parse(&text).unwrap().forwards, std::slice::from_ref(&forward));
        assert!(parse(&remove_forward(&text, forward.listen).unwrap()).unwrap().forwards.is_empty());
        assert!(matches!(remove_forward(CELL, forward.listen), Err(EditError::NoForward(_))));
    }
}
