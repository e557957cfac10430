//! Whether an exit leaks: asked of the compiled state and of the kernel, without anything that goes anywhere.
//!
//! - the compiled tables are walked with packets of those who are sent by the exit, as they are and with the tunnel and the
//!   firewall taken away ([`pic_plan::leaks`]);
//! - the kernel is asked where packets with the exit's mark and without one would go, and what stands in the exit's routing
//!   table behind the tunnel;
//! - a table of nftables of its own counts for a moment by which ways the users' own packets leave. It must also count two
//!   packets of ours, one by the exit and one by the uplink, which it drops: else the test could not have seen a leak.

mod auto;
mod traffic;

use std::net::IpAddr;
use std::time::Duration;

use pic_drivers::nft;
use pic_drivers::route::{Answer, Ask, look_up, stops};
use pic_model::name::ExitName;
use pic_model::snapshot::dns::DnsProbe;
use pic_model::{Desired, chain};
use pic_plan::compile::compile;
use pic_plan::compile::exit::{self, Resolved};
use pic_plan::diff::diff;
use pic_plan::facts::Facts;
use pic_plan::leaks::{self, Probe, Without};
use pic_plan::marks::MARK_DIRECT;
use pic_plan::plan::Domain;
use pic_plan::target::{Observed, Targets};

pub(crate) use auto::attend;

/// Users whose packets are tried; of more, these are spread over all.
const MOST: usize = 32;

/// How something came out; the worst counts for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Came {
    /// As it should.
    Ok,
    /// Something could not be looked at.
    Unproven,
    /// Something may leave another way.
    Leak,
}

impl Came {
    /// As in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unproven => "unproven",
            Self::Leak => "leak",
        }
    }
}

/// Sends a packet of our own, by somebody who has sockets of the internet; why that could not be, in words.
pub(crate) type Knock = dyn Fn(DnsProbe) -> Result<(), String>;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) name: &'static str,
    pub(crate) came: Came,
    pub(crate) words: String,
}

/// A whole test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeakReport {
    /// Unix seconds.
    pub(crate) at: i64,
    pub(crate) users: Vec<String>,
    pub(crate) findings: Vec<Finding>,
}

impl LeakReport {
    /// The worst of all.
    pub(crate) fn came(&self) -> Came {
        self.findings.iter().map(|finding| finding.came).max().unwrap_or(Came::Unproven)
    }

    /// What is not as it should be, in words.
    pub(crate) fn words(&self) -> String {
        let bad = self.findings.iter().filter(|finding| finding.came != Came::Ok);
        bad.map(|finding| finding.words.as_str()).collect::<Vec<_>>().join("; ")
    }
}

/// What a test looks at.
struct Scope<'a> {
    facts: &'a Facts,
    targets: Targets,
    exit: &'a Resolved<'a>,
    interface: String,
    probes: Vec<Probe>,
}

/// Tests one exit; blocks for `time` and some milliseconds. `None`: there is no such exit.
pub(crate) fn test(
    desired: &Desired,
    facts: &Facts,
    name: &ExitName,
    time: Duration,
    knock: &Knock,
) -> Option<LeakReport> {
    let all = Resolved::all(desired, facts);
    let exit = all.iter().find(|one| one.name == name)?;
    let targets = compile(Some(desired), facts);
    let users = leaks::users(desired, facts, name);
    let probes = leaks::probes(desired, facts, &targets, &users, MOST);
    let scope = Scope { facts, interface: exit.interface(), targets, exit, probes };
    let mut findings = vec![
        scope.control(),
        scope.simulation(),
        scope.routes(),
        scope.stop(),
        scope.firewall(),
        scope.names(),
    ];
    findings.extend(traffic::watch(&scope, time, knock));
    Some(LeakReport {
        at: crate::host::now(),
        users: users.into_iter().map(|user| user.0).collect(),
        findings,
    })
}

