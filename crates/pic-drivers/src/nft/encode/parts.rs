//! The kernel's single expressions. All of them work on register 1, but for those that are told another.

use std::ffi::CString;

use nftnl::nftnl_sys as sys;
use pic_model::limit::Limit;
use pic_plan::marks::{QUEUE_FIRST_SHARE, QUEUE_SHARES};
use pic_plan::target::nft::Is;
use pic_plan::target::rule::Family;

use super::super::abi;
use super::super::raw::{Ex, Value};

/// Which of a packet's two addresses or ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Destination,
}

fn numbers(name: &'static std::ffi::CStr, attributes: &[(u32, u32)]) -> Ex {
    Ex { name, attributes: attributes.iter().map(|(key, value)| (*key, Value::U32(*value))).collect() }
}

/// Loads a fact about the packet.
pub(super) fn meta(key: u32) -> Ex {
    meta_to(abi::REG_1, key)
}

pub(super) fn meta_to(register: u32, key: u32) -> Ex {
    numbers(c"meta", &[(sys::NFTNL_EXPR_META_KEY, key), (sys::NFTNL_EXPR_META_DREG, register)])
}

/// Stores a fact about the packet.
pub(super) fn meta_set(key: u32) -> Ex {
    numbers(c"meta", &[(sys::NFTNL_EXPR_META_KEY, key), (sys::NFTNL_EXPR_META_SREG, abi::REG_1)])
}

/// Compares; where it fails the rule does not match.
pub(super) fn cmp(operator: u32, data: &[u8]) -> Ex {
    Ex {
        name: c"cmp",
        attributes: vec![
            (sys::NFTNL_EXPR_CMP_SREG, Value::U32(abi::REG_1)),
            (sys::NFTNL_EXPR_CMP_OP, Value::U32(operator)),
            (sys::NFTNL_EXPR_CMP_DATA, Value::Bytes(data.to_vec())),
        ],
    }
}

pub(super) fn compare(is: Is, data: &[u8]) -> Ex {
    let operator = match is {
        Is::In => abi::CMP_EQ,
        Is::NotIn => abi::CMP_NEQ,
    };
    cmp(operator, data)
}

/// Loads bytes of a header.
pub(super) fn payload(base: u32, offset: u32, length: u32) -> Ex {
    payload_to(abi::REG_1, base, offset, length)
}

pub(super) fn payload_to(register: u32, base: u32, offset: u32, length: u32) -> Ex {
    numbers(
        c"payload",
        &[
            (sys::NFTNL_EXPR_PAYLOAD_DREG, register),
            (sys::NFTNL_EXPR_PAYLOAD_BASE, base),
            (sys::NFTNL_EXPR_PAYLOAD_OFFSET, offset),
            (sys::NFTNL_EXPR_PAYLOAD_LEN, length),
        ],
    )
}

/// Loads an address.
pub(super) fn address(side: Side, family: Family) -> Ex {
    address_to(abi::REG_1, side, family)
}

pub(super) fn address_to(register: u32, side: Side, family: Family) -> Ex {
    let (offset, length) = match (family, side) {
        (Family::V4, Side::Source) => (12, 4),
        (Family::V4, Side::Destination) => (16, 4),
        (Family::V6, Side::Source) => (8, 16),
        (Family::V6, Side::Destination) => (24, 16),
    };
    payload_to(register, abi::PAYLOAD_NETWORK, offset, length)
}

/// Replaces an address by one of the classes that share a line. The seed stays, so that nobody's class changes with each load
/// of the table.
pub(super) fn hash(family: Family) -> Ex {
    let length = if family == Family::V4 { 4 } else { 16 };
    numbers(
        c"hash",
        &[
            (sys::NFTNL_EXPR_HASH_SREG, abi::REG_1),
            (sys::NFTNL_EXPR_HASH_DREG, abi::REG_1),
            (sys::NFTNL_EXPR_HASH_LEN, length),
            (sys::NFTNL_EXPR_HASH_MODULUS, QUEUE_SHARES),
            (sys::NFTNL_EXPR_HASH_SEED, 0x77),
            (sys::NFTNL_EXPR_HASH_OFFSET, QUEUE_FIRST_SHARE),
        ],
    )
}

/// Register and mask, then xor. Both of the register's length.
pub(super) fn bitwise(mask: &[u8], xor: &[u8]) -> Ex {
    bitwise_in(abi::REG_1, mask, xor)
}

pub(super) fn bitwise_in(register: u32, mask: &[u8], xor: &[u8]) -> Ex {
    let length = u32::try_from(mask.len()).unwrap_or(u32::MAX);
    Ex {
        name: c"bitwise",
        attributes: vec![
            (sys::NFTNL_EXPR_BITWISE_SREG, Value::U32(register)),
            (sys::NFTNL_EXPR_BITWISE_DREG, Value::U32(register)),
            (sys::NFTNL_EXPR_BITWISE_LEN, Value::U32(length)),
            (sys::NFTNL_EXPR_BITWISE_MASK, Value::Bytes(mask.to_vec())),
            (sys::NFTNL_EXPR_BITWISE_XOR, Value::Bytes(xor.to_vec())),
        ],
    }
}

