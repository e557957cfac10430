//! Transactions out of plain data.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};

use nftnl::{MsgType, ProtoFamily};
use pic_plan::marks::NFT_TABLE;
use pic_plan::target::nft::{Base, Chain, ChainKind, Elements, Hook, Rule, SetDelta, Table};

use super::elements::{Key, SetType, keys};
use super::encode;
use super::error::{Error, RuleProblem};
use super::raw::{self, NewSet, SetElements, elements_per_message};
use super::transaction::Transaction;

/// The kernel's limit for names of sets and chains, with the closing zero byte.
const NAME_MAX: usize = 256;
/// What the `nft` tool can show of a comment: its limit with the closing zero byte.
const COMMENT_MAX: usize = 128;

/// Replaces the table by this one.
pub(super) fn replace(table: &Table) -> Result<Transaction, Error> {
    let mut transaction = Transaction::new();
    let own = remove(&mut transaction)?;
    transaction.add(&own, MsgType::Add, "the table inet pic".to_owned());
    fill(&mut transaction, &own, table, false)?;
    Ok(transaction)
}

/// Makes a table that goes with the socket which makes it. With `traced`, what its rules match is traced.
pub(super) fn live(name: &str, table: &Table, traced: bool) -> Result<Transaction, Error> {
    let mut transaction = Transaction::new();
    let c_name = c_name(name)?;
    transaction.add(&raw::OwnedTable::new(&c_name)?, MsgType::Add, format!("the table inet {name}"));
    fill(&mut transaction, &nftnl::Table::new(&c_name, ProtoFamily::Inet), table, traced)?;
    Ok(transaction)
}

/// Sets, chains and rules of a table that is there.
fn fill(transaction: &mut Transaction, own: &nftnl::Table, table: &Table, traced: bool) -> Result<(), Error> {
    for (number, (name, elements)) in (1..).zip(&table.sets) {
        create_set(transaction, own, name, number, elements)?;
    }
    for chain in &table.chains {
        create_chain(transaction, own, chain)?;
    }
    for chain in &table.chains {
        let kernel_chain = nftnl::Chain::new(&c_name(&chain.name)?, own);
        for rule in &chain.rules {
            create_rule(transaction, &kernel_chain, &table.sets, &chain.name, rule, traced)?;
        }
    }
    Ok(())
}

/// Changes elements of sets; `None` if there is nothing to change.
pub(super) fn change(deltas: &[SetDelta]) -> Result<Option<Transaction>, Error> {
    let mut transaction = Transaction::new();
    let own = own_table()?;
    for delta in deltas {
        let kind = SetType::of(&delta.add);
        if kind != SetType::of(&delta.remove) {
            return Err(Error::Types { set: delta.set.clone() });
        }
        // Removed first: a network to add may overlap one that goes.
        let name = c_name(&delta.set)?;
        let mut set = |kind_of_change, elements: &Elements| {
            let target = Target { table: own.get_name(), name: &name, kind, number: None };
            add_elements(&mut transaction, &target, &delta.set, kind_of_change, &keys(elements))
        };
        set(MsgType::Del, &delta.remove)?;
        set(MsgType::Add, &delta.add)?;
    }
    let is_empty = deltas.iter().all(|delta| delta.add.is_empty() && delta.remove.is_empty());
    Ok((!is_empty).then_some(transaction))
}

/// Puts elements into sets whose elements the kernel forgets, each for its whole life again: one that is there already is
/// taken out and put in anew, which needs it to be there.
pub(super) fn learn(learned: &[(String, Elements)]) -> Result<Transaction, Error> {
    let mut transaction = Transaction::new();
    let own = own_table()?;
    for (name, elements) in learned {
        let (c_name, kind) = (c_name(name)?, SetType::of(elements));
        let target = Target { table: own.get_name(), name: &c_name, kind, number: None };
        for change in [MsgType::Add, MsgType::Del, MsgType::Add] {
            add_elements(&mut transaction, &target, name, change, &keys(elements))?;
        }
    }
    Ok(transaction)
}

/// Removes the table, which need not be there.
pub(super) fn delete() -> Result<Transaction, Error> {
    let mut transaction = Transaction::new();
    remove(&mut transaction)?;
    Ok(transaction)
}

/// Adding the table first makes removing it succeed in any case.
fn remove(transaction: &mut Transaction) -> Result<nftnl::Table, Error> {
    let own = own_table()?;
    transaction.add(&own, MsgType::Add, "the table inet pic".to_owned());
    transaction.add(&own, MsgType::Del, "removing the table inet pic".to_owned());
    Ok(own)
}

