//! Everything that calls libnftnl directly: expressions and sets of any kind, for which the safe wrapper has no types.
//!
//! Owns the C objects and frees them. Knows no meaning; that is in `encode` and `build`.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;

use nftnl::nftnl_sys as sys;
use nftnl::{MsgType, NlMsg};

use super::abi;
use super::elements::{Effect, Key, SetType};
use super::error::Error;

/// Any expression: the kernel's name for it and libnftnl's attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ex {
    pub(super) name: &'static CStr,
    pub(super) attributes: Vec<(u32, Value)>,
}

/// Value of an attribute. Its width must be the one libnftnl keeps; newer versions refuse others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    U8(u8),
    U32(u32),
    U64(u64),
    Bytes(Vec<u8>),
    Text(CString),
    /// Another expression, which then belongs to this one.
    Expression(Box<Ex>),
}

/// libnftnl counts its attributes in an enum from zero, and takes them as 16 bits.
fn attribute(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// Appends an expression to a rule.
pub(super) fn add_expression(rule: &mut nftnl::Rule<'_>, ex: &Ex) -> Result<(), Error> {
    let made = ex.make().ok_or_else(|| Error::Library { what: ex.name.to_string_lossy().into_owned() })?;
    rule.add_expr(&Made(made));
    Ok(())
}

impl Ex {
    /// The object, owned by the caller.
    fn make(&self) -> Option<NonNull<sys::nftnl_expr>> {
        // SAFETY: the name is a C string that outlives the call.
        let ex = NonNull::new(unsafe { sys::nftnl_expr_alloc(self.name.as_ptr()) })?;
        if self.attributes.iter().all(|(number, value)| set_value(ex, attribute(*number), value)) {
            return Some(ex);
        }
        // SAFETY: allocated above, and nobody else has it.
        unsafe { sys::nftnl_expr_free(ex.as_ptr()) };
        None
    }
}

/// Whether it could be set.
fn set_value(ex: NonNull<sys::nftnl_expr>, number: u16, value: &Value) -> bool {
    let ex = ex.as_ptr();
    let set_bytes = |data: *const c_void, length: usize| {
        let Ok(length) = u32::try_from(length) else { return false };
        // SAFETY: `ex` is a live object of this module's making, and `data` has `length` readable bytes, which
        // libnftnl copies.
        unsafe { sys::nftnl_expr_set(ex, number, data, length) >= 0 }
    };
    match value {
        Value::U8(number) => set_bytes((&raw const *number).cast(), size_of::<u8>()),
        Value::U32(number) => set_bytes((&raw const *number).cast(), size_of::<u32>()),
        Value::U64(number) => set_bytes((&raw const *number).cast(), size_of::<u64>()),
        Value::Bytes(bytes) => set_bytes(bytes.as_ptr().cast(), bytes.len()),
        Value::Expression(inner) => {
            let Some(made) = inner.make() else { return false };
            // SAFETY: both are live objects of this module's making. libnftnl keeps `made` as a part of `ex` and frees it
            // with that; only where it refuses is it still ours.
            unsafe {
                let is_set = sys::nftnl_expr_set(ex, number, made.as_ptr().cast(), 0) >= 0;
                if !is_set {
                    sys::nftnl_expr_free(made.as_ptr());
                }
                is_set
            }
        }
        // SAFETY: `ex` is live and the text is a C string, which libnftnl copies.
        Value::Text(text) => unsafe { sys::nftnl_expr_set_str(ex, number, text.as_ptr()) >= 0 },
    }
}

/// An expression on its way into a rule, which then owns it. Not `Clone`, and given away exactly once.
struct Made(NonNull<sys::nftnl_expr>);

impl nftnl::expr::Expression for Made {
    fn to_expr(&self, _rule: &nftnl::Rule<'_>) -> NonNull<sys::nftnl_expr> {
        self.0
    }
}

/// A table that goes with the socket which makes it.
pub(super) struct OwnedTable(NonNull<sys::nftnl_table>);

impl OwnedTable {
    pub(super) fn new(name: &CStr) -> Result<Self, Error> {
        let no_memory = || Error::Library { what: "table".to_owned() };
        // SAFETY: takes nothing.
        let table = Self(NonNull::new(unsafe { sys::nftnl_table_alloc() }).ok_or_else(no_memory)?);
        let (name_at, flags_at) = (attribute(sys::NFTNL_TABLE_NAME), attribute(sys::NFTNL_TABLE_FLAGS));
        // SAFETY: the table is live and the name is a C string, which libnftnl copies.
        if unsafe { sys::nftnl_table_set_str(table.0.as_ptr(), name_at, name.as_ptr()) } < 0 {
            return Err(no_memory());
        }
        // SAFETY: the table is live; numbers are copied.
        unsafe { sys::nftnl_table_set_u32(table.0.as_ptr(), flags_at, abi::TABLE_OWNER) };
        Ok(table)
    }
}

impl Drop for OwnedTable {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` and never given away.
        unsafe { sys::nftnl_table_free(self.0.as_ptr()) };
    }
}

// SAFETY: a name of at most 256 bytes (longer ones are refused by `build`) and a number, far below the largest message.
unsafe impl NlMsg for OwnedTable {
    unsafe fn write(&self, buffer: *mut c_void, sequence: u32, _kind: MsgType) {
        let flags = abi::NLM_F_CREATE | abi::NLM_F_EXCL | abi::NLM_F_ACK;
        // SAFETY: the caller gives room; the table is live while borrowed.
        unsafe {
            let message = header(buffer, abi::MSG_NEWTABLE, flags, sequence);
            sys::nftnl_table_nlmsg_build_payload(message, self.0.as_ptr());
        }
    }
}

/// Any rate that the kernel takes.
const LIKE: u64 = 1_000_000;
/// Bytes that pass at once on top of a second's worth. The largest packet that the kernel puts together has 64 KiB, and one that
/// is larger than all that there can be would never pass.
const BURST: u32 = 2 << 16;

/// Matches what comes faster than so many bytes in a second.
fn up_to(rate: u64) -> Ex {
    Ex {
        name: c"limit",
        attributes: vec![
            (sys::NFTNL_EXPR_LIMIT_RATE, Value::U64(rate)),
            // Of seconds.
            (sys::NFTNL_EXPR_LIMIT_UNIT, Value::U64(1)),
            (sys::NFTNL_EXPR_LIMIT_BURST, Value::U32(BURST)),
            (sys::NFTNL_EXPR_LIMIT_TYPE, Value::U32(abi::LIMIT_BYTES)),
            (sys::NFTNL_EXPR_LIMIT_FLAGS, Value::U32(abi::LIMIT_OVER)),
        ],
    }
}

/// A set with some elements.
pub(super) struct Set(NonNull<sys::nftnl_set>);

impl Set {
    /// A set without elements. The number is needed to create it and must differ within the transaction.
    pub(super) fn new(table: &CStr, name: &CStr, kind: SetType, number: Option<u32>) -> Result<Self, Error> {
        let no_memory = || Error::Library { what: "set".to_owned() };
        // SAFETY: takes nothing.
        let set = Self(NonNull::new(unsafe { sys::nftnl_set_alloc() }).ok_or_else(no_memory)?);
        for (number, text) in [(sys::NFTNL_SET_TABLE, table), (sys::NFTNL_SET_NAME, name)] {
            // SAFETY: the set is live and the text is a C string, which libnftnl copies.
            if unsafe { sys::nftnl_set_set_str(set.0.as_ptr(), attribute(number), text.as_ptr()) } < 0 {
                return Err(no_memory());
            }
        }
        set.number(sys::NFTNL_SET_FAMILY, u32::from(abi::FAMILY_INET));
        set.number(sys::NFTNL_SET_KEY_TYPE, kind.key_type);
        set.number(sys::NFTNL_SET_KEY_LEN, kind.key_length);
        set.number(sys::NFTNL_SET_FLAGS, kind.flags);
        if kind.flags & abi::SET_MAP != 0 {
            set.number(sys::NFTNL_SET_DATA_TYPE, kind.data_type);
            set.number(sys::NFTNL_SET_DATA_LEN, kind.data_length);
        }
        if kind.timeout > 0 {
            let timeout = attribute(sys::NFTNL_SET_TIMEOUT);
            // SAFETY: the set is live; numbers are copied.
            unsafe { sys::nftnl_set_set_u64(set.0.as_ptr(), timeout, kind.timeout) };
        }
        if kind.effect == Effect::Count {
            let counter = Ex { name: c"counter", attributes: Vec::new() };
            let counter = counter.make().ok_or_else(no_memory)?;
            // SAFETY: both are live; the set keeps the expression and frees it with itself.
            unsafe { sys::nftnl_set_add_expr(set.0.as_ptr(), counter.as_ptr()) };
        }
        if kind.effect == Effect::Limit {
            // Each element brings its own; this one says of which kind they are.
            let limit = up_to(LIKE).make().ok_or_else(no_memory)?;
            // SAFETY: both are live; the set keeps the expression and frees it with itself.
            unsafe { sys::nftnl_set_add_expr(set.0.as_ptr(), limit.as_ptr()) };
        }
        if let Some(id) = number {
            set.number(sys::NFTNL_SET_ID, id);
        }
        Ok(set)
    }

    /// Limits how many elements it can hold; the kernel then makes its table in that size at once.
    pub(super) fn limit(&mut self, room: u32) {
        self.number(sys::NFTNL_SET_DESC_SIZE, room);
    }

    fn number(&self, number: u32, value: u32) {
        // SAFETY: the set is live; numbers are copied.
        unsafe { sys::nftnl_set_set_u32(self.0.as_ptr(), attribute(number), value) };
    }

    /// Adds elements of this type.
    pub(super) fn push(&mut self, keys: &[Key], kind: SetType) -> Result<(), Error> {
        for key in keys {
            self.push_one(key, kind).ok_or_else(|| Error::Library { what: "set element".to_owned() })?;
        }
        Ok(())
    }

    fn push_one(&mut self, key: &Key, kind: SetType) -> Option<()> {
        let bytes = key.bytes.get(..usize::try_from(kind.key_length).ok()?)?;
        let data = key.data.get(..usize::try_from(kind.data_length).ok()?)?;
        let limit = match kind.effect {
            Effect::Limit => Some(up_to(key.rate()).make()?),
            Effect::None | Effect::Count | Effect::Foreign => None,
        };
        // SAFETY: takes nothing.
        let element = NonNull::new(unsafe { sys::nftnl_set_elem_alloc() })?.as_ptr();
        let key_attribute = attribute(sys::NFTNL_SET_ELEM_KEY);
        let data_attribute = attribute(sys::NFTNL_SET_ELEM_DATA);
        let (key_at, data_at) = (bytes.as_ptr().cast(), data.as_ptr().cast());
        // SAFETY: the element is live, `bytes` and `data` have those lengths, and libnftnl copies them. With an error
        // the element is freed before anyone else has it; else the set owns it.
        unsafe {
            let is_set = sys::nftnl_set_elem_set(element, key_attribute, key_at, kind.key_length) >= 0
                && (data.is_empty()
                    || sys::nftnl_set_elem_set(element, data_attribute, data_at, kind.data_length) >= 0);
            if !is_set {
                sys::nftnl_set_elem_free(element);
                return None;
            }
            if !key.is_start {
                let flags = attribute(sys::NFTNL_SET_ELEM_FLAGS);
                sys::nftnl_set_elem_set_u32(element, flags, abi::ELEM_INTERVAL_END);
            }
            // The element keeps it and frees it with itself.
            if let Some(limit) = limit {
                sys::nftnl_set_elem_add_expr(element, limit.as_ptr());
            }
            sys::nftnl_set_elem_add(self.0.as_ptr(), element);
        }
        Some(())
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` and never given away; frees the elements too.
        unsafe { sys::nftnl_set_free(self.0.as_ptr()) };
    }
}

