//! Grants in words: what a change gives and takes, and who may reach something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;
use pic_model::Desired;
use pic_model::desired::Allow;
use pic_model::name::LanName;
use pic_model::policy::{Grant, Ports, Subject, Target, Where};
use pic_model::schedule::Schedule;

use super::directory::{Member, Named};
use super::said::short;
use super::{By, Directory, Said, Terms};
use crate::compile::{Network, ResolvedLan, is_active};
use crate::facts::Facts;

/// Lines told one by one; more are counted.
const LINES: usize = 50;

/// What changes for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// As `kid-tablet loses nas:tcp/445`, losses first.
    pub lines: Vec<String>,
    /// How many there are beyond these.
    pub more: usize,
}

/// Grants gained and lost between two states, by whom they are for; with their schedules, whatever those say of this
/// moment.
pub fn changes(from: Option<&Desired>, to: Option<&Desired>, now: i64) -> Lines {
    let touched = from.zip(to).filter(|(from, to)| has_same_names(from, to));
    let touched = touched.map(|(from, to)| Touched::new(&from.grants, &to.grants));
    let one = |state: Option<&Desired>, other| {
        state.map(|state| differing(state, other, touched.as_ref(), now)).unwrap_or_default()
    };
    let (old, new) = (one(from, to), one(to, from));
    let (lost, gained) = (only(&old, &new), only(&new, &old));
    let more = (lost.len() + gained.len()).saturating_sub(LINES);
    let told = |verb: &'static str, pairs: Vec<Pair<'_>>| {
        let one = move |((who, target), what): Pair<'_>| match what {
            Some(what) => format!("{who} {verb} {target} ({what})"),
            None => format!("{who} {verb} {target}"),
        };
        pairs.into_iter().take(LINES).map(one).collect::<Vec<_>>()
    };
    let mut lines = told("loses", lost);
    lines.extend(told("gains", gained));
    lines.truncate(LINES);
    Lines { lines, more }
}

type Pair<'p> = (&'p (String, String), &'p Option<String>);

/// What `one` says and `other` does not.
fn only<'p>(one: &'p Pairs, other: &Pairs) -> Vec<Pair<'p>> {
    one.iter().filter(|(pair, what)| other.get(*pair) != Some(*what)).collect()
}

/// Who may reach what; of a service also where that is, so that moving it is a change, too.
type Pairs = BTreeMap<(String, String), Option<String>>;

/// Whether the same word means the same in both states.
fn has_same_names(one: &Desired, other: &Desired) -> bool {
    let has_same_members = || {
        let same = (&one.groups, &one.reservations) == (&other.groups, &other.reservations);
        (same && Arc::ptr_eq(&one.peers, &other.peers)) || members(one) == members(other)
    };
    one.services == other.services && has_same_members()
}

/// Everything that `desired` grants and `other` may not: what both say word for word is left out, so that one more peer
/// among ten thousand, or one more grant among a hundred thousand, costs little.
fn differing(desired: &Desired, other: Option<&Desired>, touched: Option<&Touched>, now: i64) -> Pairs {
    // Sorted once at the end, which costs a fraction of keeping them sorted.
    let mut pairs = Vec::new();
    let groups = members(desired);
    let is_same = |by: By<'_>| match (by, other) {
        (By::Grant(..), _) | (_, None) => false,
        (By::Peer(_), Some(other)) if Arc::ptr_eq(&desired.peers, &other.peers) => true,
        (By::Peer(name), Some(other)) => {
            let both = desired.peers.get(name).zip(other.peers.get(name));
            both.is_some_and(|(one, two)| one.allow == two.allow && is_active(two, now))
        }
        (By::Lan(name), Some(other)) => allow(desired, name) == allow(other, name),
    };
    let places = touched
        .map_or_else(|| (0..desired.grants.len()).collect(), |touched| touched.places(&desired.grants));
    let long = places.into_iter().filter_map(|at| Said::of(at, desired.grants.get(at)?, now));
    for said in short(desired, now, |by| !is_same(by)).chain(long) {
        for target in said.to.iter() {
            let when = schedule(desired, said.by).map(ToString::to_string);
            let what: Vec<_> = service(desired, target).into_iter().chain(when).collect();
            let what = (!what.is_empty()).then(|| what.join(", "));
            let text = target.to_string();
            for subject in said.from.iter() {
                // Everyone in a group; everything else stays one.
                let name = subject.to_string();
                match groups.get(name.as_str()) {
                    Some(members) => {
                        pairs.extend(members.iter().map(|who| ((who.clone(), text.clone()), what.clone())))
                    }
                    None => pairs.push(((name, text.clone()), what.clone())),
                }
            }
        }
    }
    pairs.into_iter().collect()
}

