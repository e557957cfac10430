//! Types of sets and maps in the kernel's numbers.

use pic_model::egress::LIFE;
use pic_plan::target::nft::{Elements, Meter};

use super::super::abi;

/// What the kernel does by itself when it finds an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nft) enum Effect {
    /// Nothing.
    None,
    /// Counts.
    Count,
    /// Is not found up to a rate of its own.
    Limit,
    /// Something that none of ours does.
    Foreign,
}

/// Type of a set or map in the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nft) struct SetType {
    pub(in crate::nft) key_type: u32,
    pub(in crate::nft) key_length: u32,
    pub(in crate::nft) flags: u32,
    /// Of a map; zero for a set.
    pub(in crate::nft) data_type: u32,
    pub(in crate::nft) data_length: u32,
    /// Milliseconds after which the kernel forgets an element; zero is never.
    pub(in crate::nft) timeout: u64,
    pub(in crate::nft) effect: Effect,
}

/// Of a second.
pub(super) const MILLISECONDS: u64 = 1000;

/// A type of several fields.
const fn fields(types: &[u32]) -> u32 {
    let (mut whole, mut at) = (0, 0);
    while at < types.len() {
        whole = whole << abi::TYPE_BITS | types[at];
        at += 1;
    }
    whole
}

impl SetType {
    pub(super) const V4: Self = Self {
        key_type: abi::TYPE_IPV4,
        key_length: 4,
        flags: 0,
        data_type: 0,
        data_length: 0,
        timeout: 0,
        effect: Effect::None,
    };
    pub(super) const V6: Self = Self { key_type: abi::TYPE_IPV6, key_length: 16, ..Self::V4 };
    pub(super) const TALLY4: Self = Self { flags: abi::SET_EVAL, effect: Effect::Count, ..Self::V4 };
    pub(super) const TALLY6: Self = Self { flags: abi::SET_EVAL, effect: Effect::Count, ..Self::V6 };
    pub(super) const TALLY_LINKS: Self =
        Self { key_type: abi::TYPE_INTERFACE, key_length: 16, effect: Effect::Count, ..Self::V4 };
    pub(super) const RATES4: Self = Self { effect: Effect::Limit, ..Self::V4 };
    pub(super) const TWINS6: Self =
        Self { flags: abi::SET_MAP, data_type: abi::TYPE_IPV4, data_length: 4, ..Self::V6 };
    pub(super) const NET4: Self = Self { flags: abi::SET_INTERVAL, ..Self::V4 };
    pub(super) const NET6: Self = Self { flags: abi::SET_INTERVAL, ..Self::V6 };
    pub(super) const PORTS: Self = Self { key_type: abi::TYPE_PORT, key_length: 2, ..Self::V4 };
    pub(super) const PAIRS4: Self =
        Self { key_type: fields(&[abi::TYPE_IPV4, abi::TYPE_IPV4]), key_length: 8, ..Self::V4 };
    pub(super) const PAIRS6: Self =
        Self { key_type: fields(&[abi::TYPE_IPV6, abi::TYPE_IPV6]), key_length: 32, ..Self::V4 };
    pub(super) const FLOWS4: Self = Self {
        key_type: fields(&[abi::TYPE_IPV4, abi::TYPE_IPV4, abi::TYPE_TRANSPORT, abi::TYPE_PORT]),
        key_length: 16,
        ..Self::V4
    };
    pub(super) const FLOWS6: Self = Self {
        key_type: fields(&[abi::TYPE_IPV6, abi::TYPE_IPV6, abi::TYPE_TRANSPORT, abi::TYPE_PORT]),
        key_length: 40,
        ..Self::V4
    };
    pub(super) const FORWARDS4: Self = Self {
        key_type: fields(&[abi::TYPE_TRANSPORT, abi::TYPE_PORT]),
        key_length: 8,
        flags: abi::SET_MAP,
        data_type: fields(&[abi::TYPE_IPV4, abi::TYPE_PORT]),
        data_length: 8,
        timeout: 0,
        effect: Effect::None,
    };
    pub(super) const FORWARDS6: Self =
        Self { data_type: fields(&[abi::TYPE_IPV6, abi::TYPE_PORT]), data_length: 20, ..Self::FORWARDS4 };

    /// Without the mark of those that rules fill: the elements are ours.
    pub(in crate::nft) const LEARNED4: Self =
        Self { flags: abi::SET_TIMEOUT, timeout: LIFE as u64 * MILLISECONDS, ..Self::V4 };
    pub(in crate::nft) const LEARNED6: Self =
        Self { flags: abi::SET_TIMEOUT, timeout: LIFE as u64 * MILLISECONDS, ..Self::V6 };

    fn meter(self, meter: &Meter) -> Self {
        Self {
            flags: abi::SET_EVAL | abi::SET_TIMEOUT,
            timeout: u64::from(meter.remembered) * MILLISECONDS,
            ..self
        }
    }

    /// Whether its elements are the kernel's own.
    pub(in crate::nft) fn is_filled_by_kernel(self) -> bool {
        self.flags & abi::SET_EVAL != 0
    }

    pub(in crate::nft) fn of(elements: &Elements) -> Self {
        match elements {
            Elements::V4(_) => Self::V4,
            Elements::V6(_) => Self::V6,
            Elements::Net4(_) => Self::NET4,
            Elements::Net6(_) => Self::NET6,
            Elements::Ports(_) => Self::PORTS,
            Elements::Pairs4(_) => Self::PAIRS4,
            Elements::Pairs6(_) => Self::PAIRS6,
            Elements::Flows4(_) => Self::FLOWS4,
            Elements::Flows6(_) => Self::FLOWS6,
            Elements::Forwards4(_) => Self::FORWARDS4,
            Elements::Forwards6(_) => Self::FORWARDS6,
            Elements::Rates4(_) => Self::RATES4,
            Elements::Twins6(_) => Self::TWINS6,
            Elements::Tally4 => Self::TALLY4,
            Elements::Tally6 => Self::TALLY6,
            Elements::TallyLinks(_) => Self::TALLY_LINKS,
            Elements::Learned4(_) => Self::LEARNED4,
            Elements::Learned6(_) => Self::LEARNED6,
            Elements::Meter4(meter) => Self::V4.meter(meter),
            Elements::Meter6(meter) => Self::V6.meter(meter),
        }
    }
}
