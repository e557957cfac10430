//! `picctl why`

use clap::Args;
use pic_api::reach::{WhyLive, WhyWay};

use crate::exit::Exit;
use crate::out::text::lines;
use crate::{Context, Outcome, time};

/// Arguments of `picctl why`.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Who begins it: a peer, a LAN (any of its hosts), a reservation, an address, `internet` or `cell`.
    from: String,
    /// Where it leads: the same, with a port as in `nas:445` or `cell:udp/53`; without one a ping is meant.
    to: String,
    /// Follow a real packet through the kernel beside it, the first that comes within this time, as --live=30s. Exit code 1
    /// where it differs from what is foretold, or none comes. Make one: open that connection.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "20s", value_parser = time::duration)]
    live: Option<u64>,
}

pub(super) async fn run(context: &Context, args: &Why) -> Outcome {
    if let Some(seconds) = args.live {
        context.out.note(&format!("Waiting up to {seconds} s for the first packet of such a connection."));
    }
    let answer = context.client.why(&args.from, &args.to, args.live).await?;
    let live = answer.value.live.as_ref();
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        let ways: Vec<_> = answer.value.ways.iter().map(words).collect();
        context.out.text(&lines(&ways.join("\n")))?;
        match live {
            Some(live) if live.seen => context.out.text(&lines(&followed(live)))?,
            Some(_) => context.out.note("There was no packet of such a connection in that time."),
            None => {}
        }
    }
    let agrees = live.is_none_or(|live| live.seen && live.differs.is_empty());
    Ok(if agrees { Exit::Done } else { Exit::Failed })
}

fn followed(live: &WhyLive) -> String {
    let mut text = format!("\nA real packet: {}, because\n", live.verdict);
    for step in &live.steps {
        text.push_str(&format!("  - {}: {}\n", step.place, step.words));
    }
    if live.differs.is_empty() {
        text.push_str("That is what was foretold.\n");
    } else {
        text.push_str("That is not what was foretold:\n");
        text.extend(live.differs.iter().map(|words| format!("  - {words}\n")));
    }
    text
}

fn words(way: &WhyWay) -> String {
    let by = way.interface.as_ref().map(|name| format!(" (comes in by {name})")).unwrap_or_default();
    let mut text = format!("{} to {}{by}: {}, because\n", way.source, way.destination, way.verdict);
    for step in &way.steps {
        text.push_str(&format!("  - {}: {}\n", step.place, step.words));
    }
    text
}
