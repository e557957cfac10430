//! `/api/services/status` and `/api/services/active`: the units of the cell.

use pic_api::status::{ActiveServices, Health3, Service, Services};
use pic_engine::ServiceReport;

use crate::http::call::Call;
use crate::http::reply::{Outcome, Reply};

pub(crate) async fn status(call: Call) -> Outcome {
    Reply::json(&Services { items: all(&call).await })
}

pub(crate) async fn active(call: Call) -> Outcome {
    let running = all(&call).await.into_iter().filter(|service| service.active);
    Reply::json(&ActiveServices { items: running.map(|service| service.name).collect() })
}

async fn all(call: &Call) -> Vec<Service> {
    call.freshen().await;
    call.api.handle.report().services.iter().map(|(unit, report)| service(unit, report)).collect()
}

fn service(unit: &str, report: &ServiceReport) -> Service {
    let state = match (report.wanted, report.active) {
        (true, true) | (false, false) => Health3::Ok,
        (false, true) => Health3::Degraded,
        (true, false) => Health3::Failed,
    };
    Service {
        name: unit.trim_end_matches(".service").to_owned(),
        unit: unit.to_owned(),
        wanted: report.wanted,
        active: report.active,
        state,
        words: report.words.clone(),
    }
}
