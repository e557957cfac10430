//! `/api/why` and `/api/tests`: the compiled state walked with packets that nobody sends.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pic_api::reach::{ReachTest, ReachTestList, Why, WhyLive, WhyStep, WhyWay};
use pic_model::reach::{Host, Target};
use pic_model::snapshot::dns::{DnsAnswer, DnsRequest};
use pic_plan::compile::compile;
use pic_plan::reach::{self, Verdict, Way, live};
use pic_plan::target::Targets;

use crate::http::call::{Call, Cell};
use crate::http::dns_control;
use crate::http::failure::Failure;
use crate::http::reply::{Outcome, Reply};

/// What the state in force compiles to, which the engine knows but for its first moments.
fn compiled(cell: &Cell) -> Arc<Targets> {
    let anew = || Arc::new(compile(Some(&cell.desired), &cell.facts));
    cell.report.targets.clone().unwrap_or_else(anew)
}

/// Walking a large cell takes some milliseconds, which other requests need not wait for.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::internal(error.to_string()))?
}

pub(crate) async fn why(call: Call) -> Outcome {
    let from: Host = end(&call, "from")?;
    let to: Target = end(&call, "to")?;
    let patience = call.query.get("live").map(|text| patience(text)).transpose()?;
    let cell = call.cell()?;
    let named = addresses(&call, &cell, &from, &to).await;
    let Some(patience) = patience else {
        return Reply::json(&aside(move || explain(&cell, &from, &to, &named, None)).await?);
    };
    let _turn = call.api.followed.try_lock().map_err(|_| {
        Failure::conflict("a packet is followed already at this moment; ask again when that has ended")
    })?;
    Reply::json(&aside(move || explain(&cell, &from, &to, &named, Some(patience))).await?)
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

/// Addresses of a name of the internet, as the name server would tell them to who asks, which also makes them known to the
/// firewall; none where nobody knows any, as of other targets.
async fn addresses(call: &Call, cell: &Cell, from: &Host, to: &Target) -> Vec<IpAddr> {
    let Host::Outside(name) = &to.host else { return Vec::new() };
    let targets = compiled(cell);
    let ways = reach::ways(&cell.desired, &cell.facts, &targets, from, to).unwrap_or_default();
    let mut found = Vec::new();
    for way in ways {
        let source = way.packet.source;
        // A and AAAA.
        let rtype = if source.is_ipv4() { 1 } else { 28 };
        let request = DnsRequest::Query { name: name.as_str().to_owned(), rtype, source };
        let answer = dns_control::ask::<DnsAnswer>(&call.api.dns_control, &request).await;
        let records = answer.map(|answer| answer.records).unwrap_or_default();
        let mut addresses = records.iter().filter_map(|record| record.value.parse::<IpAddr>().ok());
        found.extend(addresses.find(|address| address.is_ipv4() == source.is_ipv4()));
    }
    found
}

/// The packets; to a name of the internet, with its own addresses in place of one that stands for any, as far as they are known.
fn ways(cell: &Cell, targets: &Targets, from: &Host, to: &Target, named: &[IpAddr]) -> Outcome<Vec<Way>> {
    let ways = reach::ways(&cell.desired, &cell.facts, targets, from, to);
    let mut ways = ways.map_err(|error| Failure::not_found(error.to_string()))?;
    if !named.is_empty() {
        for way in &mut ways {
            let is_v4 = way.packet.source.is_ipv4();
            if let Some(address) = named.iter().find(|address| address.is_ipv4() == is_v4) {
                way.packet.destination = *address;
            }
        }
        ways.retain(|way| named.contains(&way.packet.destination));
    }
    Ok(ways)
}

fn explain(
    cell: &Cell,
    from: &Host,
    to: &Target,
    named: &[IpAddr],
    patience: Option<Duration>,
) -> Outcome<Why> {
    let targets = compiled(cell);
    let ways = ways(cell, &targets, from, to, named)?;
    let walker = reach::Walker::new(&targets, &cell.facts);
    let walked: Vec<_> = ways.into_iter().map(|way| (walker.walk(&way.packet), way)).collect();
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
    let targets = compiled(cell);
    let walker = reach::Walker::new(&targets, &cell.facts);
    let ends = reach::Ends::new(&cell.desired, &cell.facts, &targets);
    let one = |test: &pic_model::desired::ReachTest| {
        let judged = reach::judge(&ends, &walker, test);
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
