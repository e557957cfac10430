//! `/api/groups`: groups of devices. Who is in one is said where the device is: [`super::peers`], [`super::dhcp`].

use pic_api::group::{Group, GroupList, NewGroup};
use pic_engine::{ChangeError, Current};
use pic_model::desired::Audience;
use pic_model::name::GroupName;
use pic_model::{Desired, ProblemCode, edit};

use crate::http::call::Call;
use crate::http::change::Wish;
use crate::http::failure::{Failure, field, from_edit, invalid};
use crate::http::reply::{Outcome, Reply};

pub(crate) fn list(call: &Call) -> Outcome {
    let cell = call.cell()?;
    let items = cell.desired.groups.iter().map(|name| view(name, &cell.desired)).collect();
    Reply::json(&GroupList { items })
}

pub(crate) fn read(call: &Call) -> Outcome {
    let (cell, name) = (call.cell()?, name(call)?);
    if !cell.desired.groups.contains(&name) {
        return Err(Failure::not_found(missing(name.as_str())));
    }
    Reply::json(&view(&name, &cell.desired))
}

pub(crate) async fn add(call: Call) -> Outcome {
    let new: NewGroup = call.json()?;
    let name: GroupName = new.name.parse().map_err(|error: pic_model::name::NameError| {
        invalid(vec![field("name", ProblemCode::BadValue, error.to_string(), "write a name as kids")])
    })?;
    let wish = Wish::new(format!("add group {name}"), move |current| {
        // What it clashes with is told where the whole file is read.
        has_cell(current).map(|()| edit::add_group(&current.text, &name))
    });
    call.make(wish).await?.reply()
}

pub(crate) async fn remove(call: Call) -> Outcome {
    let name = name(&call)?;
    let wish = Wish::new(format!("remove group {name}"), move |current| {
        edit::remove_group(&current.text, &name).map_err(from_edit)
    });
    call.make(wish).await?.reply()
}

fn has_cell(current: &Current) -> Result<(), ChangeError> {
    current.desired.as_ref().map(|_| ()).ok_or_else(|| ChangeError::Conflict(Failure::no_cell().detail))
}

fn name(call: &Call) -> Outcome<GroupName> {
    let text = call.parameter("name");
    text.parse().map_err(|_| Failure::not_found(missing(&text.chars().take(80).collect::<String>())))
}

fn missing(name: &str) -> String {
    format!("there is no group named \"{}\"; see `picctl group list`", name.escape_debug())
}

fn view(name: &GroupName, desired: &Desired) -> Group {
    let is_meant = |audience: &Audience| audience.as_str() == name.as_str();
    let peers = desired.peers.iter().filter(|(_, peer)| peer.groups.contains(name));
    let devices = desired.reservations.iter().filter(|kept| kept.groups.contains(name));
    let lists = desired.dns.blocklists.iter().filter(|list| list.audience.iter().flatten().any(is_meant));
    let records = desired.dns.records.iter().filter(|record| record.audience.iter().flatten().any(is_meant));
    Group {
        name: name.to_string(),
        peers: peers.map(|(peer, _)| peer.to_string()).collect(),
        devices: devices
            .map(|kept| kept.name.as_ref().map_or_else(|| kept.address.to_string(), ToString::to_string))
            .collect(),
        blocklists: lists.map(|list| list.name.to_string()).collect(),
        records: records.map(|record| record.name.to_string()).collect(),
    }
}
