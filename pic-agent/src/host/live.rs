//! Follows a real packet through the kernel's firewalls: nftables tells its way (`meta nftrace`), once a rule of a table of
//! our own has caught it. That table goes with its socket, however this ends. The packet's bytes are not looked at.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pic_drivers::nft::{self, Listener, Live, TraceEvent, TraceVerdict, rules};
use pic_model::chain;
use pic_plan::marks::NFT_TABLE;
use pic_plan::reach::live::{Station, WAYS};
use pic_plan::target::nft::Table;

/// Name of the table.
const TABLE: &str = "pic_live";
/// A packet that nothing is told of for so long has ended.
const QUIET: Duration = Duration::from_millis(300);
/// Stations told of one packet at the most; the cell's own chains are some twenty.
const MOST: usize = 2000;

/// A packet that was caught.
#[derive(Debug)]
pub(crate) struct Caught {
    /// Which of the ways it took, by its place.
    pub(crate) way: usize,
    /// Its stations.
    pub(crate) stations: Vec<Station>,
}

/// Waits for the first packet that a rule of `table` matches; `None` if none comes in time. Blocks.
pub(crate) fn follow(table: &Table, patience: Duration) -> Result<Option<Caught>, String> {
    let words = |error: nft::Error| chain(&error);
    // Heard from before the first packet can be caught.
    let mut listener = Listener::start().map_err(words)?;
    let live = Live::start(TABLE, table, true)
        .map_err(|error| format!("{}; does somebody else follow a packet at this moment?", chain(&error)))?;
    let own = rules(TABLE).map_err(words)?;
    let deadline = Instant::now() + patience;
    let first = loop {
        match listener.next(deadline).map_err(words)? {
            None => return Ok(None),
            Some(event) if event.table == TABLE && event.rule.is_some() => break event,
            Some(_) => {}
        }
    };
    let key = (first.chain.clone(), first.rule.unwrap_or_default());
    let why = own.get(&key).map(String::as_str);
    let way = WAYS.iter().position(|way| Some(*way) == why).unwrap_or_default();
    let mut events = Vec::new();
    // Others that are caught meanwhile do not keep us.
    let mut quiet = Instant::now() + QUIET;
    while events.len() < MOST {
        match listener.next(quiet).map_err(words)? {
            None => break,
            Some(event) if event.id == first.id && event.table != TABLE => {
                events.push(event);
                quiet = Instant::now() + QUIET;
            }
            Some(_) => {}
        }
    }
    drop(live);
    Ok(Some(Caught { way, stations: stations(events).map_err(words)? }))
}

fn stations(events: Vec<TraceEvent>) -> Result<Vec<Station>, nft::Error> {
    let known = rules(NFT_TABLE)?;
    // An interface that went meanwhile has no name any more, and is then not told.
    let names: BTreeMap<u32, String> = pic_drivers::link::names_by_index().unwrap_or_default();
    let one = |event: TraceEvent| {
        let is_ours = event.table == NFT_TABLE;
        let why = event.rule.map(|handle| {
            let why = known.get(&(event.chain.clone(), handle)).filter(|_| is_ours).cloned();
            why.unwrap_or_else(|| format!("rule {handle}"))
        });
        Station {
            why,
            passed: match event.verdict {
                TraceVerdict::Accept => Some(true),
                TraceVerdict::Drop => Some(false),
                TraceVerdict::On => None,
            },
            out: event.oif.and_then(|index| names.get(&index).cloned()),
            mark: event.mark,
            table: event.table,
            chain: event.chain,
        }
    };
    Ok(events.into_iter().map(one).collect())
}