/// Grants of two states that need a closer look: those that differ, and of those that both have alike, at the beginning and at
/// the end, the ones that lead where one of these does, as they may say the same as one that goes or comes.
struct Touched {
    /// Places from the beginning.
    front: Vec<usize>,
    /// How many are alike at the beginning.
    first: usize,
    /// How many are alike at the end.
    last: usize,
    /// Places from the end, the last one is 1.
    back: Vec<usize>,
}

impl Touched {
    fn new(one: &[Arc<Grant>], other: &[Arc<Grant>]) -> Self {
        let same = |(one, two): &(&Arc<Grant>, &Arc<Grant>)| one == two;
        let first = one.iter().zip(other).take_while(same).count();
        let rest = one.len().min(other.len()) - first;
        let last = one.iter().rev().zip(other.iter().rev()).take(rest).take_while(same).count();
        let differing =
            [one, other].into_iter().flat_map(|all| all.iter().take(all.len() - last).skip(first));
        let targets: BTreeSet<&Target> = differing.flat_map(|grant| &grant.to).collect();
        let leads = |grant: &Arc<Grant>| grant.to.iter().any(|target| targets.contains(target));
        if targets.is_empty() {
            return Self { front: Vec::new(), first, last, back: Vec::new() };
        }
        let front = (0..).zip(one.iter().take(first)).filter(|(_, grant)| leads(grant)).map(|(at, _)| at);
        let back = (1..).zip(one.iter().rev().take(last)).filter(|(_, grant)| leads(grant)).map(|(at, _)| at);
        Self { front: front.collect(), first, last, back: back.collect() }
    }

    /// Their places in one of the states.
    fn places(&self, own: &[Arc<Grant>]) -> Vec<usize> {
        let behind = self.back.iter().map(|at| own.len() - at);
        self.front.iter().copied().chain(self.first..own.len() - self.last).chain(behind).collect()
    }
}

/// What a LAN or subnet may reach by its short form.
fn allow<'d>(desired: &'d Desired, name: &LanName) -> Option<&'d BTreeSet<Allow>> {
    let lan = desired.lans.get(name).map(|lan| &lan.allow);
    lan.or_else(|| desired.subnets.get(name).map(|subnet| &subnet.allow))
}

/// When a grant counts, where that is said.
fn schedule<'d>(desired: &'d Desired, by: By<'_>) -> Option<&'d Schedule> {
    match by {
        By::Grant(at, _) => desired.grants.get(at)?.when.as_ref(),
        By::Peer(_) | By::Lan(_) => None,
    }
}

/// Where a service is, in words.
fn service(desired: &Desired, target: &Target) -> Option<String> {
    let Where::Named(name) = &target.to else { return None };
    let service = desired.services.get(name)?;
    let ports: Vec<_> = service.ports.iter().map(ToString::to_string).collect();
    Some(format!("{} {}", service.host, ports.join(" ")).trim_end().to_owned())
}

