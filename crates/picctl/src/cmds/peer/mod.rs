//! `picctl peer …`

mod add;
mod allow;
mod hand_out;
mod list;
mod set;
mod show;

use clap::{Args, Subcommand, ValueEnum};
use pic_api::client::Change;
use pic_api::peer::{PatchPeer, Tunnel};

use crate::{Context, Outcome};

/// Verbs of `picctl peer`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Let a device in, and print what it needs.
    ///
    /// The cell makes the device's key, prints it once inside the configuration and as a QR code, and forgets it.
    /// With --public-key the device keeps its own.
    Add(add::Add),
    /// List the devices.
    List(list::List),
    /// Show one device.
    Show(Name),
    /// Change what a device may reach, and until when it is let in.
    Set(set::Set),
    /// Remove a device. Its key is of no use any more.
    Remove(Name),
    /// Give a device another name. Its keys and addresses stay.
    Rename {
        /// Its name now.
        name: String,
        /// Its new name.
        new: String,
    },
    /// Let a disabled device in again.
    Enable(Name),
    /// Keep a device out, but keep its name, key and addresses.
    Disable(Name),
    /// Print a device's configuration, without the private key, which only the device knows.
    Config(hand_out::Config),
    /// Show a device's configuration as a QR code again. Needs the device's private key.
    Qr(hand_out::Qr),
}

/// A peer's name.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// Its name.
    name: String,
}

/// What goes into the tunnel.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum TunnelArg {
    /// Everything.
    Full,
    /// Only what is behind the cell.
    Split,
}

impl From<TunnelArg> for Tunnel {
    fn from(tunnel: TunnelArg) -> Self {
        match tunnel {
            TunnelArg::Full => Self::Full,
            TunnelArg::Split => Self::Split,
        }
    }
}

pub(super) async fn run(context: &Context, verb: Verb) -> Outcome {
    match verb {
        Verb::Add(args) => add::run(context, args).await,
        Verb::List(args) => list::run(context, args).await,
        Verb::Show(args) => show::run(context, &args.name).await,
        Verb::Set(args) => set::run(context, args).await,
        Verb::Remove(args) => remove(context, &args.name).await,
        Verb::Rename { name, new } => {
            patch(context, &name, PatchPeer { name: Some(new), ..PatchPeer::default() }).await
        }
        Verb::Enable(args) => patch(context, &args.name, enabled(true)).await,
        Verb::Disable(args) => patch(context, &args.name, enabled(false)).await,
        Verb::Config(args) => hand_out::config(context, args).await,
        Verb::Qr(args) => hand_out::qr(context, args).await,
    }
}

fn enabled(enabled: bool) -> PatchPeer {
    PatchPeer { enabled: Some(enabled), ..PatchPeer::default() }
}

async fn patch(context: &Context, name: &str, patch: PatchPeer) -> Outcome {
    // Read first: what somebody else did to it since is not undone unseen.
    let peer = context.client.peer(name).await?;
    context.make(&Change::Peer(name, &patch, peer.etag.as_deref())).await
}

async fn remove(context: &Context, name: &str) -> Outcome {
    // An unknown name is told before the question is asked, and what was seen is what goes.
    let answer = context.client.peer(name).await?;
    let peer = &answer.value;
    if !context.global.plan {
        let question =
            format!("Remove {} ({})? Its configuration stops working for good.", peer.name, peer.address);
        context.consent(&question)?;
    }
    context.make(&Change::RemovePeer(name, answer.etag.as_deref())).await
}
