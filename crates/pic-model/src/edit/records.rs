//! Edits of `[[dns.record]]`.

use std::sync::Arc;

use toml_edit::{Item, Table, Value};

use super::{EditError, document};
use crate::config::{blocks, has_tables, without};
use crate::desired::DnsRecord;
use crate::dns::{Name, Origin, RData, RecordType};

/// What a new `[[dns.record]]` carries, as it will stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Name, relative to the zone or full.
    pub name: String,
    /// Type.
    pub rtype: RecordType,
    /// Value.
    pub value: String,
    /// Seconds.
    pub ttl: Option<u32>,
    /// Who sees it.
    pub audience: Option<Vec<String>>,
}

/// Which records are meant. What is `None` may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMatch {
    /// Absolute name.
    pub name: Name,
    /// Type.
    pub rtype: Option<RecordType>,
    /// Value, in wire form.
    pub data: Option<RData>,
}

/// Appends records, as [`super::add_peer`] appends a peer.
pub fn add_records(text: &str, records: &[NewRecord]) -> Result<String, EditError> {
    // Reading the whole document would make one record among a hundred thousand dearer than among ten.
    if !has_tables(text, "dns.record")
        && document(text)?.get("dns").is_some_and(|dns| dns.is_value() || is_value_list(dns))
    {
        return add_by_tree(text, records);
    }
    let mut out = String::with_capacity(text.len() + 128 * records.len() + 1);
    out.push_str(text);
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    for record in records {
        out.push_str("\n[[dns.record]]\n");
        out.push_str(&table(record).to_string());
    }
    Ok(out)
}

/// `record = [{…}]`, which tables of their own cannot continue.
fn is_value_list(dns: &Item) -> bool {
    dns.get("record").is_some_and(Item::is_value)
}

fn add_by_tree(text: &str, records: &[NewRecord]) -> Result<String, EditError> {
    let mut document = document(text)?;
    let bad = || EditError::BadPath("dns.record".to_owned());
    let dns = document.get_mut("dns").and_then(Item::as_table_like_mut).ok_or_else(bad)?;
    let list = dns.entry("record").or_insert_with(|| Item::Value(Value::Array(toml_edit::Array::new())));
    let list = list.as_array_mut().ok_or_else(bad)?;
    for record in records {
        list.push(Value::InlineTable(table(record).into_inline_table()));
    }
    Ok(document.to_string())
}

fn table(record: &NewRecord) -> Table {
    let mut table = Table::new();
    let mut put = |field: &str, value: Value| drop(table.insert(field, Item::Value(value)));
    put("name", record.name.as_str().into());
    put("type", record.rtype.as_str().into());
    put("value", record.value.as_str().into());
    if let Some(ttl) = record.ttl {
        put("ttl", i64::from(ttl).into());
    }
    if let Some(audience) = &record.audience {
        put("for", Value::Array(audience.iter().map(String::as_str).collect()));
    }
    table
}

/// Removes the records meant, with the comments above them; how many there were is the second value. `known` are the
/// records that the text is known to mean: with them, only its lines are looked at.
pub fn remove_records(
    text: &str,
    known: Option<&[Arc<DnsRecord>]>,
    zone: &str,
    wanted: &RecordMatch,
) -> Result<(String, usize), EditError> {
    let blocks = known.and_then(|known| Some((known, blocks(text, "dns.record")?)));
    let (text, removed) = match blocks {
        Some((known, blocks)) if known.len() == blocks.len() => {
            let is_gone = |at: usize| known.get(at).is_some_and(|record| wanted.means(record));
            (without(text, &blocks, is_gone), known.iter().filter(|record| wanted.means(record)).count())
        }
        _ => remove_by_tree(text, zone, wanted)?,
    };
    if removed == 0 { Err(EditError::NoRecord) } else { Ok((text, removed)) }
}

impl RecordMatch {
    fn means(&self, record: &DnsRecord) -> bool {
        record.name == self.name
            && self.rtype.is_none_or(|rtype| rtype == record.rtype)
            && self.data.as_ref().is_none_or(|data| data.wire == record.data.wire)
    }
}

fn remove_by_tree(text: &str, zone: &str, wanted: &RecordMatch) -> Result<(String, usize), EditError> {
    let mut document = document(text)?;
    let list =
        document.get_mut("dns").and_then(|dns| dns.as_table_like_mut()).and_then(|dns| dns.get_mut("record"));
    let mut removed = 0;
    match list {
        Some(Item::ArrayOfTables(tables)) => {
            let before = tables.len();
            tables.retain(|table| !is_meant(|field| table.get(field), zone, wanted));
            removed = before - tables.len();
        }
        Some(Item::Value(Value::Array(list))) => {
            let before = list.len();
            list.retain(|item| match item.as_inline_table() {
                Some(table) => {
                    let texts = |field: &str| table.get(field).and_then(Value::as_str).map(str::to_owned);
                    !is_text_meant(texts("name"), texts("type"), texts("value"), zone, wanted)
                }
                None => true,
            });
            removed = before - list.len();
        }
        _ => {}
    }
    Ok((document.to_string(), removed))
}