impl Scope<'_> {
    /// One packet for each user and family: routes do not ask what it is for.
    fn packets(&self) -> impl Iterator<Item = &Probe> {
        self.probes.iter().filter(|probe| matches!(probe.packet.service, pic_model::reach::Service::Ping))
    }

    fn uplink(&self) -> Option<String> {
        self.facts.uplink.as_ref().map(|uplink| uplink.interface.to_string())
    }

    /// That a packet which was granted the uplink would be seen to leave by it: else nothing here proves anything.
    fn control(&self) -> Finding {
        let name = "control";
        let Some(uplink) = self.uplink() else {
            return Finding {
                name,
                came: Came::Unproven,
                words: "this host has no uplink to leak by".to_owned(),
            };
        };
        let (mut seen, mut bad) = (0, Vec::new());
        for probe in self.packets() {
            let is_there = match probe.packet.destination {
                IpAddr::V4(_) => self.facts.uplink.as_ref().is_some_and(|up| up.ipv4.is_some()),
                IpAddr::V6(_) => self.facts.uplink.as_ref().is_some_and(|up| up.routes6),
            };
            match self.ask(probe, MARK_DIRECT) {
                Ok(Answer::Out(out)) if out == uplink => seen += 1,
                Ok(_) if !is_there => {}
                Ok(answer) => bad.push(format!("{}: {answer:?}", probe.whose)),
                Err(words) => bad.push(words),
            }
        }
        if let Some(first) = bad.first() {
            let words = format!("a packet that may leave by {uplink} is not seen to do so ({first})");
            return Finding { name, came: Came::Unproven, words };
        }
        let words = format!("{seen} packets marked for {uplink} would be seen to leave by it");
        Finding { name, came: Came::Ok, words }
    }

    fn simulation(&self) -> Finding {
        let of = |without| leaks::leaks(&self.targets, self.facts, &self.interface, &self.probes, without);
        let all: Vec<_> = Without::ALL.into_iter().flat_map(of).collect();
        let good = format!(
            "{} packets leave by {} or not at all, also without tunnel and firewall",
            self.probes.len(),
            self.interface
        );
        told("simulation", &all, good)
    }

    /// Where the kernel would send marked and unmarked packets.
    fn routes(&self) -> Finding {
        let (mut leaks, mut went) = (Vec::new(), 0);
        for probe in self.packets() {
            for (mark, words) in [(self.exit.mark(), "marked for the exit"), (0, "without a mark")] {
                match self.ask(probe, mark) {
                    Ok(Answer::Out(out)) if out == self.interface && mark != 0 => went += 1,
                    Ok(Answer::Out(out)) => {
                        leaks.push(format!("{}: what is {words} leaves by {out}", probe.whose))
                    }
                    Ok(Answer::Local | Answer::Nowhere(_)) => {}
                    Err(words) => return Finding { name: "routes", came: Came::Unproven, words },
                }
            }
        }
        told(
            "routes",
            &leaks,
            format!("the kernel sends {went} marked packets by {} and unmarked ones nowhere", self.interface),
        )
    }

    fn ask(&self, probe: &Probe, mark: u32) -> Result<Answer, String> {
        let packet = &probe.packet;
        let ask = Ask {
            source: Some(packet.source),
            destination: packet.destination,
            iif: packet.iif.as_deref(),
            oif: None,
            mark,
        };
        look_up(&ask).map_err(|error| {
            format!("the kernel does not say where {} goes: {}", packet.source, chain(&error))
        })
    }

    /// What is left of the exit's routing table once the tunnel is gone, as the kernel has it.
    fn stop(&self) -> Finding {
        let name = "stop";
        let table = self.exit.table();
        match stops(table, &self.interface) {
            Ok(Ok(())) => {
                let words = format!("behind {} table {table} only stops, in both families", self.interface);
                Finding { name, came: Came::Ok, words }
            }
            Ok(Err(words)) => Finding { name, came: Came::Leak, words: format!("table {table}: {words}") },
            Err(error) => Finding { name, came: Came::Unproven, words: chain(&error) },
        }
    }

    /// That the kernel has the table that was walked.
    fn firewall(&self) -> Finding {
        let name = "firewall";
        let is_wanted = |nft| {
            let (targets, seen) = (
                Targets { nft: self.targets.nft.clone(), ..Targets::default() },
                Observed { nft, ..Observed::default() },
            );
            !diff(&targets, &seen).iter().any(|step| step.action.domain() == Domain::Firewall)
        };
        match nft::observe().map(is_wanted) {
            Ok(true) => Finding {
                name,
                came: Came::Ok,
                words: "the kernel has the table that was simulated".to_owned(),
            },
            Ok(false) => Finding {
                name,
                came: Came::Unproven,
                words: "the kernel's table is not the one that was simulated (any more)".to_owned(),
            },
            Err(error) => Finding { name, came: Came::Unproven, words: chain(&error) },
        }
    }

    /// That questions for names leave by the exit as well.
    fn names(&self) -> Finding {
        let by = exit::names_by(self.exit);
        let (mut wrong, asked) = leaks::names(&self.targets, &by, &self.probes);
        for server in &asked {
            let oif = Some(by.as_str());
            match look_up(&Ask { source: None, destination: *server, iif: None, oif, mark: 0 }) {
                Ok(Answer::Out(out)) if out != by => {
                    wrong.push(format!("questions to {server} leave by {out}"))
                }
                Ok(_) => {}
                Err(error) => return Finding { name: "names", came: Came::Unproven, words: chain(&error) },
            }
        }
        let good = match asked.len() {
            0 => "names are not asked: the exit has no resolver".to_owned(),
            some => format!("names are asked of {some} resolvers by {by}"),
        };
        told("names", &wrong, good)
    }
}

fn told(name: &'static str, leaks: &[String], good: String) -> Finding {
    const SHOWN: usize = 3;
    if leaks.is_empty() {
        return Finding { name, came: Came::Ok, words: good };
    }
    let mut words = leaks.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if leaks.len() > SHOWN {
        words.push_str(&format!("; and {} more", leaks.len() - SHOWN));
    }
    Finding { name, came: Came::Leak, words }
}
