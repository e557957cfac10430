//! The kernel's devices, over generic netlink.

use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_wireguard::{WireguardAttribute, WireguardCmd, WireguardDeviceFlags, WireguardMessage};
use pic_plan::target::wireguard::Delta;

use super::{Error, Observation, decode, encode};
use crate::netlink::{self, Socket};

/// A generic netlink socket and the number the kernel gave the WireGuard family.
struct Family {
    socket: Socket,
    id: u16,
}

impl Family {
    fn open() -> Result<Self, netlink::Error> {
        let mut socket = Socket::open(netlink_sys::protocols::NETLINK_GENERIC)?;
        let ask = GenlMessage::from_payload(GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName("wireguard".to_owned())],
        });
        let answers = socket.get(ask)?;
        let id =
            answers.iter().flat_map(|answer| &answer.payload.nlas).find_map(|attribute| match attribute {
                GenlCtrlAttrs::FamilyId(id) => Some(*id),
                _ => None,
            });
        id.map(|id| Self { socket, id })
            .ok_or_else(|| netlink::Error::Malformed("a family without number".into()))
    }

    fn message(
        &self,
        cmd: WireguardCmd,
        attributes: Vec<WireguardAttribute>,
    ) -> GenlMessage<WireguardMessage> {
        let mut message = GenlMessage::from_payload(WireguardMessage { cmd, attributes });
        message.set_resolved_family_id(self.id);
        message
    }

    fn set(&mut self, attributes: Vec<WireguardAttribute>) -> Result<(), netlink::Error> {
        let message = self.message(WireguardCmd::SetDevice, attributes);
        self.socket.change(message, 0)
    }
}

pub(super) fn observe(name: &str) -> Result<Option<Observation>, Error> {
    match dump(name) {
        Ok(messages) => {
            let attributes = messages.into_iter().flat_map(|message| message.into_parts().1.attributes);
            Ok(Some(decode::device(attributes)))
        }
        Err(error) if error.is(&[libc::ENODEV]) => Ok(None),
        Err(source) => Err(Error::Kernel { verb: "read", name: name.to_owned(), source }),
    }
}

fn dump(name: &str) -> Result<Vec<GenlMessage<WireguardMessage>>, netlink::Error> {
    let mut family = Family::open()?;
    let ask = family.message(WireguardCmd::GetDevice, vec![WireguardAttribute::IfName(name.to_owned())]);
    family.socket.dump(ask)
}

pub(super) fn apply(name: &str, delta: &Delta) -> Result<(), Error> {
    set_all(name, encode::messages(name, delta))
}

/// Sends changes of a device one after the other, up to the first that is refused.
pub(super) fn set_all(name: &str, messages: Vec<Vec<WireguardAttribute>>) -> Result<(), Error> {
    let send = || {
        let mut family = Family::open()?;
        messages.into_iter().try_for_each(|attributes| family.set(attributes))
    };
    send().map_err(|source| Error::Kernel { verb: "change", name: name.to_owned(), source })
}

/// Removes all peers at once: only for a device about to be deleted.
pub(crate) fn empty(name: &str) -> Result<(), netlink::Error> {
    Family::open()?.set(vec![
        WireguardAttribute::IfName(name.to_owned()),
        WireguardAttribute::Flags(WireguardDeviceFlags::ReplacePeers),
        WireguardAttribute::Peers(Vec::new()),
    ])
}
