//! `picctl dhcp …`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::{Args, Subcommand};
use pic_api::client::{Change, ClientError, LeaseQuery};
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
    Leases(Leases),
    /// List the addresses kept for devices.
    Reservations,
    /// Keep an address for a device, and name it.
    ///
    /// A device that has a lease needs only --address, or only --mac or --client-id; the lease says the rest.
    Reserve(Reserve),
    /// Keep an address no longer.
    Unreserve {
        /// The device's name, address, hardware address or client identifier.
        which: String,
    },
    /// End a lease. The device gets an address again when it asks.
    ///
    /// Of a router that was given a prefix, end that: nothing is led there until it asks again.
    Release {
        /// Its address, or the router's prefix, as `dhcp leases` shows it.
        #[arg(value_name = "ADDRESS", value_parser = leased)]
        what: Leased,
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
    /// What it calls itself to DHCP servers, as ff:00:01:a2, where its hardware address changes.
    #[arg(long, conflicts_with = "mac")]
    client_id: Option<String>,
    /// The address; the LAN is the one that has it.
    #[arg(long)]
    address: Option<Ipv4Addr>,
    /// What follows the prefix in its IPv6 addresses, as ::10. Handed out where the LAN has dhcp6.
    #[arg(long)]
    address6: Option<Ipv6Addr>,
    /// What it calls itself in DHCPv6; without it the hardware address tells, where it is known.
    #[arg(long)]
    duid: Option<String>,
    /// Groups that it is in, with commas between.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    groups: Vec<String>,
}

/// Arguments of `picctl dhcp leases`.
#[derive(Debug, Args)]
pub(crate) struct Leases {
    /// Only those whose name, address or vendor has this in it.
    query: Option<String>,
    /// Only those of this LAN or subnet.
    #[arg(long)]
    lan: Option<String>,
    /// Only those in this state.
    #[arg(long, value_parser = ["bound", "offered", "expired", "released", "declined"])]
    state: Option<String>,
    /// Only addresses that are kept for a device.
    #[arg(long, conflicts_with = "pool")]
    reserved: bool,
    /// Only addresses that are kept for nobody.
    #[arg(long)]
    pool: bool,
}

pub(super) async fn run(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Leases(args) => leases(context, &args).await,
        Verb::Reservations => reservations(context).await,
        Verb::Reserve(args) => {
            if args.mac.is_none() && args.client_id.is_none() && args.address.is_none() {
                return Err(Failure::Usage("say --address, --mac or --client-id".to_owned()));
            }
            let Reserve { name, mac, client_id, address, address6, duid, groups } = args;
            let hostname = Some(name);
            let new = NewReservation { mac, client_id, ip: address, duid, ip6: address6, hostname, groups };
            context.make(&Change::Reserve(&new)).await.map_err(|failure| by_options(context, failure))
        }
        Verb::Unreserve { which } => context.make(&Change::Unreserve(&which)).await,
        Verb::Release { what } => release(context, &what).await,
    }
}

/// What is wrong with a reservation, by the options that said it: programs get the API's own words.
fn by_options(context: &Context, failure: Failure) -> Failure {
    let Failure::Client(ClientError::Problem(mut problem)) = failure else { return failure };
    if !context.out.json {
        for error in problem.errors.iter_mut().filter(|error| error.line == 0) {
            let option = match error.pointer.as_str() {
                "/ip" => "/--address",
                "/ip6" => "/--address6",
                "/mac" => "/--mac",
                "/client_id" => "/--client-id",
                "/duid" => "/--duid",
                "/hostname" => "/NAME",
                _ => continue,
            };
            option.clone_into(&mut error.pointer);
        }
    }
    Failure::Client(ClientError::Problem(problem))
}

async fn leases(context: &Context, args: &Leases) -> Outcome {
    let query = LeaseQuery {
        q: args.query.as_deref(),
        lan: args.lan.as_deref(),
        state: args.state.as_deref(),
        reserved: (args.reserved || args.pool).then_some(args.reserved),
    };
    let answer = context.client.leases(&query).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    tell_networks(context, &answer.value);
    if answer.value.lans.is_empty() {
        context.out.note(
            "No LANs, so that no addresses are handed out. `man 5 cell.toml` says how to add one: [[lan]].",
        );
    } else if answer.value.items.is_empty() {
        context.out.note("No leases.");
    } else {
        context.out.text(&table(&answer.value.items).render(&context.out))?;
    }
    Ok(Exit::Done)
}

/// Networks where nothing is handed out, and why; and where others hand out, too.
fn tell_networks(context: &Context, list: &LeaseList) {
    for lan in list.lans.iter().filter(|lan| !lan.serving) {
        context.out.note(&format!("LAN {}: {}", lan.name, lan.why_not.as_deref().unwrap_or("not serving")));
    }
    for (lan, rival) in list.lans.iter().filter_map(|lan| Some((lan, lan.rival.as_deref()?))) {
        context.out.note(&format!("LAN {}: another DHCP server answers there: {rival}", lan.name));
    }
}

fn table(leases: &[Lease]) -> Table {
    let mut table = Table::new(&[
        "ADDRESS",
        "NAME",
        "MAC",
        "LAN",
        "STATE",
        "FIRST SEEN",
        "LAST SEEN",
        "VENDOR",
        "BEHIND",
    ]);
    for lease in leases {
        table.row([
            Cell::from(address(lease)),
            name(lease).into(),
            lease.mac.as_deref().or(lease.duid.as_deref()).unwrap_or_default().into(),
            lease.lan.as_str().into(),
            state(lease),
            ago(&lease.first_seen).into(),
            ago(&lease.last_seen).into(),
            lease.vendor.as_deref().unwrap_or_default().into(),
            place(lease).into(),
        ]);
    }
    table
}

fn address(lease: &Lease) -> String {
    if lease.prefixes.is_empty() { lease.ip.to_string() } else { lease.prefixes.join(" ") }
}

fn name(lease: &Lease) -> String {
    match (lease.hostname.as_deref().unwrap_or_default(), &lease.says) {
        (name, Some(says)) => format!("{name} (says {says})"),
        (name, None) => name.to_owned(),
    }
}

fn place(lease: &Lease) -> String {
    let Some(relay) = &lease.relay else { return String::new() };
    let parts = [Some(relay.ip.to_string()), relay.circuit_id.clone(), relay.remote_id.clone()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
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

/// What a lease is about: an address, or a prefix, which is told by its address.
#[derive(Debug, Clone)]
pub(crate) struct Leased {
    address: IpAddr,
    length: Option<u8>,
}

fn leased(text: &str) -> Result<Leased, String> {
    let wrong = || "write an address, or a router's prefix".to_owned();
    let (address, length) = match text.split_once('/') {
        None => (text, None),
        Some((address, length)) => {
            let length = length.parse().ok().filter(|length| *length <= 128 && address.contains(':'));
            (address, Some(length.ok_or_else(wrong)?))
        }
    };
    Ok(Leased { address: address.parse().map_err(|_| wrong())?, length })
}

async fn release(context: &Context, what: &Leased) -> Outcome {
    if context.global.plan {
        return Err(Failure::Usage("ending a lease changes no setting: there is no plan to show".to_owned()));
    }
    let address = what.address;
    let answer = context.client.release(&address.to_string()).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
        return Ok(Exit::Done);
    }
    context.out.note(&match what.length {
        None => format!("{address} is free again; the device keeps using it until it asks."),
        Some(length) => {
            format!("{address}/{length} is free again; nothing is led there until its router asks.")
        }
    });
    Ok(Exit::Done)
}
