//! What clients are answered.

use std::net::{IpAddr, Ipv6Addr};

use pic_model::dhcp_option::wire_name;
use pic_model::time::TimeHost;

use super::net::{Client, Net6, number};
use super::routers::over;
use super::{Record6, is_question};
use crate::delegation::Book;
use crate::label;
use crate::prefixes::{Life, Prefix};
use crate::v6::{Ia, IaKind, Message, Out, duid, kind, option, status};

/// Seconds after which a host should ask for the rest again.
const REFRESH_TIME: u32 = 3600;
/// With addresses that may change any day, clients ask at least this often.
const SOON: u32 = 1800;
/// Flags of RFC 4704 section 4.1: the server makes the records; it does so against the client's wish.
const SERVER_UPDATES: u8 = 1;
const OVERRIDES: u8 = 2;
/// In front of the identity of what is for others.
const OTHERS: [u8; duid::MAX] = [0; duid::MAX];

/// What a client calls itself, from the identity of a lease.
pub fn duid_of(identity: &[u8]) -> &[u8] {
    let whole = identity.get(..identity.len().saturating_sub(4)).unwrap_or_default();
    whole.get(OTHERS.len()..).filter(|rest| !rest.is_empty()).unwrap_or(whole)
}

type Done = (Vec<Record6>, Vec<u8>);

/// One answer that grows.
pub(super) struct Answer<'m, 'p> {
    pub(super) message: &'m Message<'p>,
    pub(super) client: &'m Client,
    duid: &'m [u8],
    pub(super) book: &'m Book,
    out: Out,
    pub(super) records: Vec<Record6>,
}

impl Net6 {
    /// The answer to a message with what must be on disk first; `None` where it is to be passed over.
    pub(super) fn answer(
        &mut self,
        message: &Message<'_>,
        client: &Client,
        server: &[u8],
        book: &Book,
    ) -> Option<Done> {
        if !is_question(message.kind) {
            return None;
        }
        let is_rest = message.kind == kind::INFORMATION_REQUEST;
        if !is_rest && self.lan.dhcp6.is_none() {
            return None;
        }
        // RFC 8415 section 16: who must and who must not name a server.
        let names_server = message.server.is_some();
        let sound = match message.kind {
            kind::SOLICIT | kind::CONFIRM | kind::REBIND => !names_server,
            kind::INFORMATION_REQUEST => message.ias.is_empty(),
            _ => names_server,
        };
        let duid = message.client.unwrap_or_default();
        if !sound || (duid.is_empty() && !is_rest) {
            return None;
        }
        let is_rapid = message.kind == kind::SOLICIT && message.rapid;
        let reply = if message.kind == kind::SOLICIT && !is_rapid { kind::ADVERTISE } else { kind::REPLY };
        let mut out = Out::message(reply, message.xid);
        out.filled(option::CLIENT_ID, duid).option(option::SERVER_ID, server);
        let mut answer = Answer { message, client, duid, book, out, records: Vec::new() };
        match message.kind {
            kind::INFORMATION_REQUEST => {
                answer.out.option(option::REFRESH, &REFRESH_TIME.to_be_bytes());
            }
            kind::CONFIRM => return self.confirm(answer),
            kind::RELEASE | kind::DECLINE => return Some(self.give_back(answer)),
            kind::SOLICIT => self.solicit(&mut answer, is_rapid),
            _ => {
                for ia in &message.ias {
                    self.keep(ia, &mut answer)?;
                }
            }
        }
        self.rest(&mut answer);
        Some((answer.records, answer.out.finish()))
    }

    fn solicit(&mut self, answer: &mut Answer<'_, '_>, is_rapid: bool) {
        if is_rapid {
            answer.out.option(option::RAPID_COMMIT, &[]);
        } else if let Some(preference) =
            self.lan.dhcp6.as_ref().map(|dhcp| dhcp.preference).filter(|p| *p > 0)
        {
            answer.out.option(option::PREFERENCE, &[preference]);
        }
        for ia in &answer.message.ias {
            self.give(ia, answer, is_rapid);
        }
    }

    /// An identity association of a client that has chosen us, or asks for more of what it has. `None`: the whole
    /// message is another server's to answer.
    fn keep(&mut self, ia: &Ia, answer: &mut Answer<'_, '_>) -> Option<()> {
        let is_known = self.is_known(ia, answer);
        let is_here = ia.addresses.iter().all(|address| self.has(*address))
            && ia.prefixes.iter().all(|prefix| self.delegates(*prefix));
        match answer.message.kind {
            _ if ia.kind == IaKind::Temporary => self.give(ia, answer, true),
            kind::REQUEST if !is_here && ia.kind == IaKind::Addresses => {
                answer.refuse(ia, status::NOT_ON_LINK, "this address is not of this link")
            }
            kind::RENEW if !is_known => answer.refuse(ia, status::NO_BINDING, "nothing is known of this"),
            kind::REBIND if !is_known && !is_here => {
                let mut inner = over(&ia.prefixes);
                ia.addresses.iter().for_each(|address| address_option(&mut inner, *address, Life::OVER));
                answer.ia(ia, [0, 0], &inner);
            }
            kind::REBIND if !is_known && ia.addresses.is_empty() && ia.prefixes.is_empty() => {
                // Another server's to answer, unless we gave something else of the same message.
                answer.message.ias.iter().any(|other| self.is_known(other, answer)).then_some(())?;
                answer.refuse(ia, status::NO_BINDING, "nothing is known of this");
            }
            _ => self.give(ia, answer, true),
        }
        Some(())
    }

