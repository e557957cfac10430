//! `/api/apps`: programs with a network namespace of their own.

use pic_api::app::{App, AppList};
use pic_model::exit::WayOut;
use pic_model::lan::APP_HOST6;
use pic_model::{Desired, address};
use pic_plan::compile::{ResolvedLan, exit};
use pic_plan::{Facts, marks};

use crate::http::call::Call;
use crate::http::reply::{Outcome, Reply};

pub(crate) async fn list(call: Call) -> Outcome {
    let cell = call.cell()?;
    // Which of them has its interface is a matter of this moment.
    let links = pic_drivers::link::names_by_index().map(|names| names.into_values().collect::<Vec<_>>());
    let links = links.unwrap_or_default();
    let lans = ResolvedLan::all(&cell.desired, &cell.facts);
    let items = lans.iter().filter_map(|lan| app(lan, &cell.desired, &cell.facts, &links)).collect();
    Reply::json(&AppList { items })
}

fn app(lan: &ResolvedLan<'_>, desired: &Desired, facts: &Facts, links: &[String]) -> Option<App> {
    let app = lan.lan.app?;
    let v6 = lan.net6.map(|net| address::join_v6(net, APP_HOST6).into());
    let chosen = exit::choose(desired, facts, exit::of_lan(lan.lan));
    Some(App {
        name: lan.name.to_owned(),
        enabled: app.enabled,
        connected: links.contains(&lan.device),
        unit: marks::app_unit(lan.name),
        interface: lan.device.clone(),
        addresses: std::iter::once(app.address.into()).chain(v6).collect(),
        resolv_conf: marks::app_resolv_conf(lan.name),
        exits: lan.lan.exit.iter().map(|way| WayOut::as_str(way).to_owned()).collect(),
        leaves_by: chosen.map_or_else(|| "direct".to_owned(), ToString::to_string),
    })
}
