//! The words of replies.

use std::net::Ipv4Addr;

use pic_model::dhcp_option as option;

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
        reply.boot(dhcp.next_server, text(option::TFTP_SERVER), text(option::BOOT_FILE));
        let mut sent = [false; 256];
        let wanted = message.wanted.unwrap_or_default();
        // One that says nothing wants everything.
        let rest = dhcp.options.keys().filter(|_| wanted.is_empty());
        for code in ALWAYS.iter().chain(wanted).chain(rest) {
            if let Some(wire) = dhcp.options.get(code).filter(|_| !sent[usize::from(*code)]) {
                sent[usize::from(*code)] = true;
                reply.option(*code, &wire.0);
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
        if !self.lan.address.contains(&message.ciaddr()) {
            return Action::None;
        }
        let mut reply = Builder::new(message, Kind::Ack, self.lan.address.addr(), Ipv4Addr::UNSPECIFIED);
        self.options(message, &mut reply);
        Action::Send(reply.finish())
    }
}