    fn is_known(&self, ia: &Ia, answer: &Answer<'_, '_>) -> bool {
        let found = self.table.of_client(&answer.identity(ia));
        found.is_some_and(|(_, lease)| lease.is_bound(answer.client.now))
    }

    /// What this identity association gets; with `bind` for good.
    fn give(&mut self, ia: &Ia, answer: &mut Answer<'_, '_>, bind: bool) {
        match ia.kind {
            IaKind::Addresses => {}
            IaKind::Temporary => {
                return answer.refuse(
                    ia,
                    status::NO_ADDRESSES,
                    "no temporary addresses here: hosts make their own",
                );
            }
            IaKind::Prefixes => return self.delegate(ia, answer, bind),
        }
        let identity = answer.identity(ia);
        let Some(number) = self.choose(answer.duid, &identity, &ia.addresses, answer.client) else {
            return answer.refuse(ia, status::NO_ADDRESSES, "all addresses are taken");
        };
        if bind {
            let name = answer.message.fqdn.and_then(|fqdn| label::of_fqdn(fqdn.get(1..).unwrap_or_default()));
            answer.records.extend(self.bind(number, &identity, name, answer.client));
        }
        self.addresses(ia, number, answer);
    }

    /// The addresses of a number, and the end of those that the client has beside them.
    fn addresses(&self, ia: &Ia, number: u64, answer: &mut Answer<'_, '_>) {
        let lease = self.lease_time();
        let ours = Life { preferred: lease / 8 * 5, valid: lease };
        let mut inner = Out::default();
        let (mut soonest, mut given) = (ours.preferred, Vec::new());
        for Prefix { net, life } in &answer.client.prefixes {
            let (address, life) =
                (super::net::join(*net, number), life_of(&self.lan, *net, *life).at_most(ours));
            // A prefix that goes is only told to those that have addresses of it.
            if life.preferred > 0 || ia.addresses.contains(&address) {
                address_option(&mut inner, address, life);
                given.push(address);
            }
            if life.preferred > 0 {
                soonest = soonest.min(life.preferred);
            }
        }
        let is_over = |address: &&Ipv6Addr| !given.contains(address) && answer.message.kind != kind::SOLICIT;
        for address in ia.addresses.iter().filter(is_over) {
            address_option(&mut inner, *address, Life::OVER);
        }
        answer.ia(ia, times(soonest, !self.lan.delegated.is_empty()), &inner);
    }

    /// Whether the client is still where its addresses are of.
    fn confirm(&self, mut answer: Answer<'_, '_>) -> Option<Done> {
        let mut all = answer.message.ias.iter().flat_map(|ia| &ia.addresses).peekable();
        all.peek()?;
        if all.all(|address| self.has(*address)) {
            answer.out.status(status::SUCCESS, "these addresses are of this link");
        } else {
            answer.out.status(status::NOT_ON_LINK, "these addresses are not of this link");
        }
        Some((Vec::new(), answer.out.finish()))
    }

    /// Addresses given back, or found to be used by others. Only who has one can say so.
    fn give_back(&mut self, mut answer: Answer<'_, '_>) -> Done {
        let now = answer.client.now;
        for ia in &answer.message.ias {
            let identity = answer.identity(ia);
            let mut found = false;
            if ia.kind == IaKind::Temporary {
                continue;
            }
            let router = self.table.of_client(&identity).filter(|(_, lease)| lease.is_bound(now));
            let router = router.map(|(end, _)| end).filter(|_| ia.kind == IaKind::Prefixes);
            if let (Some(end), kind::RELEASE) = (router, answer.message.kind) {
                answer.records.extend(self.release(end, now));
                continue;
            }
            let here = ia.addresses.iter().filter(|address| self.has(**address));
            let numbers: Vec<u64> = here.map(|address| number(*address)).collect();
            for number in numbers {
                let is_its = self
                    .table
                    .get(number)
                    .is_some_and(|lease| *lease.client == *identity && lease.is_bound(now));
                if is_its {
                    let done = match answer.message.kind {
                        kind::RELEASE => self.release(number, now),
                        _ => self.put_on_probation(number, now),
                    };
                    answer.records.extend(done);
                }
                // Further addresses of the same number are the same lease.
                found |= is_its || answer.records.iter().any(|record| record.address == self.address(number));
            }
            if !found {
                answer.refuse(ia, status::NO_BINDING, "nothing is known of this");
            }
        }
        answer.out.status(status::SUCCESS, "noted");
        (answer.records, answer.out.finish())
    }

