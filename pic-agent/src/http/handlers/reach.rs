//! `/api/why` and `/api/tests`: the compiled state walked with packets that nobody sends.

use std::time::Duration;

use pic_api::reach::{ReachTest, ReachTestList, Why, WhyLive, WhyStep, WhyWay};
use pic_model::reach::{Host, Target};
use pic_plan::compile::compile;
use pic_plan::reach::{self, Verdict, Way, live};
use pic_plan::target::Targets;

use crate::http::call::{Call, Cell};
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};

/// Compiling a large cell takes some milliseconds, which other requests need not wait for.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::internal(error.to_string()))?
}

pub(crate) async fn why(call: Call) -> Outcome {
    let from: Host = end(&call, "from")?;
    let to: Target = end(&call, "to")?;
    let patience = call.query.get("live").map(|text| patience(text)).transpose()?;
    let cell = call.cell()?;
    let Some(patience) = patience else {
        return Reply::json(&aside(move || explain(&cell, &from, &to, None)).await?);
    };
    let _turn = call.api.followed.try_lock().map_err(|_| {
        Failure::conflict("a packet is followed already at this moment; ask again when that has ended")
    })?;
    Reply::json(&aside(move || explain(&cell, &from, &to, Some(patience))).await?)
}

fn patience(text: &str) -> Outcome<Duration> {
    let seconds = text.parse().ok().filter(|seconds| (1..=60).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| Failure::bad("live is 1 to 60 seconds"))
}

fn end<T: std::str::FromStr<Err = pic_model::reach::ReachError>>(call: &Call, name: &str) -> Outcome<T> {
    let text = call.query.get(name).ok_or_else(|| Failure::bad(format!("{name} is missing")))?;
    text.parse().map_err(|error| {
        let shown: String = text.chars().take(80).collect();
        Failure::bad(format!("{name}: {shown:?} {error}"))
    })
}

fn explain(cell: &Cell, from: &Host, to: &Target, patience: Option<Duration>) -> Outcome<Why> {
    let targets = compile(Some(&cell.desired), &cell.facts);
    let ways = reach::ways(&cell.desired, &cell.facts, &targets, from, to);
    let ways = ways.map_err(|error| Failure::not_found(error.to_string()))?;
    let walked: Vec<_> =
        ways.into_iter().map(|way| (reach::walk(&targets, &cell.facts, &way.packet), way)).collect();
    let live = patience.map(|patience| follow(cell, &targets, (from, to), &walked, patience)).transpose()?;
    Ok(Why {
        from: from.to_string(),
        to: to.to_string(),
        allowed: walked.iter().all(|(trace, _)| trace.verdict == Verdict::Allowed),
        ways: walked.into_iter().map(|(trace, way)| told(trace, way)).collect(),
        live,
    })
}

/// Follows the first real packet on one of the ways.
fn follow(
    cell: &Cell,
    targets: &Targets,
    ends: (&Host, &Target),
    walked: &[(reach::Trace, Way)],
    patience: Duration,
) -> Outcome<WhyLive> {
    let ways: Vec<_> = walked.iter().map(|(_, way)| way.clone()).collect();
    let table = live::catching(&cell.desired, &cell.facts, targets, ends, &ways);
    let caught = crate::host::live::follow(&table, patience).map_err(Failure::internal)?;
    let found = caught.and_then(|caught| {
        let (trace, _) = walked.get(caught.way)?;
        Some((caught.way, live::compare(targets, trace, &caught.stations)))
    });
    Ok(match found {
        None => {
            WhyLive { seen: false, way: 0, verdict: String::new(), steps: Vec::new(), differs: Vec::new() }
        }
        Some((way, live)) => WhyLive {
            seen: true,
            way,
            verdict: live.verdict.as_str().to_owned(),
            steps: live.steps.into_iter().map(step).collect(),
            differs: live.differs,
        },
    })
}

fn step(step: reach::Step) -> WhyStep {
    WhyStep { place: step.place, words: step.words }
}

fn told(trace: reach::Trace, way: Way) -> WhyWay {
    WhyWay {
        source: way.packet.source,
        destination: way.packet.destination,
        interface: way.packet.iif,
        verdict: trace.verdict.as_str().to_owned(),
        steps: trace.steps.into_iter().map(step).collect(),
    }
}

pub(crate) async fn tests(call: Call) -> Outcome {
    let cell = call.cell()?;
    Reply::json(&aside(move || Ok(judged(&cell))).await?)
}

fn judged(cell: &Cell) -> ReachTestList {
    let targets = compile(Some(&cell.desired), &cell.facts);
    let one = |test: &pic_model::desired::ReachTest| {
        let judged = reach::judge(&cell.desired, &cell.facts, &targets, test);
        ReachTest {
            from: test.from.to_string(),
            to: test.to.to_string(),
            expect: test.expect.as_str().to_owned(),
            holds: judged.holds,
            words: judged.words,
        }
    };
    ReachTestList { items: cell.desired.tests.iter().map(one).collect() }
}
