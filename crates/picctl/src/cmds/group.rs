//! `picctl group …`

use clap::{Args, Subcommand};
use pic_api::client::Change;
use pic_api::group::{Group, NewGroup};

use crate::exit::Exit;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome};

/// Verbs of `picctl group`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a group.
    ///
    /// Then put devices into it: `picctl peer set NAME --groups GROUP`, `picctl dhcp reserve NAME --groups GROUP`. Its name
    /// may stand wherever devices are named, as in `for = ["kids"]` of a blocklist.
    Add(Name),
    /// List the groups and what is in them.
    List,
    /// Show one group: what is in it, and what is for it.
    Show(Name),
    /// Remove a group. Devices in it stay, and leave it.
    ///
    /// Refused while a blocklist or a record is for it.
    Remove(Name),
}

/// A group's name.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// Its name: a-z, 0-9 and '-', unlike that of every device and LAN.
    name: String,
}

pub(super) async fn run(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Add(args) => context.make(&Change::AddGroup(&NewGroup { name: args.name })).await,
        Verb::List => list(context).await,
        Verb::Show(args) => show(context, &args.name).await,
        Verb::Remove(args) => context.make(&Change::RemoveGroup(&args.name)).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let answer = context.client.groups().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else if answer.value.items.is_empty() {
        context.out.note("No groups. Make one: picctl group add kids");
    } else {
        let mut table = Table::new(&["NAME", "DEVICES"]);
        for group in &answer.value.items {
            table.row([Cell::from(group.name.as_str()), all(group).into()]);
        }
        context.out.text(&table.render(&context.out))?;
    }
    Ok(Exit::Done)
}

fn all(group: &Group) -> String {
    words(&[group.peers.as_slice(), group.devices.as_slice()].concat())
}

fn words(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

async fn show(context: &Context, name: &str) -> Outcome {
    let answer = context.client.group(name).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    let group = &answer.value;
    let mut table = Table::pairs();
    table.pair("name", &group.name);
    table.pair("peers", words(&group.peers));
    table.pair("devices of LANs", words(&group.devices));
    table.pair("blocklists", words(&group.blocklists));
    table.pair("records", words(&group.records));
    context.out.text(&table.render(&context.out))?;
    Ok(Exit::Done)
}
