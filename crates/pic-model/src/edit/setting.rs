//! One setting by its path. What stands around it stays as it is: comments above it are often about something else.

use toml_edit::{Document, DocumentMut, Item, Table, Value};

use super::{EditError, document, put};

/// Parts of the path of a setting: more than any setting has, fewer than what cannot be read again.
const MAX_DEPTH: usize = 8;

/// Sets one setting, as `wireguard.port` to `51821`. A word that is no TOML value is taken as a text. `None` removes
/// the setting, which means its default.
///
/// Where a line of the section has the setting as a comment, as in `# port = 51820`, it becomes that line.
pub fn set(text: &str, path: &str, new: Option<&str>) -> Result<String, EditError> {
    let bad = || EditError::BadPath(path.to_owned());
    let known = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let mut names: Vec<&str> = path.split('.').collect();
    if names.len() > MAX_DEPTH || !names.iter().all(|name| known(name)) {
        return Err(bad());
    }
    let field = names.pop().ok_or_else(bad)?;
    match new {
        Some(new) => put_in(text, &names, field, &read_value(new)?, bad),
        None => remove(text, &names, field, bad),
    }
}

fn put_in(
    text: &str,
    names: &[&str],
    field: &str,
    new: &Value,
    bad: impl Fn() -> EditError,
) -> Result<String, EditError> {
    let mut document = document(text)?;
    let mut table: &mut Table = document.as_table_mut();
    for name in names {
        table = table.entry(name).or_insert_with(toml_edit::table).as_table_mut().ok_or_else(&bad)?;
    }
    let is_new = !table.contains_key(field);
    put(table, field, Item::Value(new.clone()));
    let plain = document.to_string();
    let nicer = is_new.then(|| uncomment(text, names, field, new)).flatten();
    // Both must say the same; a line that only looks like a comment (in a text of several lines) is none.
    Ok(nicer.filter(|nicer| is_same(nicer, &plain)).unwrap_or(plain))
}

/// The text with the comment that has the setting made into the setting.
fn uncomment(text: &str, names: &[&str], field: &str, new: &Value) -> Option<String> {
    let header = format!("[{}]", names.join("."));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let begin = lines.iter().position(|line| line.trim_start().starts_with(&header))? + 1;
    let of_section = lines.iter().enumerate().skip(begin).take_while(|(_, line)| !line.starts_with('['));
    let (at, line) = of_section.into_iter().find_map(|(at, line)| {
        let mut line: DocumentMut = line.strip_prefix('#')?.trim_start().parse().ok()?;
        line.get(field)?.as_value()?;
        put(line.as_table_mut(), field, Item::Value(new.clone()));
        Some((at, line.to_string()))
    })?;
    Some([&lines[..at].concat(), line.as_str(), &lines[at + 1..].concat()].concat())
}

fn is_same(one: &str, other: &str) -> bool {
    crate::config::parse(one).is_ok_and(|one| crate::config::parse(other).is_ok_and(|other| one == other))
}

/// Takes out the lines of the setting and no other.
fn remove(text: &str, names: &[&str], field: &str, bad: impl Fn() -> EditError) -> Result<String, EditError> {
    let parsed = Document::parse(text).map_err(|error| EditError::Syntax(error.message().to_owned()))?;
    let mut table = parsed.as_table();
    for name in names {
        let Some(item) = table.get(name) else { return Ok(text.to_owned()) };
        table = item.as_table().ok_or_else(&bad)?;
    }
    let Some((key, item)) = table.get_key_value(field) else { return Ok(text.to_owned()) };
    match (key.span(), item.span()) {
        (Some(key), Some(value)) if item.is_value() => {
            let begin = text[..key.start].rfind('\n').map_or(0, |at| at + 1);
            let end = text[value.end..].find('\n').map_or(text.len(), |at| value.end + at + 1);
            Ok([&text[..begin], &text[end..]].concat())
        }
        _ => remove_section(text, names, field, bad),
    }
}

fn remove_section(
    text: &str,
    names: &[&str],
    field: &str,
    bad: impl Fn() -> EditError,
) -> Result<String, EditError> {
    let mut document = document(text)?;
    let mut table: &mut Table = document.as_table_mut();
    for name in names {
        table = table.get_mut(name).and_then(Item::as_table_mut).ok_or_else(&bad)?;
    }
    table.remove(field);
    Ok(document.to_string())
}