fn own_table() -> Result<nftnl::Table, Error> {
    Ok(nftnl::Table::new(&c_name(NFT_TABLE)?, ProtoFamily::Inet))
}

fn c_name(name: &str) -> Result<CString, Error> {
    let c_name = CString::new(name).ok().filter(|_| !name.is_empty() && name.len() < NAME_MAX);
    c_name.ok_or_else(|| Error::Name { name: name.to_owned() })
}

fn create_set(
    transaction: &mut Transaction,
    own: &nftnl::Table,
    name: &str,
    number: u32,
    elements: &Elements,
) -> Result<(), Error> {
    let kind = SetType::of(elements);
    let c_name = c_name(name)?;
    let mut set = raw::Set::new(own.get_name(), &c_name, kind, Some(number))?;
    if let Some(room) = elements.room() {
        set.limit(room);
    }
    transaction.add(&NewSet(&set), MsgType::Add, format!("set {name}"));
    let target = Target { table: own.get_name(), name: &c_name, kind, number: Some(number) };
    add_elements(transaction, &target, name, MsgType::Add, &keys(elements))
}

/// The set whose elements change.
struct Target<'a> {
    table: &'a CStr,
    name: &'a CStr,
    kind: SetType,
    /// Of a set made in the same transaction.
    number: Option<u32>,
}

fn add_elements(
    transaction: &mut Transaction,
    target: &Target<'_>,
    name: &str,
    change: MsgType,
    keys: &[Key],
) -> Result<(), Error> {
    let most = elements_per_message(target.kind);
    for (index, part) in keys.chunks(most).enumerate() {
        let mut set = raw::Set::new(target.table, target.name, target.kind, target.number)?;
        set.push(part, target.kind)?;
        let verb = if change == MsgType::Add { "adding" } else { "removing" };
        let first = index * most;
        let label = format!("set {name}, {verb} elements {first} to {}", first + part.len() - 1);
        transaction.add(&SetElements(&set), change, label);
    }
    Ok(())
}

fn create_chain(transaction: &mut Transaction, own: &nftnl::Table, chain: &Chain) -> Result<(), Error> {
    let mut kernel_chain = nftnl::Chain::new(&c_name(&chain.name)?, own);
    if let Some(base) = &chain.base {
        set_base(&mut kernel_chain, base);
    }
    transaction.add(&kernel_chain, MsgType::Add, format!("chain {}", chain.name));
    Ok(())
}

fn set_base(chain: &mut nftnl::Chain<'_>, base: &Base) {
    chain.set_type(match base.kind {
        ChainKind::Filter => nftnl::ChainType::Filter,
        ChainKind::Nat => nftnl::ChainType::Nat,
        ChainKind::Route => nftnl::ChainType::Route,
    });
    let hook = match base.hook {
        Hook::Prerouting => nftnl::Hook::PreRouting,
        Hook::Input => nftnl::Hook::In,
        Hook::Forward => nftnl::Hook::Forward,
        Hook::Output => nftnl::Hook::Out,
        Hook::Postrouting => nftnl::Hook::PostRouting,
    };
    chain.set_hook(hook, base.priority);
    chain.set_policy(if base.accept { nftnl::Policy::Accept } else { nftnl::Policy::Drop });
}

fn create_rule(
    transaction: &mut Transaction,
    chain: &nftnl::Chain<'_>,
    sets: &BTreeMap<String, Elements>,
    chain_name: &str,
    rule: &Rule,
    traced: bool,
) -> Result<(), Error> {
    let wrong = |problem| Error::Rule { chain: chain_name.to_owned(), why: rule.why.to_owned(), problem };
    let mut kernel_rule = nftnl::Rule::new(chain);
    let comment = CString::new(rule.comment()).ok().filter(|text| text.as_bytes().len() < COMMENT_MAX);
    let comment = comment.ok_or_else(|| wrong(RuleProblem::Comment))?;
    kernel_rule.set_comment(&comment).map_err(|_| wrong(RuleProblem::Comment))?;
    let traces = traced.then(encode::trace).into_iter().flatten();
    for ex in encode::rule(sets, &rule.exprs).map_err(wrong)?.into_iter().chain(traces) {
        raw::add_expression(&mut kernel_rule, &ex)?;
    }
    transaction.add(&kernel_rule, MsgType::Add, format!("rule \"{}\" of chain {chain_name}", rule.why));
    Ok(())
}
