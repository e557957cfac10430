//! `picctl dns import`: the file is read here, without any power, and only its records are sent.

use std::path::PathBuf;

use clap::Args;
use pic_api::client::Change;
use pic_api::dns::{NewDnsRecord, NewDnsRecords};
use pic_api::problem::FieldError;
use pic_model::dns::zonefile::{self, LineError, ZoneFile, ZoneRecord};

use crate::exit::{Exit, Failure};
use crate::{Context, Outcome};

/// Arguments of `picctl dns import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Zone file as in RFC 1035; `-` is standard input.
    file: PathBuf,
}

pub(super) async fn run(context: &Context, args: Import) -> Outcome {
    let text = super::super::read_text(&args.file)?;
    let zone = context.client.status().await?.value.cell.zone;
    let file = zonefile::parse(&text, &zone).and_then(|file| inside(file, &zone));
    let file = file.map_err(|errors| Failure::Invalid {
        what: args.file.display().to_string(),
        errors: errors.into_iter().map(problem).collect(),
        next: "Nothing was changed.".to_owned(),
    })?;
    if file.left_out > 0 && !context.out.json {
        context.out.note(&format!(
            "Left out {} SOA and NS records of the zone itself: the cell has its own.",
            file.left_out
        ));
    }
    if file.records.is_empty() {
        context.out.note("There are no records in the file.");
        return Ok(Exit::Done);
    }
    let records = NewDnsRecords { records: file.records.into_iter().map(new).collect() };
    context.make(&Change::ImportRecords(&records)).await
}

/// Refuses what the cell has no say about, with the lines it stands in.
fn inside(file: ZoneFile, zone: &str) -> Result<ZoneFile, Vec<LineError>> {
    let is_outside = |record: &&ZoneRecord| !record.name.is_within(zone) && !record.name.is_reverse();
    let error = |record: &ZoneRecord| LineError {
        line: record.line,
        message: format!("{} is outside {zone}", record.name),
    };
    let errors: Vec<_> =
        file.records.iter().filter(is_outside).take(zonefile::MAX_PROBLEMS).map(error).collect();
    if errors.is_empty() { Ok(file) } else { Err(errors) }
}

fn new(record: ZoneRecord) -> NewDnsRecord {
    NewDnsRecord {
        name: format!("{}.", record.name),
        rtype: record.rtype.to_string(),
        value: record.data.text,
        ttl: record.ttl,
        audience: None,
    }
}

fn problem(error: LineError) -> FieldError {
    FieldError {
        pointer: String::new(),
        line: error.line,
        column: 1,
        code: "zone-file".to_owned(),
        message: error.message,
        hint: String::new(),
    }
}
