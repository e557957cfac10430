//! Reservations, which stand in `cell.toml`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pic_api::dhcp::{NewReservation, Reservation, ReservationList};
use pic_engine::{ChangeError, Current};
use pic_model::lan::{self, ClientId, Duid, Mac};
use pic_model::name::{GroupName, HostName};
use pic_model::snapshot::dhcp::{DhcpRequest, LeaseState};
use pic_model::{ProblemCode, edit};

use super::leases::state;
use crate::http::call::Call;
use crate::http::change::Wish;
use crate::http::failure::{Failure, field, from_edit, invalid};
use crate::http::reply::{Outcome, Reply};

pub(crate) fn reservations(call: &Call) -> Outcome {
    let one = |kept: &lan::Reservation| Reservation {
        lan: kept.lan.to_string(),
        mac: kept.mac.map(|mac| mac.to_string()),
        client_id: kept.client_id.as_ref().map(ToString::to_string),
        duid: kept.duid.as_ref().map(ToString::to_string),
        ip: kept.address,
        ip6: kept.address6,
        hostname: kept.name.as_ref().map(ToString::to_string),
        groups: kept.groups.iter().map(ToString::to_string).collect(),
    };
    Reply::json(&ReservationList { items: call.cell()?.desired.kept_on_lans().map(one).collect() })
}

pub(crate) async fn reserve(call: Call) -> Outcome {
    let asked = Asked::read(&call).await?;
    let wish = Wish::new(format!("reserve {}", asked.address), move |current| asked.edit(current));
    call.make(wish).await?.reply()
}

pub(crate) async fn unreserve(call: Call) -> Outcome {
    let which = call.parameter("which").to_owned();
    let wish = Wish::new(format!("remove the reservation of {}", shown(&which)), move |current| {
        edit::remove_reservation(&current.text, &which).map_err(from_edit)
    });
    call.make(wish).await?.reply()
}

fn shown(text: &str) -> String {
    text.chars().take(63).filter(|c| !c.is_control()).collect()
}

/// A reservation, understood and completed by the device's lease.
struct Asked {
    device: Device,
    duid: Option<Duid>,
    address: Ipv4Addr,
    address6: Option<Ipv6Addr>,
    name: Option<HostName>,
    groups: BTreeSet<GroupName>,
}

/// What a device is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Device {
    Mac(Mac),
    ClientId(ClientId),
}

impl Device {
    fn is_of(&self, lease: &LeaseState) -> bool {
        match self {
            Self::Mac(mac) => lease.mac == Some(*mac),
            Self::ClientId(id) => lease.client_id.as_ref() == Some(id),
        }
    }
}

impl Asked {
    async fn read(call: &Call) -> Outcome<Self> {
        let new: NewReservation = call.json()?;
        let mut problems = Vec::new();
        let mut bad =
            |path: &str, message: String| problems.push(field(path, ProblemCode::BadValue, message, ""));
        let name = new.hostname.as_deref().and_then(|name| {
            name.parse::<HostName>().map_err(|error| bad("hostname", error.to_string())).ok()
        });
        let mut groups = BTreeSet::new();
        for (index, text) in new.groups.iter().enumerate() {
            match text.parse::<GroupName>() {
                Ok(group) => drop(groups.insert(group)),
                Err(error) => bad(&format!("groups[{index}]"), error.to_string()),
            }
        }
        let mac =
            new.mac.as_deref().and_then(|mac| mac.parse::<Mac>().map_err(|e| bad("mac", e.to_string())).ok());
        let id = new
            .client_id
            .as_deref()
            .and_then(|id| id.parse::<ClientId>().map_err(|error| bad("client_id", error.to_string())).ok());
        let duid = new
            .duid
            .as_deref()
            .and_then(|duid| duid.parse::<Duid>().map_err(|error| bad("duid", error.to_string())).ok());
        if mac.is_some() && id.is_some() {
            bad("client_id", "a device is said by mac or by client_id, not by both".to_owned());
        }
        if !problems.is_empty() {
            return Err(invalid(problems).into());
        }
        let device = mac.map(Device::Mac).or(id.map(Device::ClientId));
        let (device, address) = match (device, new.ip) {
            (Some(device), Some(address)) => (device, address),
            (None, None) => return Err(Failure::bad("mac, client_id or ip is needed")),
            (device, address) => Self::of_lease(call, device, address).await?,
        };
        Ok(Self { device, duid, address, address6: new.ip6, name, groups })
    }

    async fn of_lease(
        call: &Call,
        device: Option<Device>,
        address: Option<Ipv4Addr>,
    ) -> Outcome<(Device, Ipv4Addr)> {
        let leases = state(call, DhcpRequest::Leases).await?.leases;
        let bound = leases.into_iter().filter(|lease| lease.state == "bound");
        let mut bound = bound.filter_map(|lease| match lease.address {
            IpAddr::V4(found) => Some((found, lease)),
            IpAddr::V6(_) => None,
        });
        let known = bound.find(|(found, lease)| {
            Some(*found) == address || device.as_ref().is_some_and(|device| device.is_of(lease))
        });
        let known = known.and_then(|(found, lease)| Some((device.or(lease.mac.map(Device::Mac))?, found)));
        known.ok_or_else(|| Failure::conflict("no such device has a lease now: say both its hardware address and the address to keep for it"))
    }

    fn edit(&self, current: &Current) -> Result<String, ChangeError> {
        let desired = current.desired.as_ref().ok_or(ChangeError::NoCell)?;
        let lan = desired.network_of(self.address).map(|(name, _)| name).ok_or_else(|| {
            let message = format!("{} is in no [[lan]] and no [[subnet]]", self.address);
            invalid(vec![field("ip", ProblemCode::OutsideNetwork, message, "choose an address of a LAN")])
        })?;
        let kept = lan::Reservation {
            lan: lan.clone(),
            mac: if let Device::Mac(mac) = self.device { Some(mac) } else { None },
            client_id: if let Device::ClientId(id) = &self.device { Some(id.clone()) } else { None },
            duid: self.duid.clone(),
            address: self.address,
            address6: self.address6,
            name: self.name.clone(),
            groups: self.groups.clone(),
        };
        Ok(edit::add_reservation(&current.text, &kept))
    }
}
