//! `picctl peer show`

use pic_api::peer::Peer;

use super::list::{allow, state};
use crate::exit::Exit;
use crate::out::paint::Paint;
use crate::out::table::{Cell, Table};
use crate::out::text;
use crate::time::ago;
use crate::{Context, Outcome};

pub(super) async fn run(context: &Context, name: &str) -> Outcome {
    let answer = context.client.peer(name).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        context.out.text(&table(&answer.value).render(&context.out))?;
    }
    Ok(Exit::Done)
}

fn table(peer: &Peer) -> Table {
    let mut table = Table::pairs();
    table.pair("name", &peer.fqdn);
    table.row([Cell::painted("state", Paint::dim), state(peer)]);
    let address6 = peer.address6.map(|a| format!(", {a}")).unwrap_or_default();
    table.pair("address", format!("{}{address6}", peer.address));
    table.pair("allow", allow(peer));
    table.pair("groups", if peer.groups.is_empty() { "none".to_owned() } else { peer.groups.join(", ") });
    table.pair(
        "exits",
        if peer.exit.is_empty() { "as its group, or direct".to_owned() } else { peer.exit.join(", ") },
    );
    table.pair("leaves by", &peer.leaves_by);
    table.pair("quota", peer.quota.as_deref().unwrap_or("as its group, or none"));
    table.pair("rate", peer.rate.as_deref().unwrap_or("as its group, or none"));
    table.pair("expires", peer.expires.as_deref().unwrap_or("never"));
    table.pair("key", peer.public_key.to_string());
    table.pair("preshared", if peer.preshared { "yes" } else { "no" });
    table.pair("last seen", peer.last_handshake.as_deref().map_or_else(|| "never".to_owned(), ago));
    table.pair(
        "seen at",
        peer.endpoint.map_or_else(|| "nowhere yet".to_owned(), |endpoint| endpoint.to_string()),
    );
    table.pair(
        "traffic",
        format!("{} from it, {} to it", text::bytes(peer.rx_bytes), text::bytes(peer.tx_bytes)),
    );
    table
}
