//! Queues of interfaces (tc(8)): ours have a handle of their own, [`QUEUE`]; what others have put in place is never touched.
//!
//! CAKE where the kernel has it, else HTB. Tested in network namespaces against `tc` (`tests/kernel/queue.rs`), of CAKE only what
//! is said to the kernel: those the tests run on may have none.
#![forbid(unsafe_code)]

mod cake;
mod htb;
mod message;

use std::collections::BTreeMap;

use pic_plan::marks::QUEUE;
use pic_plan::plan::Action;
use pic_plan::target::queue::{Kind, ObservedQueue, Queue};

use crate::link;
use crate::netlink::{self, NLM_F_CREATE, NLM_F_EXCL, Socket, already};
use message::{DELETE_QUEUE, GET_QUEUE, NEW_QUEUE, ROOT, Tc};

/// Why queues could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading.
    #[error("cannot list the queues of interfaces")]
    List(#[source] netlink::Error),
    /// There is no such interface.
    #[error("there is no interface {0}")]
    NoInterface(String),
    /// The kernel has no means.
    #[error("this kernel has neither CAKE nor HTB; boot one with the module sch_cake or sch_htb")]
    NoKind,
    /// Somebody has put another one in place.
    #[error("{0} has a queue of its own; see `tc qdisc show dev {0}`")]
    Taken(String),
    /// A change failed.
    #[error("cannot {verb} the queue of {interface}")]
    Change {
        /// What was tried.
        verb: &'static str,
        /// Interface.
        interface: String,
        /// Reason.
        #[source]
        source: netlink::Error,
    },
    /// The action belongs to another module.
    #[error("not an action on a queue")]
    Misrouted,
}

/// Queues by interface: ours, and those of others. The kernel's own are none of them.
pub fn observe() -> Result<BTreeMap<String, ObservedQueue>, Error> {
    let names = link::names_by_index().map_err(Error::List)?;
    let mut socket = Socket::route().map_err(Error::List)?;
    let all = socket.dump(Tc::bare(GET_QUEUE, 0, 0, 0)).map_err(Error::List)?;
    let mut found = BTreeMap::new();
    for root in all.iter().filter(|queue| queue.parent == ROOT && queue.handle != 0) {
        let Some(name) = names.get(&root.index) else { continue };
        let queue = if root.handle == QUEUE {
            ours(&mut socket, root).map_err(Error::List)?
        } else {
            ObservedQueue::Foreign(format!("{} {:x}:", root.kind(), root.handle >> 16))
        };
        found.insert(name.clone(), queue);
    }
    Ok(found)
}

fn ours(socket: &mut Socket, root: &Tc) -> Result<ObservedQueue, netlink::Error> {
    if root.kind() == cake::KIND {
        let (rate, fair) = cake::read(root.options()).unzip();
        return Ok(ObservedQueue::Ours { kind: Kind::Cake, rate, fair });
    }
    let rate = match root.kind() {
        htb::KIND => htb::read(socket, root.index)?,
        _ => None,
    };
    Ok(ObservedQueue::Ours { kind: Kind::Htb, rate, fair: None })
}

/// Does one action on a queue.
pub fn apply(action: &Action) -> Result<(), Error> {
    match action {
        Action::QueueSet { interface, queue } => set(interface, queue),
        Action::QueueRemove { interface } => match index(interface)? {
            Some(at) => remove(interface, at),
            // With its interface it went by itself.
            None => Ok(()),
        },
        _ => Err(Error::Misrouted),
    }
}

fn index(interface: &str) -> Result<Option<u32>, Error> {
    link::index(interface).map_err(failed("find", interface))
}

fn failed(verb: &'static str, interface: &str) -> impl FnOnce(netlink::Error) -> Error {
    move |source| Error::Change { verb, interface: interface.to_owned(), source }
}

fn set(interface: &str, queue: &Queue) -> Result<(), Error> {
    let at = index(interface)?.ok_or_else(|| Error::NoInterface(interface.to_owned()))?;
    remove(interface, at)?;
    match make(at, queue) {
        Ok(()) => Ok(()),
        Err(error) if error.is(&[libc::EEXIST]) => Err(Error::Taken(interface.to_owned())),
        Err(error) if error.is(&[libc::ENOENT]) => Err(Error::NoKind),
        Err(error) => {
            // Half of it would hold the line to nobody knows what.
            remove(interface, at)?;
            Err(failed("make", interface)(error))
        }
    }
}

fn make(at: u32, queue: &Queue) -> Result<(), netlink::Error> {
    let mut socket = Socket::route()?;
    let new = Tc::bare(NEW_QUEUE, at, QUEUE, ROOT).of(cake::KIND, &cake::options(queue));
    match socket.change(new, NLM_F_CREATE | NLM_F_EXCL) {
        // The kernel's word for a kind that it does not know.
        Err(error) if error.is(&[libc::ENOENT]) => htb::make(&mut socket, at, queue.rate),
        made => made,
    }
}

/// Leaves the interface to the kernel's own queue, if it has one of ours: the kernel compares the handle itself, and says that
/// it is another's, or that there is none.
fn remove(interface: &str, at: u32) -> Result<(), Error> {
    let message = Tc::bare(DELETE_QUEUE, at, QUEUE, ROOT);
    let gone = Socket::route().and_then(|mut socket| socket.change(message, 0));
    already(gone, &[libc::ENOENT, libc::EINVAL, libc::ENODEV]).map_err(failed("remove", interface))
}
