//! Values of a snapshot in wire form.

use std::net::IpAddr;

use pic_model::snapshot::dns::RecordData;

use smallvec::SmallVec;

use super::ZoneError;
use crate::wire::{name, rtype};

/// RDATA on its way into a set; an address needs no memory of its own.
type Rdata = SmallVec<[u8; 16]>;

pub(super) fn name(text: &str) -> Result<Vec<u8>, ZoneError> {
    name::from_text(text).ok_or_else(|| ZoneError::Name(text.to_owned()))
}

/// Type and RDATA of the record of `owner`.
pub(super) fn data(owner: &str, data: &RecordData) -> Result<(u16, Rdata), ZoneError> {
    Ok(match data {
        RecordData::Address(ip) => address(*ip),
        RecordData::Ptr(target) => (rtype::PTR, name(target)?.into()),
        RecordData::Raw { rtype, hex } => {
            let bytes = bytes(hex).ok_or_else(|| ZoneError::Value(owner.to_owned()))?;
            // Aliases are followed, so they must be names.
            let is_name = name::plain_len(&bytes) == Some(bytes.len());
            if *rtype == crate::wire::rtype::CNAME && !is_name {
                return Err(ZoneError::Value(owner.to_owned()));
            }
            (*rtype, bytes)
        }
    })
}

pub(super) fn address(ip: IpAddr) -> (u16, Rdata) {
    match ip {
        IpAddr::V4(ip) => (rtype::A, Rdata::from_slice(&ip.octets())),
        IpAddr::V6(ip) => (rtype::AAAA, Rdata::from(ip.octets())),
    }
}

fn bytes(hex: &str) -> Option<Rdata> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    hex.as_bytes().chunks(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(*pair.get(1)?)?)).collect()
}

/// Primary, mailbox (`hostmaster` at the server), serial, refresh, retry, expire, minimum.
pub(super) fn soa(server: &[u8], serial: u32, negative: u32) -> Box<[u8]> {
    let mut rdata = server.to_vec();
    // A server name too long to be prefixed is its own mailbox: nobody reads the field, it only has to be a name.
    if server.len() + 11 <= name::MAX {
        rdata.extend_from_slice(b"\x0Ahostmaster");
    }
    rdata.extend_from_slice(server);
    for number in [serial, 3_600, 600, 604_800, negative] {
        rdata.extend_from_slice(&number.to_be_bytes());
    }
    rdata.into()
}
