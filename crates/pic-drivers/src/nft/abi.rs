//! Numbers of the kernel's nf_tables interface (`linux/netfilter/nf_tables.h`, `nfnetlink.h`, `netlink.h`) that this
//! module uses, each in the width it is used in.

pub(super) const NETLINK_NETFILTER: isize = 12;
pub(super) const FAMILY_INET: u8 = 1;
pub(super) const FAMILY_UNSPEC: u8 = 0;

// Netlink.
pub(super) const NLMSG_ERROR: u16 = 2;
pub(super) const NLMSG_DONE: u16 = 3;
pub(super) const NLM_F_REQUEST: u16 = 0x1;
pub(super) const NLM_F_ACK: u16 = 0x4;
pub(super) const NLM_F_DUMP_INTR: u16 = 0x10;
pub(super) const NLM_F_DUMP: u16 = 0x300;
pub(super) const NLM_F_EXCL: u16 = 0x200;
pub(super) const NLM_F_CREATE: u16 = 0x400;
pub(super) const NLM_F_ACK_TLVS: u16 = 0x200;
pub(super) const NLMSGERR_ATTR_MSG: u16 = 1;

// Messages, low byte; the high byte is the subsystem.
pub(super) const SUBSYSTEM: u16 = 10 << 8;
pub(super) const MSG_NEWTABLE: u16 = 0;
pub(super) const MSG_GETTABLE: u16 = 1;
pub(super) const MSG_GETCHAIN: u16 = 4;
pub(super) const MSG_GETRULE: u16 = 7;
pub(super) const MSG_NEWSET: u16 = 9;
pub(super) const MSG_GETSET: u16 = 10;
pub(super) const MSG_NEWSETELEM: u16 = 12;
pub(super) const MSG_GETSETELEM: u16 = 13;
pub(super) const MSG_DELSETELEM: u16 = 14;
pub(super) const MSG_GETGEN: u16 = 16;
pub(super) const MSG_TRACE: u16 = 17;
/// `NFNLGRP_NFTRACE`: who is told of traced packets.
pub(super) const GROUP_TRACE: u32 = 9;

// Attributes of messages.
pub(super) const GEN_ID: u16 = 1;
pub(super) const TABLE_NAME: u16 = 1;
pub(super) const TABLE_FLAGS: u16 = 2;
pub(super) const TABLE_HANDLE: u16 = 4;
pub(super) const CHAIN_TABLE: u16 = 1;
pub(super) const CHAIN_NAME: u16 = 3;
pub(super) const CHAIN_HOOK: u16 = 4;
pub(super) const CHAIN_POLICY: u16 = 5;
pub(super) const CHAIN_TYPE: u16 = 7;
pub(super) const HOOK_NUMBER: u16 = 1;
pub(super) const HOOK_PRIORITY: u16 = 2;
pub(super) const RULE_TABLE: u16 = 1;
pub(super) const RULE_CHAIN: u16 = 2;
pub(super) const RULE_HANDLE: u16 = 3;
pub(super) const RULE_EXPRESSIONS: u16 = 4;
pub(super) const RULE_USERDATA: u16 = 7;
pub(super) const USERDATA_COMMENT: u8 = 0;
pub(super) const SET_TABLE: u16 = 1;
pub(super) const SET_NAME: u16 = 2;
pub(super) const SET_FLAGS: u16 = 3;
pub(super) const SET_KEY_TYPE: u16 = 4;
pub(super) const SET_KEY_LEN: u16 = 5;
pub(super) const SET_DATA_TYPE: u16 = 6;
pub(super) const SET_DATA_LEN: u16 = 7;
pub(super) const SET_DESC: u16 = 9;
pub(super) const SET_TIME: u16 = 11;
pub(super) const SET_EXPRESSION: u16 = 17;
pub(super) const SET_DESC_SIZE: u16 = 1;
pub(super) const LIST_TABLE: u16 = 1;
pub(super) const LIST_SET: u16 = 2;
pub(super) const LIST_ELEMENTS: u16 = 3;
pub(super) const ELEM_KEY: u16 = 1;
pub(super) const ELEM_DATA: u16 = 2;
pub(super) const ELEM_FLAGS: u16 = 3;
/// Milliseconds that are left.
pub(super) const ELEM_EXPIRATION: u16 = 5;
pub(super) const ELEM_EXPRESSION: u16 = 7;
pub(super) const DATA_VALUE: u16 = 1;

pub(super) const LIST_ITEM: u16 = 1;
pub(super) const EXPR_NAME: u16 = 1;
pub(super) const EXPR_DATA: u16 = 2;
pub(super) const COUNTER_BYTES: u16 = 1;
pub(super) const COUNTER_PACKETS: u16 = 2;
pub(super) const VERDICT_CODE: u16 = 1;
pub(super) const TRACE_TABLE: u16 = 1;
pub(super) const TRACE_CHAIN: u16 = 2;
pub(super) const TRACE_RULE: u16 = 3;
pub(super) const TRACE_VERDICT: u16 = 5;
pub(super) const TRACE_ID: u16 = 6;
pub(super) const TRACE_IIF: u16 = 10;
pub(super) const TRACE_OIF: u16 = 12;
pub(super) const TRACE_MARK: u16 = 14;
pub(super) const TRACE_POLICY: u16 = 16;

