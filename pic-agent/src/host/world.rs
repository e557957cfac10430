//! The host, read and changed through the drivers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use pic_drivers::{files, host, link, nft, queue, route, rule, sysctl, watch, wireguard};
use pic_engine::{Observation, World, WorldError};
use pic_model::chain;
use pic_model::key::PublicKey;
use pic_plan::facts::{DelegatedPrefix, RoutedPrefix};
use pic_plan::marks::{
    APPS, FILE_DHCP, FILE_DNS, FILE_RESOLVER, FILE_TIME, OPENVPN, PROGRAMS, Program, UNIT_WIREGUARD_EXIT,
    WIREGUARD_INTERFACE, is_app_file, is_exit, unit_of_file, wireguard_unit,
};
use pic_plan::plan::Domain;
use pic_plan::target::file::File;
use pic_plan::target::link::Kind;
use pic_plan::target::sysctl::Key;
use pic_plan::target::unit::UnitState;
use pic_plan::{Action, Facts, Targets};

use super::backend::Backend;
use super::delegation::{self, Told};
use super::exits::{ExitFolder, Exits};
use super::originals::Originals;
use super::resolver::HostResolver;
use super::{Learned, Secrets, Units, Usage, bans, now};
use crate::notify::Pulse;
use crate::paths::Paths;

/// Our interfaces are this and a number.
const LINKS: &str = "pic";

/// The real host.
#[derive(Debug)]
pub struct HostWorld {
    paths: Paths,
    units: Units,
    secrets: Option<Secrets>,
    backend: Backend,
    originals: Originals,
    delegation: Told<DelegatedPrefix>,
    routed: Told<RoutedPrefix>,
    resolver: HostResolver,
    exits: ExitFolder,
    usage: Usage,
    learned: Learned,
    /// Kept open: closing one right after a removal waits for the kernel to free what was removed.
    nft: nft::Connection,
    /// Ours, to be covered during large changes of our own; `None` where nobody listens.
    ear: Option<watch::Ear>,
    pulse: Pulse,
}

impl HostWorld {
    /// Touches nothing yet.
    pub(crate) fn new(
        paths: Paths,
        units: Units,
        ear: Option<watch::Ear>,
        pulse: Pulse,
        exits: Exits,
        (usage, learned): (Usage, Learned),
    ) -> Self {
        Self {
            units,
            secrets: None,
            backend: Backend::new(paths.run.join("wireguard-backend")),
            originals: Originals::new(paths.originals()),
            delegation: delegation::delegation(paths.delegation()),
            routed: delegation::routed(paths.routers()),
            resolver: HostResolver::new(&paths),
            exits: ExitFolder::new(paths.clone(), exits),
            usage,
            learned,
            nft: nft::Connection::new(),
            ear,
            pulse,
            paths,
        }
    }

    fn secrets(&mut self) -> Result<&Secrets, WorldError> {
        let secrets = match self.secrets.take() {
            Some(secrets) => secrets,
            // Made only for a cell that has no past: with new ones every device would be cut off.
            None if self.has_past() => Secrets::read(&self.paths.secrets()).map_err(|error| words(&error))?,
            None => Secrets::read_or_make(&self.paths.secrets()).map_err(|error| words(&error))?,
        };
        Ok(self.secrets.insert(secrets))
    }

