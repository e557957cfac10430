//! `picctl exit offer`

use std::path::PathBuf;

use clap::Args;
use pic_api::client::{ClientError, Wait};
use pic_api::operation::State;
use pic_api::peer::{NewPeer, Tunnel};

use crate::exit::Failure;
use crate::out::operation;
use crate::save::Place;
use crate::{Context, Outcome};

/// Arguments of `picctl exit offer`.
#[derive(Debug, Args)]
pub(crate) struct Offer {
    /// What the other cell is called here: a-z, 0-9 and '-'.
    name: String,
    /// Where this cell dials the other one, which listens there. For a cell behind NAT, which nobody can dial.
    #[arg(long, value_name = "HOST:PORT")]
    dial: Option<String>,
    /// Write the file for the other cell here (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(context: &Context, args: Offer) -> Outcome {
    if args.dial.as_deref().is_some_and(|dial| !dial.contains(':')) {
        return Err(Failure::Usage(
            "say the port at which the other cell listens: --dial HOST:51821".to_owned(),
        ));
    }
    let peer = NewPeer {
        name: args.name,
        public_key: None,
        address: None,
        groups: Vec::new(),
        allow: Some(vec!["internet".to_owned()]),
        expires: None,
        no_preshared: false,
        endpoint: args.dial,
        offer: true,
        tunnel: Tunnel::Full,
    };
    if context.global.plan {
        return context.show_plan(&context.client.dry_run_add_peer(&peer).await?);
    }
    let place = args.out.as_deref().map(|path| Place::take(path, args.force)).transpose()?;
    let wait = if context.global.no_wait { Wait::Accepted } else { Wait::Settled };
    // Whoever lost the answer lost a key that is nowhere else.
    let answer = context.client.add_peer(&peer, wait).await.map_err(|error| match error {
        ClientError::TimedOut { .. } | ClientError::Broken { .. } => Failure::PeerLost(error),
        ClientError::NotReachable { .. } | ClientError::Problem(_) | ClientError::Protocol { .. } => {
            error.into()
        }
    })?;
    let added = &answer.value;
    if context.out.json {
        context.out.document(&answer.json)?;
    }
    let file = match place {
        Some(place) => place.fill(added.config.as_bytes())?.display().to_string(),
        None => {
            if !context.out.json {
                context.out.text(&added.config)?;
            }
            "FILE".to_owned()
        }
    };
    if !context.out.json {
        if added.operation.state != State::Kept {
            context.out.aside(&operation::words(&added.operation, &context.out));
        }
        context.out.note("The keys in it are shown only now. On the other cell:");
        context.out.note(&format!("    picctl exit add NAME --kind cell --file {file}"));
    }
    Ok(operation::exit(&added.operation))
}