/// A table that only the socket which made it may change, and that goes with it.
pub(super) const TABLE_OWNER: u32 = 2;
/// A table that takes part in nothing.
pub(super) const TABLE_DORMANT: u32 = 1;
pub(super) const SET_INTERVAL: u32 = 4;
pub(super) const SET_MAP: u32 = 8;
pub(super) const SET_TIMEOUT: u32 = 0x10;
/// Rules add elements.
pub(super) const SET_EVAL: u32 = 0x20;
pub(super) const ELEM_INTERVAL_END: u32 = 1;

// Types of keys, as the `nft` tool names them.
pub(super) const TYPE_IPV4: u32 = 7;
pub(super) const TYPE_IPV6: u32 = 8;
pub(super) const TYPE_TRANSPORT: u32 = 12;
pub(super) const TYPE_PORT: u32 = 13;
pub(super) const TYPE_INTERFACE: u32 = 41;
/// A type of several fields is their numbers in a row, six bits each.
pub(super) const TYPE_BITS: u32 = 6;

// Registers: one of 16 bytes does for every rule but those that look up several fields at once. These use the space of
// the same registers in words of four bytes.
pub(super) const REG_VERDICT: u32 = 0;
pub(super) const REG_1: u32 = 1;
/// `NFT_REG32_00`, the first word of register 1.
pub(super) const REG_WORD_0: u32 = 8;

// Expressions.
pub(super) const META_PRIORITY: u32 = 2;
pub(super) const META_MARK: u32 = 3;
pub(super) const META_IIFNAME: u32 = 6;
pub(super) const META_OIFNAME: u32 = 7;
pub(super) const META_NFTRACE: u32 = 12;
pub(super) const META_NFPROTO: u32 = 15;
pub(super) const META_L4PROTO: u32 = 16;
pub(super) const PAYLOAD_NETWORK: u32 = 1;
pub(super) const PAYLOAD_TRANSPORT: u32 = 2;
pub(super) const CMP_EQ: u32 = 0;
pub(super) const CMP_NEQ: u32 = 1;
pub(super) const LOOKUP_INVERT: u32 = 1;
pub(super) const CT_STATE: u32 = 0;
pub(super) const CT_DIRECTION: u32 = 1;
pub(super) const DIRECTION_ORIGINAL: u8 = 0;
pub(super) const DIRECTION_REPLY: u8 = 1;
pub(super) const CT_STATUS: u32 = 2;
/// `IPS_DST_NAT`.
pub(super) const STATUS_DNAT: u32 = 0x20;
pub(super) const FIB_ADDRESS_TYPE: u32 = 3;
pub(super) const FIB_DESTINATION: u32 = 2;
/// `RTN_LOCAL`.
pub(super) const ROUTE_LOCAL: u32 = 2;
pub(super) const LIMIT_PACKETS: u32 = 0;
pub(super) const LIMIT_BYTES: u32 = 1;
pub(super) const LIMIT_RATE: u16 = 1;
pub(super) const LIMIT_OVER: u32 = 1;
pub(super) const DYNSET_ADD: u32 = 0;
pub(super) const DYNSET_UPDATE: u32 = 1;
pub(super) const ROUTE_TCPMSS: u32 = 3;
pub(super) const BYTEORDER_HTON: u32 = 1;
pub(super) const EXTHDR_TCPOPT: u32 = 1;
pub(super) const TCPOPT_MAXSEG: u8 = 2;
pub(super) const TCP_SYN: u8 = 2;
pub(super) const NAT_DESTINATION: u32 = 1;
pub(super) const REJECT_TCP_RESET: u32 = 1;
pub(super) const REJECT_ICMPX: u32 = 2;
pub(super) const ICMPX_ADMIN_PROHIBITED: u8 = 3;
/// What of a verdict is the verdict (`NF_VERDICT_MASK`).
pub(super) const VERDICT_MASK: u32 = 0xff;
pub(super) const VERDICT_DROP: u32 = 0;
pub(super) const VERDICT_ACCEPT: u32 = 1;
/// -3, -4 and -5 in the kernel's signed view.
pub(super) const VERDICT_JUMP: u32 = 3_u32.wrapping_neg();
pub(super) const VERDICT_GOTO: u32 = 4_u32.wrapping_neg();
pub(super) const VERDICT_RETURN: u32 = 5_u32.wrapping_neg();
pub(super) const NFPROTO_IPV4: u8 = 2;
pub(super) const NFPROTO_IPV6: u8 = 10;
