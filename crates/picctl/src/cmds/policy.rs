//! `picctl grant`, `revoke`, `who`, `service …`, `forward …`

use clap::{Args, Subcommand};
use pic_api::client::Change;
use pic_api::policy::{Forward, NewGrant, NewService};

use crate::exit::Exit;
use crate::out::table::{Cell, Table};
use crate::{Context, Outcome, time};

/// Arguments of `picctl grant`.
#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// Who may: a peer, a group, a LAN, a reservation, or `peers`; several with commas.
    #[arg(required = true, num_args = 1, value_delimiter = ',')]
    from: Vec<String>,
    /// Reach what: a service, a host as `nas` or `nas:445`, a group, a LAN, a network, `internet`, `cell`, or of the
    /// cell only `dns`, `time`, `ssh`, `ping`; several with commas.
    #[arg(required = true, num_args = 1, value_delimiter = ',')]
    to: Vec<String>,
    /// When it counts, on the cell's clock: `daily 08:00-20:00`, `mon-fri 20:00-07:00`.
    #[arg(long)]
    when: Option<String>,
    /// From when on it does not count: 7d, 2027-01-01 or 2027-01-01T12:00:00Z.
    #[arg(long, value_parser = time::expiry)]
    expires: Option<String>,
    /// What lists call it.
    #[arg(long)]
    name: Option<String>,
}

/// Arguments of `picctl revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Who loses it, as the grant says it: taking it from one of a group takes the group's grant to name others.
    from: String,
    /// What, as the grant says it.
    to: String,
}

/// Arguments of `picctl who`.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// A service, a host as `nas` or `nas:445`, a LAN, a network, `internet`, `cell`, `ssh`.
    target: String,
}

/// Verbs of `picctl service`.
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceVerb {
    /// List the services.
    List,
    /// Name a target, so that it can be granted: `picctl service add files nas tcp/445`.
    ///
    /// It is NAME.CELL.cell for those who may reach it.
    Add {
        /// Its name: a-z, 0-9 and '-', unlike that of every device, group and LAN.
        name: String,
        /// Who offers it: a peer, a reservation, an address, or `cell`.
        host: String,
        /// Where, as `tcp/445` or `udp/5000-5010`; without any it is the whole host.
        ports: Vec<String>,
    },
    /// Remove a service. Refused while a grant names it.
    Remove {
        /// Its name.
        name: String,
    },
}

/// Verbs of `picctl forward`.
#[derive(Debug, Subcommand)]
pub(crate) enum ForwardVerb {
    /// List the forwards.
    List,
    /// Lead a port of the cell to a host behind it: `picctl forward add tcp/8443 nas:443`.
    Add {
        /// Port toward the internet, as `tcp/8443`.
        listen: String,
        /// Where it leads, as `nas:443`.
        to: String,
        /// Take only connections from these networks; several with commas.
        #[arg(long, value_delimiter = ',')]
        from: Vec<String>,
    },
    /// Lead it nowhere any more.
    Remove {
        /// The port, as `tcp/8443`.
        listen: String,
    },
}

pub(super) async fn grant(context: &Context, args: Grant) -> Outcome {
    let Grant { from, to, when, expires, name } = args;
    context.make(&Change::Grant(&NewGrant { from, to, when, expires, name })).await
}

pub(super) async fn revoke(context: &Context, args: &Revoke) -> Outcome {
    context.make(&Change::Revoke(&args.from, &args.to)).await
}

pub(super) async fn who(context: &Context, args: &Who) -> Outcome {
    let answer = context.client.who(&args.target).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else if answer.value.items.is_empty() {
        context.out.note(&format!("Nobody may reach {} at this moment.", answer.value.to));
    } else {
        let mut table = Table::new(&["WHO", "REACHES", "BY", "WHEN"]);
        for one in &answer.value.items {
            let when = if one.when.is_empty() { "always" } else { &one.when };
            table.row([
                Cell::from(one.subject.as_str()),
                one.target.as_str().into(),
                said(&one.by).into(),
                when.into(),
            ]);
        }
        context.out.text(&table.render(&context.out))?;
    }
    Ok(Exit::Done)
}

/// What says it. A grant without a name is found by counting, which people begin at one.
fn said(by: &str) -> String {
    let place = by.strip_prefix("grant[").and_then(|rest| rest.strip_suffix(']')?.parse::<usize>().ok());
    place.map_or_else(|| by.to_owned(), |at| format!("[[grant]] no. {}", at + 1))
}

pub(super) async fn service(context: &Context, verb: ServiceVerb) -> Outcome {
    match verb {
        ServiceVerb::List => services(context).await,
        ServiceVerb::Add { name, host, ports } => {
            context.make(&Change::AddService(&NewService { name, host, ports })).await
        }
        ServiceVerb::Remove { name } => context.make(&Change::RemoveService(&name)).await,
    }
}

async fn services(context: &Context) -> Outcome {
    let answer = context.client.services().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else if answer.value.items.is_empty() {
        context.out.note("No services. Name one: picctl service add files nas tcp/445");
    } else {
        let mut table = Table::new(&["NAME", "HOST", "PORTS", "RESOLVES AS"]);
        for one in &answer.value.items {
            let ports = if one.ports.is_empty() { "all".to_owned() } else { one.ports.join(", ") };
            table.row([
                Cell::from(one.name.as_str()),
                one.host.as_str().into(),
                ports.into(),
                one.fqdn.as_str().into(),
            ]);
        }
        context.out.text(&table.render(&context.out))?;
    }
    Ok(Exit::Done)
}

pub(super) async fn forward(context: &Context, verb: ForwardVerb) -> Outcome {
    match verb {
        ForwardVerb::List => forwards(context).await,
        ForwardVerb::Add { listen, to, from } => {
            context.make(&Change::AddForward(&Forward { listen, to, from })).await
        }
        ForwardVerb::Remove { listen } => context.make(&Change::RemoveForward(&listen)).await,
    }
}

async fn forwards(context: &Context) -> Outcome {
    let answer = context.client.forwards().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else if answer.value.items.is_empty() {
        context.out.note("No forwards. Add one: picctl forward add tcp/8443 nas:443");
    } else {
        let mut table = Table::new(&["PORT", "LEADS TO", "FROM"]);
        for one in &answer.value.items {
            let from = if one.from.is_empty() { "everyone".to_owned() } else { one.from.join(", ") };
            table.row([Cell::from(one.listen.as_str()), one.to.as_str().into(), from.into()]);
        }
        context.out.text(&table.render(&context.out))?;
    }
    Ok(Exit::Done)
}
