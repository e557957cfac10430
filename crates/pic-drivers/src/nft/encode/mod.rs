//! Rules in the kernel's words: each [`Expr`] as the expressions that the `nft` tool would make of it, so that it
//! lists our rules as an admin would write them. Pure; tested here and in `tests/nft.rs`.
//!
//! A match on addresses is always behind a match on their family, and one on a transport's header behind one on the
//! transport: where a rule does not say these itself they are put in, since the kernel would otherwise read the
//! bytes of some other header.

mod parts;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::net::{IpAddr, SocketAddr};

use pic_model::limit::Limit;
use pic_plan::marks::MARK_MASK;
use pic_plan::target::nft::{Elements, Expr, Is, L4, Shape};
use pic_plan::target::rule::Family;

use super::abi;
use super::error::RuleProblem;
use super::raw::Ex;
use parts::{Side, bitwise, cmp, compare, meta, payload};

/// The part of a v6 address that one customer of a provider has at least.
const SOURCE6: u8 = 64;

/// Expressions of one rule of a table with these sets.
pub(super) fn rule(sets: &BTreeMap<String, Elements>, exprs: &[Expr]) -> Result<Vec<Ex>, RuleProblem> {
    let mut encoder = Encoder { sets, family: None, l4: None, out: Vec::new() };
    for expr in exprs {
        encoder.expr(expr)?;
    }
    Ok(encoder.out)
}

/// `meta nftrace set 1`
pub(super) fn trace() -> [Ex; 2] {
    [parts::load(&[1]), parts::meta_set(abi::META_NFTRACE)]
}

struct Encoder<'a> {
    sets: &'a BTreeMap<String, Elements>,
    /// Family that a packet has which got this far.
    family: Option<Family>,
    /// Transport that it has.
    l4: Option<L4>,
    out: Vec<Ex>,
}