fn is_meant<'t>(field: impl Fn(&str) -> Option<&'t Item>, zone: &str, wanted: &RecordMatch) -> bool {
    let text = |name: &str| field(name).and_then(Item::as_str).map(str::to_owned);
    is_text_meant(text("name"), text("type"), text("value"), zone, wanted)
}

fn is_text_meant(
    name: Option<String>,
    rtype: Option<String>,
    value: Option<String>,
    zone: &str,
    wanted: &RecordMatch,
) -> bool {
    let origin = Origin { zone, strict: false };
    let rtype = rtype.and_then(|text| text.parse::<RecordType>().ok());
    let is_name = name.and_then(|text| origin.owner(&text).ok()).as_ref() == Some(&wanted.name);
    let is_type = wanted.rtype.is_none() || rtype == wanted.rtype;
    let is_value = wanted.data.as_ref().is_none_or(|data| {
        let read = rtype.zip(value).and_then(|(rtype, text)| RData::parse(rtype, &text, origin).ok());
        read.is_some_and(|read| read.wire == data.wire)
    });
    is_name && is_type && is_value
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: &str = "[cell]\nname = \"home\"\n\n[dns]\nupstreams = [\"9.9.9.9\"] # quad\n";

    fn new(name: &str, rtype: RecordType, value: &str) -> NewRecord {
        NewRecord { name: name.into(), rtype, value: value.into(), ttl: None, audience: None }
    }

    fn wanted(name: &str, rtype: Option<RecordType>, value: Option<&str>) -> RecordMatch {
        let origin = Origin { zone: "home.cell", strict: false };
        let data = value.map(|text| RData::parse(rtype.unwrap(), text, origin).unwrap());
        RecordMatch { name: origin.owner(name).unwrap(), rtype, data }
    }

    #[test]
    fn adds_and_removes() {
        let records = [
            new("printer", RecordType::A, "192.168.40.20"),
            new("printer", RecordType::TXT, "say \"hi\" \\ tab\t"),
            NewRecord {
                ttl: Some(5),
                audience: Some(vec!["peers".into()]),
                ..new("@", RecordType::MX, "10 a.b")
            },
        ];
        for cell in [
            CELL.to_owned(),
            "[cell]\nname = \"home\"".to_owned(),
            "dns = {}\n[cell]\nname = \"home\"\n".to_owned(),
            "dns.upstreams = []\n[cell]\nname = \"home\"\n".to_owned(),
        ] {
            let text = add_records(&cell, &records[..1]).unwrap();
            let text = add_records(&text, &records[2..]).unwrap();
            let desired = crate::config::parse(&text).unwrap_or_else(|p| panic!("{p}\n{text}"));
            assert_eq!(desired.dns.records.len(), 2, "{text}");
            let (text, count) =
                remove_records(&text, None, "home.cell", &wanted("printer.home.cell", None, None)).unwrap();
            assert_eq!((count, crate::config::parse(&text).unwrap().dns.records.len()), (1, 1));
        }
        let text = add_records(CELL, &records).unwrap();
        assert!(
            remove_records(
                &text,
                None,
                "home.cell",
                &wanted("printer", Some(RecordType::A), Some("192.168.40.21"))
            )
            .is_err()
        );
        let (text, _) = remove_records(
            &text,
            None,
            "home.cell",
            &wanted("printer", Some(RecordType::A), Some("192.168.40.20")),
        )
        .unwrap();
        assert!(text.contains("# quad") && text.contains("TXT") && !text.contains("192.168.40.20"));
    }

    #[test]
    fn by_lines_is_the_same_as_by_the_tree() {
        let records = [
            new("printer", RecordType::A, "192.168.40.20"),
            new("printer", RecordType::A, "192.168.40.21"),
            new("printer", RecordType::TXT, "[[dns.record]]"),
            new("*.apps", RecordType::CNAME, "printer"),
            NewRecord { audience: Some(vec!["peers".into()]), ..new("nas", RecordType::A, "10.9.9.9") },
        ];
        let text = add_records(CELL, &records).unwrap();
        let text = text.replacen("\n[[dns.record]]", "\n# two of them\n[[dns.record]]", 1);
        let text = format!("{text}\n# the port\n[wireguard]\nport = 5182\n");
        let desired = crate::config::parse(&text).unwrap();
        let known = Some(&desired.dns.records[..]);
        for wanted in [
            wanted("printer", None, None),
            wanted("printer", Some(RecordType::A), None),
            wanted("printer", Some(RecordType::A), Some("192.168.40.21")),
            wanted("nas", Some(RecordType::A), None),
            wanted("*.apps", None, None),
        ] {
            let by_lines = remove_records(&text, known, "home.cell", &wanted);
            assert_eq!(by_lines, remove_records(&text, None, "home.cell", &wanted));
            assert!(by_lines.is_ok());
        }
        for missing in [wanted("tv", None, None), wanted("nas", Some(RecordType::TXT), None)] {
            let by_lines = remove_records(&text, known, "home.cell", &missing);
            assert_eq!(by_lines, Err(EditError::NoRecord));
        }
        // What the text is known to mean, and does not, is not gone by.
        let other =
            remove_records(&text, known.map(|all| &all[1..]), "home.cell", &wanted("nas", None, None));
        assert_eq!(other, remove_records(&text, None, "home.cell", &wanted("nas", None, None)));
    }
}
