//! Whether and how the host itself is pointed at its cell.
//!
//! Every way leaves a host that resolves names when the name server ends and nobody is there to hand back: a file and
//! resolvconf keep the host's own resolvers behind the cell, and systemd-resolved's setting ends with a unit that
//! systemd itself ties to the name server's.

mod text;

use std::net::IpAddr;

use pic_model::snapshot::resolver::{OriginalFile, ResolverBy, ResolverRecord};

use crate::plan::Action;
use crate::target::resolver::{Hold, Resolver, ResolverState, Way};
pub use text::{servers_in, without_ours, written};

/// Where systemd-resolved keeps the files that `/etc/resolv.conf` may lead to, and the package's own copy.
const RESOLVED: [&str; 3] = ["/run/systemd/resolve/", "/usr/lib/systemd/", "/lib/systemd/"];
/// Where Debian's resolvconf keeps its file.
const RESOLVCONF: [&str; 2] = ["/run/resolvconf/", "/etc/resolvconf/run/"];

/// What stands at `/etc/resolv.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Nothing.
    Absent,
    /// A plain file.
    Plain(OriginalFile),
    /// A symbolic link to this absolute path, and what is read through it; `None` if it leads nowhere.
    Link(String, Option<String>),
    /// Neither, or not readable; why.
    Strange(String),
}

/// What was found on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub entry: Entry,
    /// systemd-resolved runs.
    pub resolved_runs: bool,
    /// systemd-resolved has our server for all names on our interface.
    pub resolved_asks: Option<IpAddr>,
    /// A resolvconf(8) is installed.
    pub resolvconf: bool,
    /// A DHCP client runs that writes the file itself.
    pub dhcp_client: Option<String>,
    /// What we changed before.
    pub record: Option<ResolverRecord>,
}

/// How this host's resolver is set.
pub fn way(found: &Found) -> Way {
    match &found.entry {
        Entry::Absent => Way::File,
        Entry::Strange(words) => Way::Refused(words.clone()),
        Entry::Link(target, content) => by_link(found, target, content.is_some()),
        Entry::Plain(file) => by_text(found, &file.content),
    }
}

fn by_link(found: &Found, target: &str, leads_somewhere: bool) -> Way {
    let is_in = |folders: &[&str]| folders.iter().any(|folder| target.starts_with(folder));
    if is_in(&RESOLVED) {
        return if found.resolved_runs {
            Way::Resolved
        } else {
            Way::Refused("/etc/resolv.conf leads to systemd-resolved, which does not run".to_owned())
        };
    }
    if is_in(&RESOLVCONF) && found.resolvconf {
        return Way::Resolvconf;
    }
    if !leads_somewhere {
        return Way::Refused(format!("/etc/resolv.conf is a link to {target}, which is not there"));
    }
    Way::Refused(format!("/etc/resolv.conf is a link to {target}, which somebody else writes"))
}

fn by_text(found: &Found, text: &str) -> Way {
    match text::generator(text) {
        Some(maker) if maker.contains("resolvconf") && found.resolvconf => Way::Resolvconf,
        Some(maker) if maker.contains("dhcpcd") => Way::File,
        Some(maker) => Way::Refused(format!("/etc/resolv.conf says \"{maker}\"")),
        None => Way::File,
    }
}

/// What of ours is in force. `server` is the one to be asked.
pub fn hold(found: &Found, way: &Way, server: Option<IpAddr>) -> Hold {
    let record = found.record.as_ref();
    match way {
        Way::Resolved => found.resolved_asks.map_or(Hold::None, Hold::Ours),
        Way::File => of_file(found, record, server),
        Way::Resolvconf => {
            let text = content(&found.entry).unwrap_or_default();
            let asked = servers_in(text);
            match record {
                Some(record) if asked.contains(&record.server) => Hold::Ours(record.server),
                Some(_) => Hold::None,
                None if server.is_some_and(|server| asked.contains(&server)) => Hold::Owner,
                None => Hold::None,
            }
        }
        Way::Refused(_) => Hold::None,
    }
}

/// A file is ours as long as it is what we wrote, to the byte.
fn of_file(found: &Found, record: Option<&ResolverRecord>, server: Option<IpAddr>) -> Hold {
    let text = content(&found.entry);
    let Some((record, (ours, original))) = record.and_then(|record| Some((record, file_of(record)?))) else {
        let by_owner =
            text.zip(server).is_some_and(|(text, server)| servers_in(text).first() == Some(&server));
        return if by_owner { Hold::Owner } else { Hold::None };
    };
    match text {
        Some(text) if text == ours => Hold::Ours(record.server),
        text if text == original.map(|file| file.content.as_str()) => Hold::None,
        // The DHCP client has heard of other servers: what it wrote is what the host has of its own from now on.
        Some(text) if found.dhcp_client.is_some() && !text::is_ours(text) => Hold::None,
        _ => Hold::Theirs,
    }
}

fn file_of(record: &ResolverRecord) -> Option<(&str, Option<&OriginalFile>)> {
    match &record.by {
        ResolverBy::File { written, original } => Some((written, original.as_ref())),
        _ => None,
    }
}

/// Text of the file, through a link as well.
pub fn content(entry: &Entry) -> Option<&str> {
    match entry {
        Entry::Plain(file) => Some(&file.content),
        Entry::Link(_, content) => content.as_deref(),
        Entry::Absent | Entry::Strange(_) => None,
    }
}

/// The step that is due, with its reason. `starting`: the name server is started by the same plan.
pub fn step(
    wanted: Option<&Resolver>,
    state: &ResolverState,
    starting: bool,
) -> Option<(Action, &'static str)> {
    let has_ours = matches!(state.hold, Hold::Ours(_)) || state.guarded;
    let Some(wanted) = wanted else {
        return (has_ours || state.recorded).then_some((Action::ResolverRelease, "no longer wanted"));
    };
    if matches!(state.way, Way::Refused(_)) || matches!(state.hold, Hold::Owner | Hold::Theirs) {
        return None;
    }
    let is_held = state.hold == Hold::Ours(wanted.server) && state.guarded;
    match state.answers || starting {
        true if !is_held => Some((Action::ResolverTake { server: wanted.server }, "the cell answers")),
        false if has_ours => Some((Action::ResolverRelease, "the cell does not answer")),
        _ => None,
    }
}

/// What is not as the owner wants it, in words.
pub fn complaint(wanted: Option<&Resolver>, state: Option<&ResolverState>) -> Option<String> {
    let (wanted, state) = wanted.zip(state)?;
    match (&state.way, &state.hold) {
        (_, Hold::Theirs) => Some(
            "somebody changed /etc/resolv.conf after the cell did, so it is left alone; `picctl config set dns.host false`, then true, takes it up again"
                .to_owned(),
        ),
        (Way::Refused(words), _) => {
            wanted.demanded.then(|| format!("the host cannot be pointed at the cell: {words}"))
        }
        (_, Hold::None) if !state.answers => {
            Some("pic-dns does not answer the host, which so asks its own resolvers; see `picctl doctor`".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