/// Starts a message.
///
/// # Safety
/// `buffer` must have room for the largest message, as [`NlMsg::write`] promises.
unsafe fn header(buffer: *mut c_void, kind: u16, flags: u16, sequence: u32) -> *mut sys::libc::nlmsghdr {
    let family = u16::from(abi::FAMILY_INET);
    // SAFETY: as above; a header has 20 bytes.
    unsafe { sys::nftnl_nlmsg_build_hdr(buffer.cast::<c_char>(), kind, family, flags, sequence) }
}

/// The message that creates a set.
pub(super) struct NewSet<'a>(pub(super) &'a Set);

// SAFETY: a set without its elements is a few numbers and two names of at most 256 bytes (longer ones are refused
// by `build`), far below the largest message.
unsafe impl NlMsg for NewSet<'_> {
    unsafe fn write(&self, buffer: *mut c_void, sequence: u32, _kind: MsgType) {
        // SAFETY: the caller gives room; the set is live while borrowed.
        unsafe {
            let message = header(buffer, abi::MSG_NEWSET, abi::NLM_F_CREATE | abi::NLM_F_ACK, sequence);
            sys::nftnl_set_nlmsg_build_payload(message, self.0.0.as_ptr());
        }
    }
}

/// Most elements in one message: with 60 bytes each at most, and 140 with a rate, they stay below the 64 KiB that one attribute can
/// hold.
pub(super) fn elements_per_message(kind: SetType) -> usize {
    if kind.effect == Effect::Limit { 400 } else { 1000 }
}

/// The message that adds or removes the elements that the set object holds.
pub(super) struct SetElements<'a>(pub(super) &'a Set);

// SAFETY: `build` puts at most `elements_per_message` elements into a set object.
unsafe impl NlMsg for SetElements<'_> {
    unsafe fn write(&self, buffer: *mut c_void, sequence: u32, kind: MsgType) {
        let (kind, flags) = match kind {
            MsgType::Add => (abi::MSG_NEWSETELEM, abi::NLM_F_CREATE),
            MsgType::Del => (abi::MSG_DELSETELEM, 0),
        };
        // SAFETY: the caller gives room; the set is live while borrowed.
        unsafe {
            let message = header(buffer, kind, flags | abi::NLM_F_ACK, sequence);
            sys::nftnl_set_elems_nlmsg_build_payload(message, self.0.0.as_ptr());
        }
    }
}
