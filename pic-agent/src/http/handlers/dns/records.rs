//! Adding and removing records. What makes a record right is decided where the whole file is read; here it is only
//! understood well enough to be written into it.

use pic_api::dns::{NewDnsRecord, NewDnsRecords};
use pic_engine::{ChangeError, Current};
use pic_model::Problem;
use pic_model::ProblemCode;
use pic_model::dns::zonefile::MAX_RECORDS;
use pic_model::dns::{Origin, RData, RecordType, rdata};
use pic_model::edit::{self, NewRecord, RecordMatch};

use crate::http::call::Call;
use crate::http::change::Wish;
use crate::http::failure::{Failure, field, from_edit, invalid};
use crate::http::reply::Outcome;

pub(crate) async fn add(call: Call) -> Outcome {
    let new: NewDnsRecord = call.json()?;
    let reason = format!("add record {} {}", shown(&new.name), shown(&new.rtype));
    add_all(call, reason, vec![new], |_| String::new()).await
}

pub(crate) async fn import(call: Call) -> Outcome {
    let NewDnsRecords { records } = call.json()?;
    if records.is_empty() || records.len() > MAX_RECORDS {
        return Err(Failure::bad(format!("records is a list of 1 to {MAX_RECORDS} records")));
    }
    let reason = format!("import {} records", records.len());
    add_all(call, reason, records, |index| format!("records[{index}].")).await
}

async fn add_all(call: Call, reason: String, new: Vec<NewDnsRecord>, path: fn(usize) -> String) -> Outcome {
    let wish = Wish::new(reason, move |current| {
        let zone = zone(current)?;
        let mut problems = Vec::new();
        let mut records = Vec::with_capacity(new.len());
        for (index, new) in new.into_iter().enumerate() {
            records.extend(understood(new, &zone, &path(index), &mut problems));
        }
        if !problems.is_empty() {
            return Err(invalid(problems));
        }
        edit::add_records(&current.text, &records).map_err(from_edit)
    });
    call.make(wish).await?.reply()
}

/// A foreign text for a reason or message.
fn shown(text: &str) -> String {
    text.chars().take(60).collect::<String>().escape_debug().to_string()
}

fn zone(current: &Current) -> Result<String, ChangeError> {
    let desired = current.desired.as_ref();
    desired.map(|d| d.cell.name.zone()).ok_or(ChangeError::NoCell)
}

fn understood(new: NewDnsRecord, zone: &str, path: &str, problems: &mut Vec<Problem>) -> Option<NewRecord> {
    let origin = Origin { zone, strict: false };
    let mut bad = |name: &str, message: String, hint: &str| {
        problems.push(field(&format!("{path}{name}"), ProblemCode::BadValue, message, hint));
    };
    let name = origin.owner(&new.name);
    match &name {
        Ok(name) if name.is_within(zone) || name.is_reverse() => {}
        Ok(name) => bad("name", format!("{name} is outside {zone}"), "a record's name is in the cell's zone"),
        Err(error) => bad("name", error.to_string(), "write printer, _ipp._tcp, *.apps or @"),
    }
    let rtype = match new.rtype.parse::<RecordType>() {
        Ok(rtype) => rtype,
        Err(error) => {
            bad("type", error.to_string(), "");
            return None;
        }
    };
    if let Err(error) = RData::parse(rtype, &new.value, origin) {
        bad("value", format!("{} is no value of {rtype}: {error}", shown(&new.value)), rdata::hint(rtype));
    }
    // As short as it can be said: what is in the zone stands without it.
    let name = name.ok()?;
    let short = if name.as_str() == zone { Some("@") } else { name.beneath(zone) };
    let name = short.map_or_else(|| name.to_string(), str::to_owned);
    Some(NewRecord { name, rtype, value: new.value, ttl: new.ttl, audience: new.audience })
}

pub(crate) async fn remove(call: Call) -> Outcome {
    let text = |name: &str| call.query.get(name).cloned();
    let Some(name) = text("name") else { return Err(Failure::bad("name says which record to remove")) };
    let (rtype, value) = (text("type"), text("value"));
    if value.is_some() && rtype.is_none() {
        return Err(Failure::bad("a value is of a type: give both"));
    }
    let reason = format!("remove record {}", shown(&name));
    let wish = Wish::new(reason, move |current| {
        let zone = zone(current)?;
        let wanted = wanted(&zone, &name, rtype.as_deref(), value.as_deref())?;
        let known = current.desired.as_ref().map(|desired| &desired.dns.records[..]);
        edit::remove_records(&current.text, known, &zone, &wanted).map(|(text, _)| text).map_err(from_edit)
    });
    call.make(wish).await?.reply()
}

fn wanted(
    zone: &str,
    name: &str,
    rtype: Option<&str>,
    value: Option<&str>,
) -> Result<RecordMatch, ChangeError> {
    let origin = Origin { zone, strict: false };
    let bad = |path: &str, message: String| invalid(vec![field(path, ProblemCode::BadValue, message, "")]);
    let name = origin.owner(name).map_err(|error| bad("name", error.to_string()))?;
    let rtype = rtype.map(|text| text.parse::<RecordType>()).transpose();
    let rtype = rtype.map_err(|error| bad("type", error.to_string()))?;
    let data = rtype.zip(value).map(|(rtype, value)| RData::parse(rtype, value, origin)).transpose();
    Ok(RecordMatch { name, rtype, data: data.map_err(|error| bad("value", error))? })
}
