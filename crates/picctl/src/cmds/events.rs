//! `picctl events`

use std::time::Duration;

use clap::Args;
use pic_api::client::ClientError;
use pic_api::event::Event;

use crate::exit::Exit;
use crate::out::text::line;
use crate::{Context, Outcome};

/// Between two tries when the agent is away.
const AWAY: Duration = Duration::from_secs(1);

/// Arguments of `picctl events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// End after so many.
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

pub(super) async fn run(context: &Context, args: Events) -> Outcome {
    let mut left = args.count;
    let mut last: Option<String> = None;
    let mut is_first = true;
    loop {
        let mut failed = Ok(());
        let begin = last.clone();
        let followed = context.client.events(begin.as_deref(), |id, data| {
            last = Some(id.to_owned());
            failed = show(context, data);
            left = left.map(|left| left - 1);
            failed.is_ok() && left != Some(0)
        });
        let ended = followed.await;
        failed?;
        if left == Some(0) {
            return Ok(Exit::Done);
        }
        match ended {
            // An agent that restarts is waited for; one that was never there is not.
            Ok(()) | Err(ClientError::Broken { .. }) => is_first = false,
            Err(ClientError::NotReachable { .. }) if !is_first => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(AWAY).await;
    }
}

fn show(context: &Context, data: &[u8]) -> std::io::Result<()> {
    if context.out.json {
        return context.out.document(data);
    }
    match serde_json::from_slice(data) {
        Ok(event) => context.out.text(&words(&event)),
        // A newer agent may tell of more.
        Err(_) => Ok(()),
    }
}

fn words(event: &Event) -> String {
    match event {
        Event::Generation { at, generation, .. } => format!("{at} generation {generation} is in force"),
        Event::Operation { at, id, state, percent, words } => {
            let percent = percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
            let words = if words.is_empty() { String::new() } else { format!(": {}", line(words)) };
            format!("{at} {} {}{percent}{words}", line(id), state.as_str())
        }
        Event::Repair { at, domain, repairs } => {
            format!("{at} {} had changed and was put right ({repairs} so far)", line(domain))
        }
        Event::Status { at, state, words, generation } => {
            let words = if words.is_empty() { String::new() } else { format!(": {}", line(words)) };
            let state = crate::out::paint::word(*state);
            format!("{at} the cell is {state}, generation {generation}{words}")
        }
        Event::Leaks { at, exit, result, words } => {
            let words = if words.is_empty() { String::new() } else { format!(": {}", line(words)) };
            format!("{at} leaks of exit {}: {}{words}", line(exit), line(result))
        }
        Event::Reset { at, words } => format!("{at} some events are lost: {}", line(words)),
    }
}