pub(super) fn lookup(is: Is, set: CString) -> Ex {
    let mut attributes = vec![
        (sys::NFTNL_EXPR_LOOKUP_SREG, Value::U32(abi::REG_1)),
        (sys::NFTNL_EXPR_LOOKUP_SET, Value::Text(set)),
    ];
    if is == Is::NotIn {
        attributes.push((sys::NFTNL_EXPR_LOOKUP_FLAGS, Value::U32(abi::LOOKUP_INVERT)));
    }
    Ex { name: c"lookup", attributes }
}

/// Loads the transport's number into a register and the destination port into the next word.
pub(super) fn service(register: u32) -> [Ex; 2] {
    let next = if register == abi::REG_1 { abi::REG_WORD_0 + 1 } else { register + 1 };
    [meta_to(register, abi::META_L4PROTO), payload_to(next, abi::PAYLOAD_TRANSPORT, 2, 2)]
}

/// Replaces what stands from register 1 on by what a map holds for it; without an entry the rule does not match.
pub(super) fn look_up_value(map: CString) -> Ex {
    Ex {
        name: c"lookup",
        attributes: vec![
            (sys::NFTNL_EXPR_LOOKUP_SREG, Value::U32(abi::REG_1)),
            (sys::NFTNL_EXPR_LOOKUP_DREG, Value::U32(abi::REG_1)),
            (sys::NFTNL_EXPR_LOOKUP_SET, Value::Text(map)),
        ],
    }
}

/// Loads an address, and a port behind it, for [`translate_destination`].
pub(super) fn destination(family: Family, address: Vec<u8>, port: u16) -> [Ex; 2] {
    let load = |register, data| Ex {
        name: c"immediate",
        attributes: vec![
            (sys::NFTNL_EXPR_IMM_DREG, Value::U32(register)),
            (sys::NFTNL_EXPR_IMM_DATA, Value::Bytes(data)),
        ],
    };
    [load(abi::REG_1, address), load(behind(family), port.to_be_bytes().to_vec())]
}

/// The word behind an address in register 1.
fn behind(family: Family) -> u32 {
    match family {
        Family::V4 => abi::REG_WORD_0 + 1,
        Family::V6 => abi::REG_WORD_0 + 4,
    }
}

/// Destination becomes the address in register 1 and the port in the word behind it.
pub(super) fn translate_destination(family: Family) -> Ex {
    let number = match family {
        Family::V4 => abi::NFPROTO_IPV4,
        Family::V6 => abi::NFPROTO_IPV6,
    };
    let port = behind(family);
    numbers(
        c"nat",
        &[
            (sys::NFTNL_EXPR_NAT_TYPE, abi::NAT_DESTINATION),
            (sys::NFTNL_EXPR_NAT_FAMILY, u32::from(number)),
            (sys::NFTNL_EXPR_NAT_REG_ADDR_MIN, abi::REG_1),
            (sys::NFTNL_EXPR_NAT_REG_PROTO_MIN, port),
        ],
    )
}

/// Loads bytes.
pub(super) fn load(data: &[u8]) -> Ex {
    Ex {
        name: c"immediate",
        attributes: vec![
            (sys::NFTNL_EXPR_IMM_DREG, Value::U32(abi::REG_1)),
            (sys::NFTNL_EXPR_IMM_DATA, Value::Bytes(data.to_vec())),
        ],
    }
}

/// Ends the rule.
pub(super) fn verdict(verdict: u32, chain: Option<CString>) -> Ex {
    let mut ex = numbers(
        c"immediate",
        &[(sys::NFTNL_EXPR_IMM_DREG, abi::REG_VERDICT), (sys::NFTNL_EXPR_IMM_VERDICT, verdict)],
    );
    ex.attributes.extend(chain.map(|chain| (sys::NFTNL_EXPR_IMM_CHAIN, Value::Text(chain))));
    ex
}

/// Loads the maximum segment size of the packet's route and writes it into the TCP option.
pub(super) fn set_mss_from_route() -> [Ex; 3] {
    let load =
        numbers(c"rt", &[(sys::NFTNL_EXPR_RT_KEY, abi::ROUTE_TCPMSS), (sys::NFTNL_EXPR_RT_DREG, abi::REG_1)]);
    let to_network_order = numbers(
        c"byteorder",
        &[
            (sys::NFTNL_EXPR_BYTEORDER_SREG, abi::REG_1),
            (sys::NFTNL_EXPR_BYTEORDER_DREG, abi::REG_1),
            (sys::NFTNL_EXPR_BYTEORDER_OP, abi::BYTEORDER_HTON),
            (sys::NFTNL_EXPR_BYTEORDER_LEN, 2),
            (sys::NFTNL_EXPR_BYTEORDER_SIZE, 2),
        ],
    );
    let mut store = numbers(
        c"exthdr",
        &[
            (sys::NFTNL_EXPR_EXTHDR_SREG, abi::REG_1),
            (sys::NFTNL_EXPR_EXTHDR_OP, abi::EXTHDR_TCPOPT),
            (sys::NFTNL_EXPR_EXTHDR_OFFSET, 2),
            (sys::NFTNL_EXPR_EXTHDR_LEN, 2),
        ],
    );
    store.attributes.push((sys::NFTNL_EXPR_EXTHDR_TYPE, Value::U8(abi::TCPOPT_MAXSEG)));
    [load, to_network_order, store]
}

