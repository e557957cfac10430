//! The words of replies.

use std::net::Ipv4Addr;

use pic_model::dhcp_option as option;
use pic_model::snapshot::dhcp::BootFile;

use super::{Action, Net};
use crate::wire::{Builder, Kind, Message, Reply, code};

/// Sent whether asked for or not: without them an address is of little use.
const ALWAYS: [u8; 3] = [option::MASK, option::ROUTER, option::DNS];
/// A client may ask for a shorter lease than ours, but not for one that makes it ask all the time.
const SHORTEST: u32 = 120;

impl Net {
    /// Seconds that this client gets.
    pub(super) fn lease_time(&self, message: &Message<'_>) -> u32 {
        let ours = self.lan.dhcp.as_ref().map_or(SHORTEST, |dhcp| dhcp.lease);
        message.lease.map_or(ours, |asked| asked.max(SHORTEST).min(ours))
    }

    /// An offer or an acknowledgement.
    pub(super) fn grant(&self, message: &Message<'_>, kind: Kind, address: Ipv4Addr) -> Reply {
        let mut reply = Builder::new(message, kind, self.lan.address.addr(), address);
        let time = self.lease_time(message);
        // RFC 2131 section 4.4.5: half of it, and seven eighths.
        for (code, seconds) in [(code::LEASE, time), (code::RENEW, time / 2), (code::REBIND, time / 8 * 7)] {
            reply.option(code, &seconds.to_be_bytes());
        }
        self.options(message, &mut reply);
        reply.finish()
    }

    fn options(&self, message: &Message<'_>, reply: &mut Builder) {
        let Some(dhcp) = &self.lan.dhcp else { return };
        let text = |code: u8| dhcp.options.get(&code).map(|wire| wire.0.as_slice());
        let boot = dhcp.boot.iter().find(|boot| fits(boot, message));
        let file = boot.map(|boot| boot.file.as_bytes());
        let next_server = boot.and_then(|boot| boot.next_server).or(dhcp.next_server);
        reply.boot(next_server, text(option::TFTP_SERVER), file.or(text(option::BOOT_FILE)));
        let mut sent = [false; 256];
        let wanted = message.wanted.unwrap_or_default();
        // One that says nothing wants everything.
        let rest = dhcp.options.keys().filter(|_| wanted.is_empty());
        for code in ALWAYS.iter().chain(wanted).chain(rest) {
            let file = file.filter(|_| *code == option::BOOT_FILE);
            let value = file.or(dhcp.options.get(code).map(|wire| wire.0.as_slice()));
            if let Some(value) = value.filter(|_| !std::mem::replace(&mut sent[usize::from(*code)], true)) {
                reply.option(*code, value);
            }
        }
    }

    /// "That address is not yours": the client begins again.
    pub(super) fn refuse(&self, message: &Message<'_>) -> Reply {
        let mut reply = Builder::new(message, Kind::Nak, self.lan.address.addr(), Ipv4Addr::UNSPECIFIED);
        reply.option(code::MESSAGE, b"this address is not yours here");
        reply.finish()
    }

    /// The options alone, for a client that has an address from elsewhere.
    pub(super) fn inform(&self, message: &Message<'_>) -> Action {
        // Nobody elsewhere is sent anything because somebody here says so.
        if !self.network().contains(&message.ciaddr()) {
            return Action::None;
        }
        let mut reply = Builder::new(message, Kind::Ack, self.lan.address.addr(), Ipv4Addr::UNSPECIFIED);
        self.options(message, &mut reply);
        Action::Send(reply.finish())
    }
}

/// Whether a file is for the client that asks.
fn fits(boot: &BootFile, message: &Message<'_>) -> bool {
    let by_architecture = boot.architectures.is_empty()
        || message.architecture.is_some_and(|architecture| boot.architectures.contains(&architecture));
    by_architecture && boot.user_class.as_deref().is_none_or(|class| is_of_class(message, class.as_bytes()))
}

/// RFC 3004 has a length before each class; most programs send the bare text.
fn is_of_class(message: &Message<'_>, class: &[u8]) -> bool {
    let said = message.user_class.unwrap_or_default();
    let mut rest = said;
    while let Some((part, after)) =
        rest.split_first().and_then(|(n, rest)| rest.split_at_checked(usize::from(*n)))
    {
        if part == class {
            return true;
        }
        rest = after;
    }
    said == class
}
