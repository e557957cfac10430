//! `/api/dhcp/…`: leases, which the DHCP service knows, and reservations, which stand in `cell.toml`.

use std::net::{IpAddr, Ipv4Addr};

use pic_api::dhcp::{LanStatus, Lease, LeaseList, NewReservation, Reservation, ReservationList};
use pic_engine::{ChangeError, Current};
use pic_model::lan::{self, Mac};
use pic_model::name::{HostName, LanName};
use pic_model::snapshot::dhcp::{DhcpRequest, DhcpState, LeaseState};
use pic_model::{Desired, ProblemCode, edit};

use crate::host::dhcp::ask;
use crate::http::call::Call;
use crate::http::change::Wish;
use crate::http::failure::{Failure, field, from_edit, invalid};
use crate::http::reply::{Outcome, Reply};
use crate::http::view;

pub(crate) async fn leases(call: Call) -> Outcome {
    let q = call.query.get("q").map(|q| q.to_ascii_lowercase());
    let state = state(&call, DhcpRequest::Leases).await?;
    Reply::json(&list(state, q.as_deref()))
}

pub(crate) async fn release(call: Call) -> Outcome {
    let text = call.parameter("address");
    let missing = || Failure::not_found("there is no lease of this address; see `picctl dhcp leases`");
    let address: IpAddr = text.parse().map_err(|_| missing())?;
    let state = state(&call, DhcpRequest::Release { address }).await?;
    if state.done { Reply::json(&list(state, Some(text))) } else { Err(missing()) }
}

/// Without a LAN no DHCP service runs, and there are no leases.
pub(super) async fn state(call: &Call, request: DhcpRequest) -> Outcome<DhcpState> {
    if call.cell()?.desired.lans.is_empty() {
        return Ok(DhcpState::default());
    }
    let socket = call.api.dhcp_socket.clone();
    let asked = tokio::task::spawn_blocking(move || ask(&socket, &request)).await;
    asked.map_err(|_| Failure::internal("asking the DHCP service failed"))?.map_err(Failure::unavailable)
}

fn list(state: DhcpState, q: Option<&str>) -> LeaseList {
    let fits = |lease: &&LeaseState| {
        let is_in = |text: &str| q.is_none_or(|q| text.contains(q));
        is_in(&lease.address.to_string())
            || lease.hostname.as_deref().is_some_and(is_in)
            || lease.mac.is_some_and(|mac| is_in(&mac.to_string()))
    };
    let lan = |lan: &pic_model::snapshot::dhcp::DhcpLanState| LanStatus {
        name: lan.name.clone(),
        serving: lan.serving,
        why_not: lan.why_not.clone(),
        size: lan.size,
    };
    LeaseList {
        items: state.leases.iter().filter(fits).map(lease).collect(),
        lans: state.lans.iter().map(lan).collect(),
    }
}

fn lease(lease: &LeaseState) -> Lease {
    let time = |seconds| view::time(seconds).unwrap_or_default();
    Lease {
        lan: lease.lan.clone(),
        ip: lease.address,
        mac: lease.mac.map(|mac| mac.to_string()),
        hostname: lease.hostname.clone(),
        state: lease.state.clone(),
        expires: time(lease.expires),
        first_seen: time(lease.first_seen),
        last_seen: time(lease.last_seen),
        reserved: lease.reserved,
    }
}

pub(crate) fn reservations(call: &Call) -> Outcome {
    let one = |kept: &lan::Reservation| Reservation {
        lan: kept.lan.to_string(),
        mac: kept.mac.map(|mac| mac.to_string()),
        client_id: kept.client_id.as_ref().map(ToString::to_string),
        ip: kept.address,
        hostname: kept.name.as_ref().map(ToString::to_string),
    };
    Reply::json(&ReservationList { items: call.cell()?.desired.reservations.iter().map(one).collect() })
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
    mac: Mac,
    address: Ipv4Addr,
    name: Option<HostName>,
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
        let mac = new
            .mac
            .as_deref()
            .and_then(|mac| mac.parse::<Mac>().map_err(|error| bad("mac", error.to_string())).ok());
        if !problems.is_empty() {
            return Err(invalid(problems).into());
        }
        let (mac, address) = match (mac, new.ip) {
            (Some(mac), Some(address)) => (mac, address),
            (None, None) => return Err(Failure::bad("mac or ip is needed")),
            (mac, address) => {
                let leases = state(call, DhcpRequest::Leases).await?.leases;
                let bound = leases.iter().filter(|lease| lease.state == "bound");
                let mut found = bound.filter_map(|lease| match lease.address {
                    IpAddr::V4(address) => Some((lease.mac?, address)),
                    IpAddr::V6(_) => None,
                });
                let found = found.find(|(of, at)| Some(*of) == mac || Some(*at) == address);
                found
                    .ok_or_else(|| Failure::conflict("no such device has a lease now: say both mac and ip"))?
            }
        };
        Ok(Self { mac, address, name })
    }

    fn edit(&self, current: &Current) -> Result<String, ChangeError> {
        let desired = current.desired.as_ref().ok_or(ChangeError::NoCell)?;
        let lan = self.lan(desired).ok_or_else(|| {
            let message = format!("{} is in no [[lan]]", self.address);
            invalid(vec![field("ip", ProblemCode::OutsideNetwork, message, "choose an address of a LAN")])
        })?;
        let kept = lan::Reservation {
            lan: lan.clone(),
            mac: Some(self.mac),
            client_id: None,
            address: self.address,
            name: self.name.clone(),
        };
        Ok(edit::add_reservation(&current.text, &kept))
    }

    fn lan<'d>(&self, desired: &'d Desired) -> Option<&'d LanName> {
        desired.lans.iter().find(|(_, lan)| lan.ipv4.contains(&self.address)).map(|(name, _)| name)
    }
}