fn read_value(text: &str) -> Result<Value, EditError> {
    if let Ok(value) = text.parse::<Value>() {
        return Ok(value);
    }
    let plain =
        !text.is_empty() && text.len() <= 1024 && !text.contains(['"', '\'', '[', ']', '{', '}', '\n', '\r']);
    if plain { Ok(Value::from(text)) } else { Err(EditError::BadValue(text.chars().take(60).collect())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::enable_peer;

    const CELL: &str = "# my cell\n[cell]\nname = \"home\" # short\n\n[[peer]]\n# the phone\nname = \"phone\"\npublic_key = \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\"\naddress = \"10.77.0.2\"\n";

    #[test]
    fn sets_values_in_place() {
        let text = set(CELL, "cell.name", Some("office")).unwrap();
        assert!(text.contains("name = \"office\" # short"), "{text}");
        let text = set(&text, "wireguard.port", Some("51821")).unwrap();
        assert_eq!(crate::config::parse(&text).unwrap().wireguard.port, 51821);
        let text = set(&text, "wireguard.port", None).unwrap();
        assert_eq!(crate::config::parse(&text).unwrap().wireguard.port, 51820);
        assert!(set(CELL, "a\n.b", Some("1")).is_err());
        for path in ["", ".", "cell.", ".name", "cell..name"] {
            assert!(set(CELL, path, Some("1")).is_err(), "{path}");
        }
        assert_eq!(set(CELL, "dns.upstreams", None).as_deref(), Ok(CELL));
        assert!(set(CELL, &["a"; 3_000].join("."), Some("1")).is_err());
        assert!(set(CELL, "cell.name", Some("\"; x")).is_err());
        let text = enable_peer(CELL, &"phone".parse().unwrap(), false).unwrap();
        assert!(!crate::config::parse(&text).unwrap().peers[&"phone".parse().unwrap()].enabled);
        assert!(enable_peer(&text, &"phone".parse().unwrap(), true).unwrap().contains("# the phone"));
    }

    const COMMENTED: &str = "[cell]\nname = \"home\"\n\n[wireguard]   # tunnels\nport = 51820   # UDP\n# mtu = 1420   # of the tunnel\n# why this port: the router's\n\n[firewall]\n# about others\n# admin = [\"192.0.2.7\"]   # not locked out\nopen = [\n  \"tcp/443\", # web\n]   # more\n";

    #[test]
    fn a_commented_setting_becomes_the_setting() {
        let text = set(COMMENTED, "wireguard.mtu", Some("1400")).unwrap();
        assert_eq!(text, COMMENTED.replace("# mtu = 1420", "mtu = 1400"));
        let text = set(COMMENTED, "firewall.admin", Some("[\"192.0.2.9\"]")).unwrap();
        assert_eq!(text, COMMENTED.replace("# admin = [\"192.0.2.7\"]", "admin = [\"192.0.2.9\"]"));
        // That of another section is not it, and one that is not there is added.
        let text = set(COMMENTED, "dns.dnssec", Some("false")).unwrap();
        assert_eq!(text, format!("{COMMENTED}\n[dns]\ndnssec = false\n"));
        assert!(set(&text, "cell.timezone", Some("Europe/Paris")).unwrap().contains("\ntimezone = "));
    }

    #[test]
    fn what_looks_like_a_comment_in_a_text_is_none() {
        let text = "[cell]\nname = \"home\"\n[dns]\nupstreams = [\"\"\"\n# dnssec = true\n\"\"\"]\n";
        let set = set(text, "dns.dnssec", Some("false")).unwrap();
        assert!(set.contains("# dnssec = true") && set.contains("\ndnssec = false"), "{set}");
    }

    #[test]
    fn a_setting_goes_with_its_own_lines_only() {
        let text = set(COMMENTED, "firewall.open", None).unwrap();
        assert_eq!(text, COMMENTED.split("open = ").next().unwrap());
        let text = set(COMMENTED, "wireguard.port", None).unwrap();
        assert_eq!(text, COMMENTED.replace("port = 51820   # UDP\n", ""));
        let text = set(COMMENTED, "firewall", None).unwrap();
        assert!(crate::config::parse(&text).is_ok() && !text.contains("open"), "{text}");
        assert_eq!(set("[cell]\nname = \"a\"", "cell.name", None).as_deref(), Ok("[cell]\n"));
    }
}
