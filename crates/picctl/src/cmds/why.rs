//! `picctl why`

use clap::Args;
use pic_api::reach::WhyWay;

use crate::exit::Exit;
use crate::out::text::lines;
use crate::{Context, Outcome};

/// Arguments of `picctl why`.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Who begins it: a peer, a LAN (any of its hosts), a reservation, an address, `internet` or `cell`.
    from: String,
    /// Where it leads: the same, with a port as in `nas:445` or `cell:udp/53`; without one a ping is meant.
    to: String,
}

pub(super) async fn run(context: &Context, args: &Why) -> Outcome {
    let answer = context.client.why(&args.from, &args.to).await?;
    if context.out.json {
        context.out.document(&answer.json)?;
    } else {
        let ways: Vec<_> = answer.value.ways.iter().map(words).collect();
        context.out.text(&lines(&ways.join("\n")))?;
    }
    Ok(Exit::Done)
}

fn words(way: &WhyWay) -> String {
    let by = way.interface.as_ref().map(|name| format!(" (comes in by {name})")).unwrap_or_default();
    let mut text = format!("{} to {}{by}: {}, because\n", way.source, way.destination, way.verdict);
    for step in &way.steps {
        text.push_str(&format!("  - {}: {}\n", step.place, step.words));
    }
    text
}
