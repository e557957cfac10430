//! `picctl dhcp …`

use std::net::{IpAddr, Ipv4Addr};

use clap::{Args, Subcommand};
use pic_api::client::Change;
use pic_api::dhcp::{Lease, LeaseList, NewReservation, Reservation};

use crate::exit::{Exit, Failure};
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::time::ago;
use crate::{Context, Outcome};

/// Verbs of `picctl dhcp`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the addresses on the LANs and who has them.
    Leases {
        /// Only those whose name or address has this in it.
        query: Option<String>,
    },
    /// List the addresses kept for devices.
    Reservations,
    /// Keep an address for a device, and name it.
    ///
    /// A device that has a lease needs only one of --mac and --address; the lease says the other.
    Reserve(Reserve),
    /// Keep an address no longer.
    Unreserve {
        /// The device's name, address or hardware address.
        which: String,
    },
    /// End a lease. The device gets an address again when it asks.
    Release {
        /// Its address.
        address: IpAddr,
    },
}

/// Arguments of `picctl dhcp reserve`.
#[derive(Debug, Args)]
pub(crate) struct Reserve {
    /// The device's name: a-z, 0-9 and '-'. It becomes NAME.CELL.cell.
    name: String,
    /// Its hardware address.
    #[arg(long)]
    mac: Option<String>,
    /// The address; the LAN is the one that has it.
    #[arg(long)]
    address: Option<Ipv4Addr>,
}

pub(super) async fn run(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Leases { query } => leases(context, query.as_deref()).await,
        Verb::Reservations => reservations(context).await,
        Verb::Reserve(args) => {
            if args.mac.is_none() && args.address.is_none() {
                return Err(Failure::Usage("say --mac or --address, or both".to_owned()));
            }
            let new = NewReservation { mac: args.mac, ip: args.address, hostname: Some(args.name) };
            context.make(&Change::Reserve(&new)).await
        }
        Verb::Unreserve { which } => context.make(&Change::Unreserve(&which)).await,
        Verb::Release { address } => release(context, address).await,
    }
}

async fn leases(context: &Context, query: Option<&str>) -> Outcome {
    let answer = context.client.leases(query).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    tell_idle(context, &answer.value);
    if answer.value.items.is_empty() {
        context.out.note("No leases.");
    } else {
        context.out.text(&table(&answer.value.items).render(&context.out))?;
    }
    Ok(Exit::Done)
}

/// LANs where nothing is handed out, and why.
fn tell_idle(context: &Context, list: &LeaseList) {
    for lan in list.lans.iter().filter(|lan| !lan.serving) {
        context.out.note(&format!("LAN {}: {}", lan.name, lan.why_not.as_deref().unwrap_or("not serving")));
    }
}

fn table(leases: &[Lease]) -> Table {
    let mut table = Table::new(&["ADDRESS", "NAME", "MAC", "LAN", "STATE", "LAST SEEN"]);
    for lease in leases {
        table.row([
            Cell::from(lease.ip.to_string()),
            lease.hostname.as_deref().unwrap_or_default().into(),
            lease.mac.as_deref().unwrap_or_default().into(),
            lease.lan.as_str().into(),
            state(lease),
            ago(&lease.last_seen).into(),
        ]);
    }
    table
}

fn state(lease: &Lease) -> Cell {
    match (lease.state.as_str(), lease.reserved) {
        ("bound", true) => Cell::painted("bound, reserved", Paint::good),
        ("bound", false) => Cell::painted("bound", Paint::good),
        ("declined", _) => Cell::painted("used by another", Paint::warn),
        (other, _) => Cell::painted(other, Paint::dim),
    }
}

async fn reservations(context: &Context) -> Outcome {
    let answer = context.client.reservations().await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else if answer.value.items.is_empty() {
        context.out.note(
            "No reservations. Keep an address: picctl dhcp reserve nas --address 192.168.40.10 --mac …",
        );
    } else {
        let mut table = Table::new(&["NAME", "ADDRESS", "DEVICE", "LAN"]);
        for kept in &answer.value.items {
            table.row([
                Cell::from(kept.hostname.as_deref().unwrap_or_default()),
                kept.ip.to_string().into(),
                device(kept).into(),
                kept.lan.as_str().into(),
            ]);
        }
        context.out.text(&table.render(&context.out))?;
    }
    Ok(Exit::Done)
}

fn device(kept: &Reservation) -> &str {
    kept.mac.as_deref().or(kept.client_id.as_deref()).unwrap_or_default()
}

async fn release(context: &Context, address: IpAddr) -> Outcome {
    if context.global.plan {
        return Err(Failure::Usage("ending a lease changes no setting: there is no plan to show".to_owned()));
    }
    let answer = context.client.release(&address.to_string()).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.note(&format!("{address} is free again; the device keeps using it until it asks."));
    }
    Ok(Exit::Done)
}