/// Any of these bits of a fact about the connection.
pub(super) fn conntrack(key: u32, bits: u32) -> [Ex; 3] {
    let load = numbers(c"ct", &[(sys::NFTNL_EXPR_CT_KEY, key), (sys::NFTNL_EXPR_CT_DREG, abi::REG_1)]);
    [load, bitwise(&bits.to_ne_bytes(), &[0; 4]), cmp(abi::CMP_NEQ, &[0; 4])]
}

/// In or against the direction of the connection's first packet.
pub(super) fn direction(direction: u8) -> [Ex; 2] {
    let load = [(sys::NFTNL_EXPR_CT_KEY, abi::CT_DIRECTION), (sys::NFTNL_EXPR_CT_DREG, abi::REG_1)];
    [numbers(c"ct", &load), cmp(abi::CMP_EQ, &[direction])]
}

/// Destination is an address of this host, by the routing tables.
pub(super) fn local(is: Is) -> [Ex; 2] {
    let load = numbers(
        c"fib",
        &[
            (sys::NFTNL_EXPR_FIB_DREG, abi::REG_1),
            (sys::NFTNL_EXPR_FIB_RESULT, abi::FIB_ADDRESS_TYPE),
            (sys::NFTNL_EXPR_FIB_FLAGS, abi::FIB_DESTINATION),
        ],
    );
    [load, compare(is, &abi::ROUTE_LOCAL.to_ne_bytes())]
}

pub(super) fn counter() -> Ex {
    numbers(c"counter", &[])
}

pub(super) fn masquerade() -> Ex {
    numbers(c"masq", &[])
}

pub(super) fn limit(per_second: u64, burst: u32) -> Ex {
    rate(per_second, 1, burst, 0)
}

fn rate(packets: u64, seconds: u64, burst: u32, flags: u32) -> Ex {
    let mut ex = numbers(
        c"limit",
        &[
            (sys::NFTNL_EXPR_LIMIT_BURST, burst),
            (sys::NFTNL_EXPR_LIMIT_TYPE, abi::LIMIT_PACKETS),
            (sys::NFTNL_EXPR_LIMIT_FLAGS, flags),
        ],
    );
    ex.attributes.push((sys::NFTNL_EXPR_LIMIT_RATE, Value::U64(packets)));
    ex.attributes.push((sys::NFTNL_EXPR_LIMIT_UNIT, Value::U64(seconds)));
    ex
}

/// Over a limit of its own for what stands in register 1, kept in a set.
pub(super) fn over(set: CString, limit: Limit) -> Ex {
    let (count, seconds) = (u64::from(limit.count), u64::from(limit.per.seconds()));
    let rate = rate(count, seconds, limit.burst, abi::LIMIT_OVER);
    Ex {
        name: c"dynset",
        attributes: vec![
            (sys::NFTNL_EXPR_DYNSET_SREG_KEY, Value::U32(abi::REG_1)),
            (sys::NFTNL_EXPR_DYNSET_OP, Value::U32(abi::DYNSET_UPDATE)),
            (sys::NFTNL_EXPR_DYNSET_SET_NAME, Value::Text(set)),
            (sys::NFTNL_EXPR_DYNSET_EXPR, Value::Expression(Box::new(rate))),
        ],
    }
}

/// An element for what stands in register 1, unless there is one, and what the set's elements do.
pub(super) fn add(set: CString) -> Ex {
    Ex {
        name: c"dynset",
        attributes: vec![
            (sys::NFTNL_EXPR_DYNSET_SREG_KEY, Value::U32(abi::REG_1)),
            (sys::NFTNL_EXPR_DYNSET_OP, Value::U32(abi::DYNSET_ADD)),
            (sys::NFTNL_EXPR_DYNSET_SET_NAME, Value::Text(set)),
        ],
    }
}

/// The same, and its life begins anew.
pub(super) fn update(set: CString) -> Ex {
    Ex {
        name: c"dynset",
        attributes: vec![
            (sys::NFTNL_EXPR_DYNSET_SREG_KEY, Value::U32(abi::REG_1)),
            (sys::NFTNL_EXPR_DYNSET_OP, Value::U32(abi::DYNSET_UPDATE)),
            (sys::NFTNL_EXPR_DYNSET_SET_NAME, Value::Text(set)),
        ],
    }
}

pub(super) fn reset() -> Ex {
    numbers(c"reject", &[(sys::NFTNL_EXPR_REJECT_TYPE, abi::REJECT_TCP_RESET)])
}

pub(super) fn reject() -> Ex {
    let mut ex = numbers(c"reject", &[(sys::NFTNL_EXPR_REJECT_TYPE, abi::REJECT_ICMPX)]);
    ex.attributes.push((sys::NFTNL_EXPR_REJECT_CODE, Value::U8(abi::ICMPX_ADMIN_PROHIBITED)));
    ex
}
