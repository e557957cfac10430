//! `picctl peer add`

use std::net::Ipv4Addr;

use clap::Args;
use pic_api::client::{ClientError, Wait};
use pic_api::operation::State;
use pic_api::peer::{NewPeer, PeerAdded};

use super::TunnelArg;
use super::allow::{self, Allow};
use super::hand_out::Handing;
use crate::exit::Failure;
use crate::out::operation;
use crate::{Context, Outcome, time};

/// Arguments of `picctl peer add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its name: a-z, 0-9 and '-'. It becomes NAME.CELL.cell.
    name: String,
    /// The device's own public key. The cell then makes no key for it.
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
    /// Its address; without it, the next free one.
    #[arg(long)]
    address: Option<Ipv4Addr>,
    /// Groups that it is in, with commas between.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    groups: Vec<String>,
    /// What it may reach, with commas between: internet, cell, or none.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    allow: Option<Vec<Allow>>,
    /// Refuse it after this: 7d, 2027-01-01 or 2027-01-01T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time::expiry)]
    expires: Option<String>,
    /// Without a preshared key, for devices that know none.
    #[arg(long)]
    no_preshared: bool,
    /// What the device sends into the tunnel.
    #[arg(long, value_name = "WHICH", default_value = "full")]
    tunnel: TunnelArg,
    #[command(flatten)]
    handing: Handing,
}

pub(super) async fn run(context: &Context, args: Add) -> Outcome {
    let peer = new_peer(&args)?;
    if context.global.plan {
        return context.show_plan(&context.client.dry_run_add_peer(&peer).await?);
    }
    let own_key = peer.public_key.is_some();
    let places = args.handing.take_places(context, &peer.name, own_key)?;
    let wait = if context.global.no_wait { Wait::Accepted } else { Wait::Settled };
    let answer = context.client.add_peer(&peer, wait).await.map_err(lost)?;
    let added = &answer.value;
    if context.out.json {
        context.out.document(&answer.json)?;
    }
    // A configuration that found no place is still printed: its key exists nowhere else.
    let code = match places.write(context, &added.config) {
        Ok(code) => code,
        Err(failure) => {
            if !context.out.json {
                context.out.text(&added.config)?;
            }
            return Err(failure);
        }
    };
    tell(context, added, own_key);
    code.show(context)?;
    // What must be done soon goes below all else.
    if added.operation.state != State::Kept && !context.out.json {
        context.out.aside(&operation::words(&added.operation, &context.out));
    }
    Ok(operation::exit(&added.operation))
}

/// Whoever lost the answer lost a key that is nowhere else.
fn lost(error: ClientError) -> Failure {
    match error {
        ClientError::TimedOut { .. } | ClientError::Broken { .. } => Failure::PeerLost(error),
        ClientError::NotReachable { .. } | ClientError::Problem(_) | ClientError::Protocol { .. } => {
            error.into()
        }
    }
}

fn new_peer(args: &Add) -> Outcome<NewPeer> {
    Ok(NewPeer {
        name: args.name.clone(),
        public_key: args.public_key.clone(),
        address: args.address,
        groups: args.groups.clone(),
        allow: args.allow.as_deref().map(allow::words).transpose()?,
        expires: args.expires.clone(),
        no_preshared: args.no_preshared,
        endpoint: None,
        offer: false,
        tunnel: args.tunnel.into(),
    })
}

fn tell(context: &Context, added: &PeerAdded, own_key: bool) {
    if context.out.json {
        return;
    }
    let peer = &added.peer;
    let address6 = peer.address6.map(|a| format!(", {a}")).unwrap_or_default();
    let note = |line: &str| context.out.note(line);
    if added.operation.state == State::Kept {
        note(&format!("{} is in: {}, {}{address6}", peer.name, peer.fqdn, peer.address));
    }
    if own_key {
        note("The configuration lacks the device's private key, which only the device knows.");
    } else {
        note("The private key inside the configuration is shown only now. The cell does not keep it.");
    }
}