    /// Whether the ledger has a generation.
    fn has_past(&self) -> bool {
        let names = std::fs::read_dir(self.paths.ledger()).into_iter().flatten().flatten();
        names.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "toml"))
    }

    /// Whether the host forwarded v4 packets before us: what we found, or what is there while we have not begun.
    fn routed_before(&mut self) -> Result<bool, WorldError> {
        let key = Key::new(&["net", "ipv4", "ip_forward"]);
        let kept = self.originals.values().map_err(|error| words(&error))?.remove(&key);
        let value = kept.map_or_else(|| sysctl::read(&key), |value| Ok(Some(value)));
        Ok(value.map_err(|error| words(&error))?.is_some_and(|value| value != "0"))
    }

    fn files(&self, targets: &Targets) -> Result<BTreeMap<String, File>, files::Error> {
        let mut found = BTreeMap::new();
        let instances = self.instance_files();
        let ours = [FILE_DNS, FILE_DHCP, FILE_RESOLVER, FILE_TIME].into_iter();
        let ours = ours.chain(instances.iter().map(String::as_str));
        for target in targets.files.keys().map(String::as_str).chain(ours) {
            let path = self.paths.on_disk(target);
            // Our own paths are text; another would be one that nobody configured.
            let Some(path) = path.to_str() else { continue };
            found.extend(files::observe([path])?.into_values().map(|file| (target.to_owned(), file)));
        }
        Ok(found)
    }

    /// Files of exits and apps that are there, as targets name them.
    fn instance_files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in PROGRAMS.map(Program::folder).into_iter().chain([APPS.to_owned()]) {
            let entries = std::fs::read_dir(self.paths.on_disk(&folder)).into_iter().flatten().flatten();
            let paths = entries.filter_map(|entry| Some(format!("{folder}/{}", entry.file_name().to_str()?)));
            found.extend(paths.filter(|path| unit_of_file(path).is_some() || is_app_file(path)));
        }
        found
    }

    fn sysctls(&mut self, targets: &Targets, observation: &mut Observation) -> Result<(), String> {
        let originals = self.originals.values().map_err(|error| chain(&error))?;
        for key in targets.sysctls.keys().chain(originals.keys()) {
            if let Some(value) = sysctl::read(key).map_err(|error| chain(&error))? {
                observation.observed.sysctls.insert(key.clone(), value);
            }
        }
        observation.observed.sysctl_originals = originals;
        Ok(())
    }

    /// States of services: also of those of exits and apps that are wanted, or still have their interface or snapshot.
    fn unit_states(&mut self, targets: &Targets) -> Result<BTreeMap<String, UnitState>, String> {
        let links = link::observe(LINKS).map_err(|error| chain(&error))?;
        let tunnels = links.iter().filter(|(name, link)| link.kind == Kind::Tun && is_exit(name));
        let makers = tunnels.flat_map(|(name, _)| [wireguard_unit(name), OPENVPN.unit(name)]);
        let wanted = targets.units.keys().filter(|name| name.starts_with(UNIT_WIREGUARD_EXIT)).cloned();
        let programs = targets.files.keys().cloned().chain(self.instance_files());
        let programs = programs.filter_map(|path| unit_of_file(&path));
        let names: BTreeSet<String> = wanted.chain(programs).chain(makers).collect();
        self.units.observe(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Reads one domain into its place.
    fn read(&mut self, domain: Domain, targets: &Targets, all: &mut Observation) -> Result<(), String> {
        let observed = &mut all.observed;
        match domain {
            Domain::Link | Domain::Lan | Domain::Exit => {
                let is_its = |name: &String| Domain::of_link(name) == domain;
                let links = link::observe(LINKS).map_err(|error| chain(&error))?;
                observed.links.extend(links.into_iter().filter(|(name, _)| is_its(name)));
                if domain == Domain::Lan {
                    observed.host_links = link::observe_host(LINKS).map_err(|error| chain(&error))?;
                }
                if domain == Domain::Exit {
                    let names: Vec<String> = observed
                        .links
                        .keys()
                        .filter(|name| targets.wireguard.contains_key(*name))
                        .cloned()
                        .collect();
                    for name in names {
                        if let Some((device, _)) = wireguard::observe(&name).map_err(|error| chain(&error))? {
                            observed.wireguard.insert(name, device);
                        }
                    }
                }
            }
            Domain::Wireguard => {
                if let Some((device, live)) =
                    wireguard::observe(WIREGUARD_INTERFACE).map_err(|error| chain(&error))?
                {
                    observed.wireguard.insert(WIREGUARD_INTERFACE.to_owned(), device);
                    all.live = live;
                }
            }
            Domain::Route => observed.routes = route::observe().map_err(|error| chain(&error))?,
            Domain::Rule => observed.rules = rule::observe().map_err(|error| chain(&error))?,
            Domain::Firewall => observed.nft = self.nft.observe().map_err(|error| chain(&error))?,
            Domain::Queue => observed.queues = queue::observe().map_err(|error| chain(&error))?,
            Domain::Sysctl => self.sysctls(targets, all)?,
            Domain::File => observed.files = self.files(targets).map_err(|error| chain(&error))?,
            Domain::Unit => observed.units = self.unit_states(targets)?,
            Domain::Resolver => observed.resolver = self.resolver.observe(&mut self.units, targets)?,
        }
        Ok(())
    }

    fn write(&self, target: &str, file: &File) -> Result<(), files::Error> {
        let path = self.paths.on_disk(target);
        if let Some(folder) = path.parent() {
            files::create_dir_durable(folder, 0o755)?;
        }
        files::write_atomic(&path, &file.content, file.mode)
    }
}

/// Elements from which on not listening to oneself pays.
const LARGE: usize = 256;

/// Whether a change is of many elements. The table to be replaced or deleted may be large, too.
fn is_large(action: &Action) -> bool {
    match action {
        Action::NftElements(deltas) => {
            deltas.iter().map(|delta| delta.add.len() + delta.remove.len()).sum::<usize>() > LARGE
        }
        _ => true,
    }
}

fn words(error: &dyn std::error::Error) -> WorldError {
    WorldError(chain(error))
}

impl World for HostWorld {
    fn facts(&mut self, generation: u64) -> Result<Facts, WorldError> {
        self.pulse.beat();
        let host = host::observe().map_err(|error| words(&error))?;
        let routed_before = self.routed_before()?;
        let kernel_wireguard = self.backend.is_kernel().map_err(WorldError)?;
        let chronyd = self.paths.chronyd().exists();
        let secrets = self.secrets()?;
        Ok(Facts {
            now: now(),
            generation,
            private_key: secrets.private_key.clone(),
            preshared_seed: secrets.preshared_seed.clone(),
            kernel_wireguard,
            uplink: host.uplink,
            resolvers: host.resolvers,
            host_networks: host.host_networks,
            interfaces: host.interfaces,
            advertised: host.advertised,
            delegated: self.delegation.read(),
            routed: self.routed.read(),
            routed_before,
            bans: bans::known(&self.paths.bans()),
            chronyd,
            exits: self.exits.facts(),
            spent: self.usage.spent(),
            learned: self.learned.facts(),
        })
    }

    fn observe(&mut self, targets: &Targets, domains: &BTreeSet<Domain>) -> Observation {
        let mut all = Observation::default();
        for domain in domains {
            self.pulse.beat();
            if let Err(words) = self.read(*domain, targets, &mut all) {
                all.failed.insert(*domain, words);
            }
        }
        self.pulse.beat();
        all
    }

    fn apply(&mut self, action: &Action) -> Result<(), WorldError> {
        self.pulse.beat();
        match action {
            Action::LinkCreate { .. }
            | Action::LinkUp { .. }
            | Action::LinkDelete { .. }
            | Action::LinkSet { .. }
            | Action::AddressAdd { .. }
            | Action::AddressRemove { .. } => link::apply(action).map_err(|error| words(&error)),
            Action::WireguardSet { name, delta } => {
                wireguard::apply(name, delta).map_err(|error| words(&error))
            }
            Action::RouteAdd(_) | Action::RouteRemove(_) => {
                route::apply(action).map_err(|error| words(&error))
            }
            Action::RuleAdd(_) | Action::RuleRemove(_) => rule::apply(action).map_err(|error| words(&error)),
            Action::NftReplace(_) | Action::NftElements(_) | Action::NftDelete => {
                // The engine reads the table after each change, so that nothing is missed for good.
                let _covered = self.ear.as_ref().filter(|_| is_large(action)).map(watch::Ear::cover);
                let usage = self.usage.clone();
                let learned = self.learned.clone();
                learned
                    .during(action, |action| usage.during(action, || self.nft.apply(action)))
                    .map_err(|error| words(&error))
            }
            Action::QueueSet { .. } | Action::QueueRemove { .. } => {
                queue::apply(action).map_err(|error| words(&error))
            }
            Action::SysctlSet { key, value } => self.originals.set(key, value).map_err(|error| words(&error)),
            Action::SysctlRestore { key, value } => {
                self.originals.restore(key, value).map_err(|error| words(&error))
            }
            Action::FileWrite { path, file } => self.write(path, file).map_err(|error| words(&error)),
            Action::FileRemove { path } => {
                files::remove_durable(&self.paths.on_disk(path)).map_err(|error| words(&error))
            }
            Action::UnitStart { .. } | Action::UnitStop { .. } => {
                self.units.apply(action).map_err(WorldError)
            }
            Action::ResolverTake { .. } => self.resolver.take(&mut self.units).map_err(WorldError),
            Action::ResolverRelease => self.resolver.release(&mut self.units).map_err(WorldError),
        }
    }

    fn greet(&mut self, peers: &BTreeMap<PublicKey, SocketAddr>) -> Result<(), WorldError> {
        wireguard::greet(WIREGUARD_INTERFACE, peers).map_err(|error| words(&error))
    }
}
