//! `picctl lan …`

use clap::Subcommand;
use pic_api::lan::{LanList, LanNetwork};

use crate::exit::Exit;
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::time::until;
use crate::{Context, Outcome};

/// Verbs of `picctl lan`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the LANs with the networks they have at this moment, and what the uplink delegated.
    List,
}

pub(super) async fn run(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::List => list(context).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let answer = context.client.lans().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    if answer.value.items.is_empty() {
        context.out.note("No LANs. `man 5 cell.toml` says how to add one: [[lan]].");
        return Ok(Exit::Done);
    }
    context.out.text(&table(&answer.value).render(&context.out))?;
    context.out.note(&format!("IPv6 prefix of the uplink: {}", answer.value.uplink));
    Ok(Exit::Done)
}

fn table(list: &LanList) -> Table {
    let mut table = Table::new(&["LAN", "INTERFACE", "ADDRESS", "SOURCE", "LASTS"]);
    for lan in &list.items {
        for network in &lan.networks {
            table.row([
                Cell::from(lan.name.as_str()),
                lan.interface.as_str().into(),
                address(network).into(),
                network.source.as_str().into(),
                lasts(network),
            ]);
        }
    }
    for prefix in &list.prefixes {
        let words = if prefix.current { until(&prefix.preferred_until) } else { "going".to_owned() };
        table.row([
            Cell::from(""),
            "".into(),
            prefix.prefix.as_str().into(),
            "uplink".into(),
            if prefix.current {
                Cell::painted(&words, Paint::good)
            } else {
                Cell::painted(&words, Paint::dim)
            },
        ]);
    }
    table
}

fn address(network: &LanNetwork) -> String {
    match network.via {
        Some(via) => format!("{} via {via}", network.address),
        None => network.address.clone(),
    }
}

fn lasts(network: &LanNetwork) -> Cell {
    match (&network.preferred_until, network.current) {
        _ if network.via.is_some() => "while it asks".into(),
        (None, true) => "stays".into(),
        (Some(at), true) => until(at).into(),
        (_, false) => Cell::painted("going", Paint::dim),
    }
}