    /// What hosts are told beside addresses.
    fn rest(&self, answer: &mut Answer<'_, '_>) {
        let octets = |all: &[Ipv6Addr]| all.iter().flat_map(Ipv6Addr::octets).collect::<Vec<u8>>();
        let search: Vec<u8> = self.lan.search.iter().flat_map(|name| wire_name(name)).collect();
        answer.out.filled(option::DNS, &octets(&self.lan.dns)).filled(option::SEARCH, &search);
        if answer.message.wants(option::SNTP) {
            let addresses: Vec<_> = self.lan.ntp.iter().filter_map(address_of).collect();
            answer.out.filled(option::SNTP, &octets(&addresses));
        }
        if answer.message.wants(option::NTP) {
            self.lan.ntp.iter().for_each(|server| ntp_option(&mut answer.out, server));
        }
        if answer.message.wants(option::CAPTIVE_PORTAL) {
            let uri = self.lan.captive_portal.as_deref().unwrap_or_default();
            answer.out.filled(option::CAPTIVE_PORTAL, uri.as_bytes());
        }
        if let Some([flags, name @ ..]) = answer.message.fqdn {
            let own = label::of_fqdn(name).zip(self.lan.search.first());
            let full = own.map(|(label, zone)| wire_name(&format!("{label}.{zone}"))).unwrap_or_default();
            let overridden = if flags & SERVER_UPDATES == 0 { OVERRIDES } else { 0 };
            answer.out.option(option::FQDN, &[&[SERVER_UPDATES | overridden], &full[..]].concat());
        }
    }
}

/// The address of a time server; one with a name has none that is known here.
fn address_of(server: &TimeHost) -> Option<Ipv6Addr> {
    match server {
        TimeHost::Address(IpAddr::V6(address)) => Some(*address),
        TimeHost::Address(IpAddr::V4(_)) | TimeHost::Name(_) => None,
    }
}

/// RFC 5908 section 4: an option for each server, with one suboption, 1 for an address and 3 for a name.
fn ntp_option(out: &mut Out, server: &TimeHost) {
    let mut inner = Out::default();
    match server {
        TimeHost::Name(name) => inner.option(3, &wire_name(name.as_str())),
        TimeHost::Address(IpAddr::V6(address)) => inner.option(1, &address.octets()),
        TimeHost::Address(IpAddr::V4(_)) => return,
    };
    out.option(option::NTP, inner.bytes());
}

/// Addresses of the network's own prefix last as long as the lease says.
fn life_of(lan: &pic_model::snapshot::dhcp::Ipv6Lan, net: ipnet::Ipv6Net, life: Life) -> Life {
    if lan.delegated.contains(&net) { life } else { Life { preferred: u32::MAX, valid: u32::MAX } }
}

fn address_option(out: &mut Out, address: Ipv6Addr, life: Life) {
    let parts = [&address.octets()[..], &life.preferred.to_be_bytes(), &life.valid.to_be_bytes()];
    out.option(option::IA_ADDRESS, &parts.concat());
}

/// After how many seconds the client asks us, and then anybody: half and four fifths (RFC 8415 section 21.4).
pub(super) fn times(soonest: u32, may_change: bool) -> [u32; 2] {
    let renew = if may_change { (soonest / 2).min(SOON) } else { soonest / 2 };
    [renew, (soonest / 5 * 4).max(renew)]
}

impl Answer<'_, '_> {
    /// Whose lease this is: the client's DUID and the number of its identity association. A router may give the same
    /// number to what it wants for itself and for others; the latter is longer than the former can be.
    pub(super) fn identity(&self, ia: &Ia) -> Box<[u8]> {
        let others = if ia.kind == IaKind::Prefixes { &OTHERS[..] } else { &[] };
        [others, self.duid, &ia.id[..]].concat().into()
    }

    /// Adds an identity association with the times after which the client asks again.
    pub(super) fn ia(&mut self, ia: &Ia, times: [u32; 2], inner: &Out) {
        let times = times.map(u32::to_be_bytes).concat();
        let (code, times) = match ia.kind {
            IaKind::Addresses => (option::IA_NA, &times[..]),
            IaKind::Temporary => (option::IA_TA, &[][..]),
            IaKind::Prefixes => (option::IA_PD, &times[..]),
        };
        self.out.option(code, &[&ia.id[..], times, inner.bytes()].concat());
    }

    pub(super) fn refuse(&mut self, ia: &Ia, code: u16, words: &str) {
        let mut inner = Out::default();
        inner.status(code, words);
        self.ia(ia, [0, 0], &inner);
    }
}