impl Encoder<'_> {
    fn expr(&mut self, expr: &Expr) -> Result<(), RuleProblem> {
        match expr {
            Expr::Iif(is, name) => self.interface(abi::META_IIFNAME, *is, name)?,
            Expr::Oif(is, name) => self.interface(abi::META_OIFNAME, *is, name)?,
            Expr::IifIn(set) => self.link_in(abi::META_IIFNAME, set)?,
            Expr::OifIn(set) => self.link_in(abi::META_OIFNAME, set)?,
            Expr::Family(family) => self.need_family(*family),
            Expr::L4(l4) => self.need_l4(*l4),
            Expr::SourceIn(is, set) => self.address_in(Side::Source, *is, set)?,
            Expr::DestinationIn(is, set) => self.address_in(Side::Destination, *is, set)?,
            Expr::SourceTwinIn(map, set) => self.twin_in(Side::Source, map, set)?,
            Expr::DestinationTwinIn(map, set) => self.twin_in(Side::Destination, map, set)?,
            Expr::FlowIn(shape, set) => self.flow_in(*shape, set)?,
            Expr::Over(limit, set) => self.over(*limit, set)?,
            Expr::CountSource(set) => self.count(Side::Source, set)?,
            Expr::CountDestination(set) => self.count(Side::Destination, set)?,
            Expr::ForwardBy(map) => self.forward_by(map)?,
            Expr::Onto(to) => self.onto(*to),
            Expr::Source4(is, net) => self.net4(Side::Source, *is, *net),
            Expr::Destination4(is, net) => self.net4(Side::Destination, *is, *net),
            Expr::Source6(is, net) => self.net6(Side::Source, *is, *net),
            Expr::Destination6(is, net) => self.net6(Side::Destination, *is, *net),
            Expr::SourcePort(port) => self.port(Side::Source, *port)?,
            Expr::DestinationPort(port) => self.port(Side::Destination, *port)?,
            Expr::DestinationPortIn(set) => self.port_in(set)?,
            Expr::TcpRunning => self.tcp_syn(abi::CMP_EQ),
            Expr::TcpBegins => self.tcp_syn(abi::CMP_NEQ),
            Expr::IcmpType(kind) => self.icmp_type(*kind)?,
            Expr::HopLimit6(limit) => self.hop_limit(*limit),
            Expr::ClampMss => self.clamp_mss(),
            Expr::Mark(is, value) => self.mark(*is, *value),
            Expr::SetMark(value) => self.set_mark(*value),
            Expr::ShareOfSource(family) => self.share(Side::Source, *family),
            Expr::ShareOfDestination(family) => self.share(Side::Destination, *family),
            Expr::Jump(chain) => self.go(abi::VERDICT_JUMP, chain)?,
            Expr::Goto(chain) => self.go(abi::VERDICT_GOTO, chain)?,
            Expr::CtState(states) => self.out.extend(parts::conntrack(abi::CT_STATE, *states)),
            Expr::CtReply => self.out.extend(parts::direction(abi::DIRECTION_REPLY)),
            Expr::CtOriginal => self.out.extend(parts::direction(abi::DIRECTION_ORIGINAL)),
            Expr::CtDnat => self.out.extend(parts::conntrack(abi::CT_STATUS, abi::STATUS_DNAT)),
            Expr::DestinationLocal(is) => self.out.extend(parts::local(*is)),
            Expr::Limit(per_second, burst) => self.out.push(parts::limit(*per_second, *burst)),
            Expr::Refresh(set) => self.refresh(set)?,
            Expr::Counter => self.out.push(parts::counter()),
            Expr::Masquerade => self.out.push(parts::masquerade()),
            Expr::Accept => self.out.push(parts::verdict(abi::VERDICT_ACCEPT, None)),
            Expr::Drop => self.out.push(parts::verdict(abi::VERDICT_DROP, None)),
            Expr::Return => self.out.push(parts::verdict(abi::VERDICT_RETURN, None)),
            Expr::Reject => self.out.push(parts::reject()),
            Expr::Reset => {
                self.need_l4(L4::Tcp);
                self.out.push(parts::reset());
            }
        }
        Ok(())
    }

    /// The kernel pads names to 16 bytes; comparing fewer of them compares a prefix.
    fn interface(&mut self, key: u32, is: Is, name: &str) -> Result<(), RuleProblem> {
        let mut bytes = name.strip_suffix('*').unwrap_or(name).as_bytes().to_vec();
        if !(1..16).contains(&bytes.len()) || bytes.contains(&0) {
            return Err(RuleProblem::Interface(name.to_owned()));
        }
        if !name.ends_with('*') {
            bytes.resize(16, 0);
        }
        self.out.extend([meta(key), compare(is, &bytes)]);
        Ok(())
    }

    fn link_in(&mut self, key: u32, name: &str) -> Result<(), RuleProblem> {
        if !matches!(self.set(name)?, Elements::TallyLinks(_)) {
            return Err(RuleProblem::WrongSet(name.to_owned()));
        }
        self.out.push(meta(key));
        self.lookup(Is::In, name)
    }

    fn need_family(&mut self, family: Family) {
        if self.family == Some(family) {
            return;
        }
        let number = match family {
            Family::V4 => abi::NFPROTO_IPV4,
            Family::V6 => abi::NFPROTO_IPV6,
        };
        self.out.extend([meta(abi::META_NFPROTO), compare(Is::In, &[number])]);
        self.family = Some(family);
    }

    fn need_l4(&mut self, l4: L4) {
        if self.l4 == Some(l4) {
            return;
        }
        self.out.extend([meta(abi::META_L4PROTO), compare(Is::In, &[l4.number()])]);
        self.l4 = Some(l4);
    }

    fn address_in(&mut self, side: Side, is: Is, name: &str) -> Result<(), RuleProblem> {
        let family = match self.set(name)? {
            Elements::V4(_) | Elements::Net4(_) | Elements::Rates4(_) | Elements::Learned4(_) => Family::V4,
            Elements::V6(_) | Elements::Net6(_) | Elements::Learned6(_) => Family::V6,
            _ => return Err(RuleProblem::WrongSet(name.to_owned())),
        };
        self.need_family(family);
        self.out.push(parts::address(side, family));
        self.lookup(is, name)
    }

    /// As `ip6 saddr map @map @set`, which the nft tool has no words for.
    fn twin_in(&mut self, side: Side, map: &str, set: &str) -> Result<(), RuleProblem> {
        if !matches!(self.set(map)?, Elements::Twins6(_)) {
            return Err(RuleProblem::WrongSet(map.to_owned()));
        }
        if !matches!(self.set(set)?, Elements::Rates4(_)) {
            return Err(RuleProblem::WrongSet(set.to_owned()));
        }
        self.need_family(Family::V6);
        let map = CString::new(map).map_err(|_| RuleProblem::NoSuchSet(map.to_owned()))?;
        self.out.extend([parts::address(side, Family::V6), parts::look_up_value(map)]);
        self.lookup(Is::In, set)
    }

    /// As `ip saddr . ip daddr & 255.255.255.0 . meta l4proto . th dport @set`.
    fn flow_in(&mut self, shape: Shape, name: &str) -> Result<(), RuleProblem> {
        let (family, with_port) = match self.set(name)? {
            Elements::Pairs4(_) => (Family::V4, false),
            Elements::Pairs6(_) => (Family::V6, false),
            Elements::Flows4(_) => (Family::V4, true),
            Elements::Flows6(_) => (Family::V6, true),
            _ => return Err(RuleProblem::WrongSet(name.to_owned())),
        };
        self.need_family(family);
        let (second, behind) = match family {
            Family::V4 => (abi::REG_WORD_0 + 1, abi::REG_WORD_0 + 2),
            Family::V6 => (abi::REG_1 + 1, abi::REG_WORD_0 + 8),
        };
        let sides =
            [(Side::Source, abi::REG_1, shape.source), (Side::Destination, second, shape.destination)];
        for (side, register, length) in sides {
            self.out.push(parts::address_to(register, side, family));
            let mask = mask(family, length).ok_or(RuleProblem::Length(length))?;
            if mask.iter().any(|byte| *byte != 0xff) {
                self.out.push(parts::bitwise_in(register, &mask, &vec![0; mask.len()]));
            }
        }
        if with_port {
            self.out.extend(parts::service(behind));
        }
        self.lookup(Is::In, name)
    }

    /// As `dnat ip to meta l4proto . th dport map @map`.
    fn forward_by(&mut self, name: &str) -> Result<(), RuleProblem> {
        let family = match self.set(name)? {
            Elements::Forwards4(_) => Family::V4,
            Elements::Forwards6(_) => Family::V6,
            _ => return Err(RuleProblem::WrongSet(name.to_owned())),
        };
        self.need_family(family);
        let map = CString::new(name).map_err(|_| RuleProblem::NoSuchSet(name.to_owned()))?;
        self.out.extend(parts::service(abi::REG_1));
        self.out.extend([parts::look_up_value(map), parts::translate_destination(family)]);
        Ok(())
    }

    /// As `update @set { ip saddr limit rate over 6/minute burst 10 packets }`.
    fn over(&mut self, limit: Limit, name: &str) -> Result<(), RuleProblem> {
        let family = match self.set(name)? {
            Elements::Meter4(_) => Family::V4,
            Elements::Meter6(_) => Family::V6,
            _ => return Err(RuleProblem::WrongSet(name.to_owned())),
        };
        self.need_family(family);
        self.out.push(parts::address(Side::Source, family));
        if family == Family::V6 {
            let mask = mask(family, SOURCE6).ok_or(RuleProblem::Length(SOURCE6))?;
            self.out.push(bitwise(&mask, &[0; 16]));
        }
        let set = CString::new(name).map_err(|_| RuleProblem::NoSuchSet(name.to_owned()))?;
        self.out.push(parts::over(set, limit));
        Ok(())
    }

    /// As `add @set { ip saddr }`, for a set whose elements count.
    fn count(&mut self, side: Side, name: &str) -> Result<(), RuleProblem> {
        let family = match self.set(name)? {
            Elements::Tally4 => Family::V4,
            Elements::Tally6 => Family::V6,
            _ => return Err(RuleProblem::WrongSet(name.to_owned())),
        };
        self.need_family(family);
        let set = CString::new(name).map_err(|_| RuleProblem::NoSuchSet(name.to_owned()))?;
        self.out.extend([parts::address(side, family), parts::add(set)]);
        Ok(())
    }

    /// As `update @set { ip daddr }`.
    fn refresh(&mut self, name: &str) -> Result<(), RuleProblem> {
        let family = match self.set(name)? {
            Elements::Learned4(_) => Family::V4,
            Elements::Learned6(_) => Family::V6,
            _ => return Err(RuleProblem::WrongSet(name.to_owned())),
        };
        self.need_family(family);
        let set = CString::new(name).map_err(|_| RuleProblem::NoSuchSet(name.to_owned()))?;
        self.out.extend([parts::address(Side::Destination, family), parts::update(set)]);
        Ok(())
    }

    /// As `dnat ip to 10.77.0.1:9040`.
    fn onto(&mut self, to: SocketAddr) {
        let (family, address) = match to.ip() {
            IpAddr::V4(ip) => (Family::V4, ip.octets().to_vec()),
            IpAddr::V6(ip) => (Family::V6, ip.octets().to_vec()),
        };
        self.need_family(family);
        self.out.extend(parts::destination(family, address, to.port()));
        self.out.push(parts::translate_destination(family));
    }

    fn set(&self, name: &str) -> Result<&Elements, RuleProblem> {
        self.sets.get(name).ok_or_else(|| RuleProblem::NoSuchSet(name.to_owned()))
    }

    fn lookup(&mut self, is: Is, name: &str) -> Result<(), RuleProblem> {
        let c_name = CString::new(name).map_err(|_| RuleProblem::NoSuchSet(name.to_owned()))?;
        self.out.push(parts::lookup(is, c_name));
        Ok(())
    }

    fn net4(&mut self, side: Side, is: Is, net: ipnet::Ipv4Net) {
        self.need_family(Family::V4);
        self.out.push(parts::address(side, Family::V4));
        if net.prefix_len() < 32 {
            self.out.push(bitwise(&net.netmask().octets(), &[0; 4]));
        }
        self.out.push(compare(is, &net.network().octets()));
    }

    fn net6(&mut self, side: Side, is: Is, net: ipnet::Ipv6Net) {
        self.need_family(Family::V6);
        self.out.push(parts::address(side, Family::V6));
        if net.prefix_len() < 128 {
            self.out.push(bitwise(&net.netmask().octets(), &[0; 16]));
        }
        self.out.push(compare(is, &net.network().octets()));
    }

    /// Loads a port of the transport matched before.
    fn load_port(&mut self, side: Side) -> Result<(), RuleProblem> {
        if !matches!(self.l4, Some(L4::Tcp | L4::Udp)) {
            return Err(RuleProblem::PortWithoutTransport);
        }
        let offset = match side {
            Side::Source => 0,
            Side::Destination => 2,
        };
        self.out.push(payload(abi::PAYLOAD_TRANSPORT, offset, 2));
        Ok(())
    }

    fn port(&mut self, side: Side, port: u16) -> Result<(), RuleProblem> {
        self.load_port(side)?;
        self.out.push(compare(Is::In, &port.to_be_bytes()));
        Ok(())
    }

    fn port_in(&mut self, name: &str) -> Result<(), RuleProblem> {
        if !matches!(self.set(name)?, Elements::Ports(_)) {
            return Err(RuleProblem::WrongSet(name.to_owned()));
        }
        self.load_port(Side::Destination)?;
        self.lookup(Is::In, name)
    }

    fn icmp_type(&mut self, kind: u8) -> Result<(), RuleProblem> {
        if !matches!(self.l4, Some(L4::Icmp | L4::Icmp6)) {
            return Err(RuleProblem::TypeWithoutIcmp);
        }
        self.out.extend([payload(abi::PAYLOAD_TRANSPORT, 0, 1), compare(Is::In, &[kind])]);
        Ok(())
    }

    fn hop_limit(&mut self, limit: u8) {
        self.need_family(Family::V6);
        self.out.extend([payload(abi::PAYLOAD_NETWORK, 7, 1), compare(Is::In, &[limit])]);
    }

    /// As `tcp flags syn tcp option maxseg size set rt mtu`; never raises the size (the kernel sees to that).
    fn clamp_mss(&mut self) {
        self.tcp_syn(abi::CMP_NEQ);
        self.out.extend(parts::set_mss_from_route());
    }

    /// Compares the flag that begins a connection with zero.
    fn tcp_syn(&mut self, compared: u32) {
        self.need_l4(L4::Tcp);
        let flags = payload(abi::PAYLOAD_TRANSPORT, 13, 1);
        self.out.extend([flags, bitwise(&[abi::TCP_SYN], &[0]), cmp(compared, &[0])]);
    }

    fn mark(&mut self, is: Is, value: u32) {
        let mask = bitwise(&MARK_MASK.to_ne_bytes(), &[0; 4]);
        self.out.extend([meta(abi::META_MARK), mask, compare(is, &value.to_ne_bytes())]);
    }

    fn set_mark(&mut self, value: u32) {
        let value = value & MARK_MASK;
        let mix = bitwise(&(!MARK_MASK).to_ne_bytes(), &value.to_ne_bytes());
        self.out.extend([meta(abi::META_MARK), mix, parts::meta_set(abi::META_MARK)]);
    }

    /// As `meta priority set jhash ip saddr mod 256 seed 0x77 offset 1996488960`.
    fn share(&mut self, side: Side, family: Family) {
        self.need_family(family);
        let (address, hash) = (parts::address(side, family), parts::hash(family));
        self.out.extend([address, hash, parts::meta_set(abi::META_PRIORITY)]);
    }

    fn go(&mut self, verdict: u32, chain: &str) -> Result<(), RuleProblem> {
        // A chain's name has been checked where the chain is created; one with a zero byte can only be missing.
        let chain = CString::new(chain).map_err(|_| RuleProblem::NoSuchChain(chain.to_owned()))?;
        self.out.push(parts::verdict(verdict, Some(chain)));
        Ok(())
    }
}

/// The mask of a prefix length.
fn mask(family: Family, length: u8) -> Option<Vec<u8>> {
    match family {
        Family::V4 => Some(ipnet::Ipv4Net::new([0; 4].into(), length).ok()?.netmask().octets().to_vec()),
        Family::V6 => Some(ipnet::Ipv6Net::new([0_u16; 8].into(), length).ok()?.netmask().octets().to_vec()),
    }
}

#[cfg(test)]
mod tests;
