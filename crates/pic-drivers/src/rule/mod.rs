//! Policy rules in our preference range or with our protocol number, and the kernel's own two defaults.
//!
//! Never touches a rule with conditions that [`Rule`] cannot say: such a rule is not ours, whatever its preference.
//! Tested in network namespaces against `ip -j rule` (`tests/rule.rs`).
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use pic_plan::marks::{ROUTE_PROTOCOL, RULE_FIRST, RULE_LAST};
use pic_plan::plan::Action;
use pic_plan::target::rule::{Family, Owner, Rule};

use crate::netlink::{self, NLM_F_CREATE, NLM_F_EXCL, already, route_change, route_dump};

/// The kernel's own rules (preference, table) that lead anywhere: `main`, and for IPv4 also `default`.
const KERNEL_RULES: [(u32, u32); 2] = [(32766, 254), (32767, 253)];
/// Mark the kernel's rules carry.
const KERNEL_PROTOCOL: u8 = 2;

/// Why rules could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading.
    #[error("cannot list the policy rules")]
    List(#[source] netlink::Error),
    /// A change failed.
    #[error("cannot {verb} policy rule {preference} for table {table}")]
    Change {
        /// What was tried.
        verb: &'static str,
        /// Preference.
        preference: u32,
        /// Table.
        table: u32,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
    /// The action belongs to another module.
    #[error("not a policy rule action")]
    Misrouted,
}

/// Our rules and the kernel's defaults, both families.
pub fn observe() -> Result<BTreeSet<Rule>, Error> {
    let mut rules = BTreeSet::new();
    for family in [Family::V4, Family::V6] {
        let mut ask = RuleMessage::default();
        ask.header.family = address_family(family);
        let answers = route_dump(RouteNetlinkMessage::GetRule(ask)).map_err(Error::List)?;
        rules.extend(answers.iter().filter_map(|answer| known(answer, family)));
    }
    Ok(rules)
}

/// Known rules in one datagram of a dump with the number 0. Apart from the socket, so that fuzzing can reach it.
pub fn read_datagram(datagram: &[u8], family: Family) -> Result<BTreeSet<Rule>, Error> {
    let mut answers = Vec::new();
    netlink::take(datagram, 0, &mut answers, &mut false).map_err(Error::List)?;
    Ok(answers.iter().filter_map(|answer| known(answer, family)).collect())
}

/// Does one action on a rule.
pub fn apply(action: &Action) -> Result<(), Error> {
    match action {
        Action::RuleAdd(rule) => {
            let mut message = message(rule);
            let protocol = match rule.owner {
                Owner::Cell => ROUTE_PROTOCOL,
                Owner::Kernel => KERNEL_PROTOCOL,
            };
            message.attributes.push(RuleAttribute::Protocol(RouteProtocol::from(protocol)));
            let change = route_change(RouteNetlinkMessage::NewRule(message), NLM_F_CREATE | NLM_F_EXCL);
            already(change, &[libc::EEXIST]).map_err(|source| failed("add", rule, source))
        }
        Action::RuleRemove(rule) => {
            let change = route_change(RouteNetlinkMessage::DelRule(message(rule)), 0);
            already(change, &[libc::ENOENT]).map_err(|source| failed("remove", rule, source))
        }
        _ => Err(Error::Misrouted),
    }
}

fn failed(verb: &'static str, rule: &Rule, source: netlink::Error) -> Error {
    Error::Change { verb, preference: rule.preference, table: rule.table, source }
}

fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
}

fn message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(rule.family);
    // Without an action the kernel takes the rule and then does nothing with it.
    message.header.action = RuleAction::ToTable;
    message.attributes.push(RuleAttribute::Priority(rule.preference));
    message.attributes.push(RuleAttribute::Table(rule.table));
    if let Some(interface) = &rule.iif {
        message.attributes.push(RuleAttribute::Iifname(interface.clone()));
    }
    if rule.no_default {
        message.attributes.push(RuleAttribute::SuppressPrefixLen(0));
    }
    if let Some(address) = rule.from {
        message.header.src_len = if address.is_ipv4() { 32 } else { 128 };
        message.attributes.push(RuleAttribute::Source(address));
    }
    if let Some(interface) = &rule.oif {
        message.attributes.push(RuleAttribute::Oifname(interface.clone()));
    }
    if let Some((value, mask)) = rule.fwmark {
        message.attributes.push(RuleAttribute::FwMark(value));
        message.attributes.push(RuleAttribute::FwMask(mask));
    }
    message
}

/// The rule, if it is ours or one of the kernel's and has only conditions that [`Rule`] can say.
fn known(answer: &RouteNetlinkMessage, family: Family) -> Option<Rule> {
    let RouteNetlinkMessage::NewRule(message) = answer else { return None };
    let mut rule = Rule {
        family,
        preference: 0,
        iif: None,
        from: None,
        oif: None,
        fwmark: None,
        table: u32::from(message.header.table),
        no_default: false,
        owner: Owner::Cell,
    };
    let header = &message.header;
    let mut plain = header.action == RuleAction::ToTable
        && (header.dst_len, header.tos) == (0, 0)
        && !header.flags.contains(RuleFlags::Invert);
    let (mut protocol, mut mark, mut mask) = (0, None, None);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(number) => rule.preference = *number,
            RuleAttribute::Table(number) => rule.table = *number,
            RuleAttribute::Iifname(name) => rule.iif = Some(name.clone()),
            RuleAttribute::Source(address) => rule.from = Some(*address),
            RuleAttribute::Oifname(name) => rule.oif = Some(name.clone()),
            RuleAttribute::FwMark(value) => mark = Some(*value),
            RuleAttribute::FwMask(value) => mask = Some(*value),
            RuleAttribute::Protocol(value) => protocol = u8::from(*value),
            RuleAttribute::SuppressPrefixLen(0) => rule.no_default = true,
            // The kernel always tells these two; all ones means they are off.
            RuleAttribute::SuppressPrefixLen(u32::MAX) | RuleAttribute::SuppressIfGroup(u32::MAX) => {}
            RuleAttribute::Other(_) => {}
            _ => plain = false,
        }
    }
    // A single address, or none at all.
    let whole = rule.from.map_or(0, |address| if address.is_ipv4() { 32 } else { 128 });
    plain &= header.src_len == whole;
    // The kernel leaves out a value of 0, which is one with a mask.
    if mark.is_some() || mask.is_some() {
        rule.fwmark = Some((mark.unwrap_or(0), mask.unwrap_or(u32::MAX)));
    }
    rule.owner = owner(&rule, protocol)?;
    plain.then_some(rule)
}

fn owner(rule: &Rule, protocol: u8) -> Option<Owner> {
    if protocol == ROUTE_PROTOCOL || (RULE_FIRST..=RULE_LAST).contains(&rule.preference) {
        Some(Owner::Cell)
    } else if KERNEL_RULES.contains(&(rule.preference, rule.table))
        && rule.iif.is_none()
        && rule.from.is_none()
        && rule.oif.is_none()
        && rule.fwmark.is_none()
        && !rule.no_default
    {
        Some(Owner::Kernel)
    } else {
        None
    }
}
