//! `picctl version`

use std::time::Duration;

use crate::exit::Exit;
use crate::{Context, Outcome};

/// The agent is asked, but not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Both versions; they differ between an upgrade and the agent's restart.
#[derive(serde::Serialize)]
struct Version {
    picctl: &'static str,
    agent: Option<String>,
}

pub(super) async fn run(context: &Context) -> Outcome {
    let agent = context.client.clone().with_timeout(PATIENCE).health().await;
    let version =
        Version { picctl: env!("CARGO_PKG_VERSION"), agent: agent.ok().map(|answer| answer.value.version) };
    if context.out.json {
        context.out.serialize(&version)?;
    } else {
        let agent = version.agent.as_deref().unwrap_or("not reachable");
        context.out.text(&crate::out::text::lines(&format!("picctl {}\nagent {agent}", version.picctl)))?;
    }
    Ok(Exit::Done)
}
