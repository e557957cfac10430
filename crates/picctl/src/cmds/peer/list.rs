//! `picctl peer list`

use clap::Args;
use pic_api::client::PageQuery;
use pic_api::peer::{Peer, PeerList};

use crate::exit::Exit;
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::out::text;
use crate::time::ago;
use crate::{Context, Outcome};

/// Peers asked for at once.
const PAGE: usize = 1000;

/// Arguments of `picctl peer list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those whose name or address has this in it.
    query: Option<String>,
}

pub(super) async fn run(context: &Context, args: List) -> Outcome {
    let query = PageQuery { q: args.query.as_deref(), limit: Some(PAGE), cursor: None };
    let first = context.client.peers(&query).await?;
    if context.out.json && first.value.next.is_none() {
        context.out.document(&first.json)?;
        return Ok(Exit::Done);
    }
    let list = rest(context, &query, first.value).await?;
    if context.out.json {
        context.out.serialize(&list)?;
    } else if list.items.is_empty() {
        context.out.note("No peers. Let one in: picctl peer add phone");
    } else {
        context.out.text(&table(&list.items).render(&context.out))?;
    }
    Ok(Exit::Done)
}

/// All pages as one.
async fn rest(context: &Context, query: &PageQuery<'_>, mut list: PeerList) -> Outcome<PeerList> {
    while let Some(cursor) = list.next.take() {
        let page = context.client.peers(&PageQuery { cursor: Some(&cursor), ..query.clone() }).await?.value;
        // A cursor that does not move would never end.
        list.next = page.next.filter(|next| *next != cursor && !page.items.is_empty());
        list.items.extend(page.items);
    }
    Ok(list)
}

fn table(peers: &[Peer]) -> Table {
    let mut table = Table::new(&["NAME", "ADDRESS", "STATE", "ALLOW", "LAST SEEN", "FROM IT", "TO IT"]);
    for peer in peers {
        table.row([
            Cell::from(peer.name.as_str()),
            peer.address.to_string().into(),
            state(peer),
            allow(peer).into(),
            peer.last_handshake.as_deref().map_or_else(|| "never".to_owned(), ago).into(),
            text::bytes(peer.rx_bytes).into(),
            text::bytes(peer.tx_bytes).into(),
        ]);
    }
    table
}

/// What it may reach, in a word or two.
pub(super) fn allow(peer: &Peer) -> String {
    if peer.allow.is_empty() { "nothing".to_owned() } else { peer.allow.join(",") }
}

/// Whether it is let in, and why not.
pub(super) fn state(peer: &Peer) -> Cell {
    match (peer.enabled, peer.active) {
        (_, true) => Cell::painted("active", Paint::good),
        (false, false) => Cell::painted("disabled", Paint::dim),
        (true, false) => Cell::painted("expired", Paint::warn),
    }
}