/// Names of those in each group.
fn members(desired: &Desired) -> BTreeMap<&str, Vec<String>> {
    let mut groups: BTreeMap<&str, Vec<String>> =
        desired.groups.iter().map(|group| (group.as_str(), Vec::new())).collect();
    for (name, peer) in desired.peers.iter() {
        for group in &peer.groups {
            groups.entry(group.as_str()).or_default().push(name.to_string());
        }
    }
    for kept in &desired.reservations {
        let name = || kept.name.as_ref().map_or_else(|| kept.address.to_string(), ToString::to_string);
        for group in &kept.groups {
            groups.entry(group.as_str()).or_default().push(name());
        }
    }
    groups
}

/// One who may reach what was asked about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reaches {
    /// Who.
    pub subject: String,
    /// Through which target of the grant.
    pub target: String,
    /// By which grant.
    pub by: String,
    /// When, in words; empty is always.
    pub when: String,
}

/// Everyone who may reach a target at this moment, with the grant that says so. A target is covered by a grant of more
/// than it, as a host by its network.
pub fn who(desired: &Desired, facts: &Facts, target: &Target) -> Vec<Reaches> {
    let network = Network::new(desired, facts);
    let lans = ResolvedLan::all(desired, facts);
    let directory = Directory::new(desired, facts, &network, &lans);
    let terms = Terms::new(desired, facts.now);
    let mut found = BTreeSet::new();
    for said in terms.in_force(desired, facts.now) {
        for through in said.to.iter().filter(|granted| covers(&directory, granted, target)) {
            for subject in said.from.iter() {
                found.insert(reaches(desired, &directory, &said, subject, through));
            }
        }
    }
    found.into_iter().collect()
}

fn reaches(
    desired: &Desired,
    directory: &Directory<'_>,
    said: &Said<'_>,
    subject: &Subject,
    through: &Target,
) -> Reaches {
    let when = schedule(desired, said.by);
    let subject = match subject {
        Subject::Named(name) if matches!(directory.get(name.as_str()), Some(Named::Group)) => {
            let count = directory.members(name.as_str()).len();
            let named: Vec<_> = directory.members(name.as_str()).iter().take(3).map(Member::name).collect();
            let more = if count > named.len() {
                format!(" and {} more", count - named.len())
            } else {
                String::new()
            };
            format!("{name} ({}{more})", named.join(", "))
        }
        subject => subject.to_string(),
    };
    Reaches {
        subject,
        target: through.to_string(),
        by: said.by.to_string(),
        when: when.map(|when| when.words()).unwrap_or_default(),
    }
}

/// Whether whoever is granted `granted` may reach all of `asked`.
fn covers(directory: &Directory<'_>, granted: &Target, asked: &Target) -> bool {
    if granted == asked {
        return true;
    }
    let is_word =
        |to: &Where| matches!(to, Where::Internet | Where::Dns | Where::Time | Where::Ssh | Where::Ping);
    match (&granted.to, &asked.to) {
        (Where::Cell, Where::Dns | Where::Time | Where::Ssh | Where::Ping) => granted.ports.is_none(),
        (granted, asked) if is_word(granted) || is_word(asked) => false,
        _ => {
            let (may, may_ports) = directory.destinations(granted);
            let (wanted, wanted_ports) = directory.destinations(asked);
            let inside = |net: &IpNet| may.iter().any(|own| own.contains(net));
            // Where only one family is known, that one tells.
            let within = !wanted.is_empty() && wanted.iter().filter(|net| net.addr().is_ipv4()).all(inside);
            let any_v4 = wanted.iter().any(|net| net.addr().is_ipv4());
            let within = within && (any_v4 || wanted.iter().all(inside));
            let whole_cell = granted.to == Where::Cell && granted.ports.is_none();
            within && !whole_cell && covers_ports(may_ports, wanted_ports)
        }
    }
}

fn covers_ports(may: &[Ports], wanted: &[Ports]) -> bool {
    let one = |wanted: &Ports| {
        may.iter().any(|may| {
            may.protocol == wanted.protocol && may.first <= wanted.first && may.last >= wanted.last
        })
    };
    may.is_empty() || (!wanted.is_empty() && wanted.iter().all(one))
}

#[cfg(test)]
mod tests {
    use pic_model::config::parse;

    use super::*;

    const CELL: &str = r#"
[cell]
name = "home"
[[group]]
name = "kids"
[[peer]]
name = "tablet"
public_key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
groups = ["kids"]
[[peer]]
name = "nas"
public_key = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="
allow = []
[[service]]
name = "files"
host = "nas"
ports = ["tcp/445"]
[[grant]]
from = ["kids"]
to = ["files", "nas:80"]
when = "daily 08:00-20:00"
"#;

    #[test]
    fn what_two_states_say_alike_is_left_out_and_nothing_else() {
        let grants = [
            "from = [\"tablet\"]\nto = [\"files\"]",
            "from = [\"kids\"]\nto = [\"files\", \"dns\"]",
            "from = [\"nas\"]\nto = [\"tablet:80\"]\nexpires = \"1970-01-02\"",
            "from = [\"tablet\"]\nto = [\"nas:80\"]\nexpires = \"2030-01-01\"",
            "from = [\"kids\", \"nas\"]\nto = [\"nas:80\"]\nwhen = \"daily 08:00-20:00\"",
        ];
        let state = |mask: usize| {
            let some = grants.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
            let text: String = some.map(|(_, grant)| format!("[[grant]]\n{grant}\n")).collect();
            parse(&format!("{CELL}{text}")).unwrap()
        };
        let states: Vec<_> = (0..1 << grants.len()).map(state).collect();
        let whole = |state| differing(state, None, None, 100_000);
        for (from, to) in states.iter().flat_map(|from| states.iter().map(move |to| (from, to))) {
            let (old, new) = (whole(from), whole(to));
            let told = changes(Some(from), Some(to), 100_000);
            assert_eq!(told.lines.len(), only(&old, &new).len() + only(&new, &old).len());
            for ((who, target), _) in only(&old, &new) {
                let words = format!("{who} loses {target}");
                assert!(told.lines.iter().any(|line| line.starts_with(&words)), "{words}: {told:?}");
            }
        }
    }

    fn told(from: &str, to: &str) -> Vec<String> {
        changes(parse(from).ok().as_ref(), parse(to).ok().as_ref(), 0).lines
    }

    #[test]
    fn what_a_change_gives_and_takes_is_told() {
        assert_eq!(told(CELL, CELL), [""; 0]);
        let less = CELL.replace("\"files\", \"nas:80\"", "\"files\"");
        assert_eq!(told(CELL, &less), ["tablet loses nas:tcp/80 (daily 08:00-20:00)"]);
        // What another grant says, too, is not lost with one of them.
        let twice = "[[grant]]\nfrom = [\"kids\", \"nas\"]\nto = [\"files\"]\nwhen = \"daily 08:00-20:00\"\n";
        let twice = format!("{CELL}{twice}");
        assert_eq!(told(CELL, &twice), ["nas gains files (nas tcp/445, daily 08:00-20:00)"]);
        assert_eq!(told(&twice, CELL), ["nas loses files (nas tcp/445, daily 08:00-20:00)"]);
        let left = CELL.replace("groups = [\"kids\"]", "allow = [\"cell\"]");
        let lost = [
            "tablet loses files (nas tcp/445, daily 08:00-20:00)",
            "tablet loses internet",
            "tablet loses nas:tcp/80 (daily 08:00-20:00)",
        ];
        assert_eq!(told(CELL, &left), lost);
        let moved = CELL.replace("tcp/445", "tcp/446").replace("when = \"daily 08:00-20:00\"", "");
        let both = [
            "tablet loses files (nas tcp/445, daily 08:00-20:00)",
            "tablet loses nas:tcp/80 (daily 08:00-20:00)",
            "tablet gains files (nas tcp/446)",
            "tablet gains nas:tcp/80",
        ];
        assert_eq!(told(CELL, &moved), both);
        assert_eq!(
            told("", CELL)[..2],
            ["tablet gains cell", "tablet gains files (nas tcp/445, daily 08:00-20:00)"]
        );
    }
}
