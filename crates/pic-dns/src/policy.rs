//! Who may ask, and through which view.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use pic_model::snapshot::dns::{DnsSnapshot, View as ViewConfig};

use crate::map::FastMap;
use crate::tally::Tally;
use crate::zone::Zones;

/// What clients in no view are called.
const EVERYONE: &str = "everyone";

/// What a client is shown. Part of every cache key, so that an answer never crosses from one view into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View(pub u16);

impl View {
    /// Clients in none of the snapshot's views.
    pub const NONE: Self = Self(u16::MAX);
}

/// What the clients of a view asked. It stays while the view has its name, whatever else becomes of it.
#[derive(Debug, Default)]
pub struct ViewTally {
    /// Name of the view, for people.
    pub name: String,
    /// Counts.
    pub tally: Tally,
}

/// Who asks, as far as answers depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its view.
    pub view: View,
    /// Its number among those that names are about; 0: none.
    pub own: u32,
    /// Sees names of our zones.
    pub cell: bool,
    /// May ask for names outside our zones.
    pub internet: bool,
    /// May be given private addresses from outside.
    pub private: bool,
    /// Blocklists that count for it, a bit each.
    pub blocks: u64,
    /// Exit that its questions for names outside leave by, by its place in the snapshot.
    pub exit: Option<u16>,
    /// Names with a way out of their own that count for it, a bit for each line of the snapshot.
    pub egress: u64,
    /// Somebody on the internet: shown what is for them and nothing else, and only so often.
    pub outside: bool,
}

impl Client {
    /// One without restrictions.
    pub const ANY: Self = Self {
        view: View::NONE,
        own: 0,
        cell: true,
        internet: true,
        private: false,
        blocks: 0,
        exit: None,
        egress: 0,
        outside: false,
    };
}

/// How to treat somebody who may not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// Say REFUSED: helps the admin who forgot to list a network.
    Refuse,
    /// Say nothing.
    Drop,
}

/// The client networks of a snapshot and their views.
#[derive(Debug, Default)]
pub struct Policy {
    clients: Vec<IpNet>,
    views: Vec<ViewConfig>,
    /// One for each view.
    tallies: Vec<Arc<ViewTally>>,
    /// Of those in no view.
    everyone: Arc<ViewTally>,
    /// Clients known by their very address.
    single: FastMap<IpAddr, Client>,
    /// All others, the longest prefix first.
    nets: Vec<(IpNet, u16)>,
    /// The view of everybody on the internet, if they are answered.
    outside: Option<u16>,
}

impl Policy {
    /// Takes over the lists of a snapshot; `zones` says who names are about.
    pub fn new(snapshot: &DnsSnapshot, zones: &Zones) -> Self {
        let (clients, outside) = (snapshot.clients.clone(), snapshot.outside);
        let mut policy = Self { clients, outside, ..Self::default() };
        let is_single = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
        let numbered = || (0_u16..).zip(&snapshot.views);
        policy.nets = numbered()
            .flat_map(|(view, config)| config.clients.iter().map(move |net| (*net, view)))
            .filter(|(net, _)| !is_single(net))
            .collect();
        policy.nets.sort_by_key(|(net, view)| (std::cmp::Reverse(net.prefix_len()), *view));
        policy.views =
            snapshot.views.iter().map(|v| ViewConfig { clients: Vec::new(), ..v.clone() }).collect();
        let singles = numbered().flat_map(|(view, config)| config.clients.iter().map(move |net| (net, view)));
        for (net, view) in singles.filter(|(net, _)| is_single(net)) {
            let client = policy.of_view(Some(view), zones.owner(net.addr().to_canonical()));
            policy.single.insert(net.addr().to_canonical(), client);
        }
        for (address, own) in zones.owners() {
            if !policy.single.contains_key(&address) {
                let client = policy.of_view(policy.view_by_net(address), own);
                policy.single.insert(address, client);
            }
        }
        policy
    }

    /// Goes on counting where `before` did, by the names of views.
    pub fn counting_on(mut self, before: &Self) -> Self {
        let tally = |name: &str| {
            let known = before.tallies.iter().chain([&before.everyone]).find(|known| known.name == name);
            let new = || Arc::new(ViewTally { name: name.to_owned(), tally: Tally::default() });
            known.map_or_else(new, Arc::clone)
        };
        self.tallies = self.views.iter().map(|view| tally(&view.name)).collect();
        self.everyone = tally(EVERYONE);
        self
    }

    /// Counts of a view.
    pub fn tally(&self, view: View) -> &Arc<ViewTally> {
        self.tallies.get(usize::from(view.0)).unwrap_or(&self.everyone)
    }

    /// Counts of all views in their order, then of those in none.
    pub fn tallies(&self) -> impl Iterator<Item = &Arc<ViewTally>> {
        self.tallies.iter().chain([&self.everyone])
    }

    fn of_view(&self, view: Option<u16>, own: u32) -> Client {
        match view.and_then(|number| Some((number, self.views.get(usize::from(number))?))) {
            Some((number, view)) => {
                let bits =
                    |list: &[u16]| list.iter().filter(|at| **at < 64).fold(0, |bits, at| bits | 1 << at);
                let (blocks, egress) = (bits(&view.blocklists), bits(&view.egress));
                let (cell, internet, private) = (view.cell, view.internet, view.private);
                Client {
                    view: View(number),
                    own,
                    cell,
                    internet,
                    private,
                    blocks,
                    exit: view.exit,
                    egress,
                    outside: false,
                }
            }
            None => Client { own, ..Client::ANY },
        }
    }

    fn view_by_net(&self, source: IpAddr) -> Option<u16> {
        self.nets.iter().find(|(net, _)| net.contains(&source)).map(|(_, view)| *view)
    }

    /// Name of a view, for people.
    pub fn view_name(&self, view: View) -> &str {
        self.views.get(usize::from(view.0)).map_or(EVERYONE, |view| view.name.as_str())
    }

    /// Who asks. Strangers are refused, but only those with a local address: the rest of the world gets no answer, and
    /// cannot use us as a mirror to bounce packets off.
    pub fn admit(&self, source: IpAddr) -> Result<Client, Stranger> {
        let source = source.to_canonical();
        if self.clients.iter().any(|net| net.contains(&source)) {
            let known = self.single.get(&source).copied();
            return Ok(known.unwrap_or_else(|| self.of_view(self.view_by_net(source), 0)));
        }
        match self.outside {
            _ if is_local(source) => Err(Stranger::Refuse),
            Some(view) => Ok(Client { outside: true, ..self.of_view(Some(view), 0) }),
            None => Err(Stranger::Drop),
        }
    }
}

fn is_local(source: IpAddr) -> bool {
    match source {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(clients: &[&str], views: &[(&str, &[&str], bool)]) -> Policy {
        let nets = |list: &[&str]| list.iter().map(|net| net.parse().unwrap()).collect();
        let view = |(name, clients, internet): &(&str, &[&str], bool)| ViewConfig {
            name: (*name).into(),
            clients: nets(clients),
            cell: true,
            internet: *internet,
            private: false,
            blocklists: vec![],
            exit: None,
            egress: vec![],
        };
        let snapshot = DnsSnapshot {
            clients: nets(clients),
            views: views.iter().map(view).collect(),
            ..DnsSnapshot::empty()
        };
        Policy::new(&snapshot, &Zones::compile(&snapshot).unwrap())
    }

    #[test]
    fn only_listed_networks_ask() {
        let policy = policy(&["10.77.0.0/16", "fd00:77::/64"], &[]);
        let admit = |ip: &str| policy.admit(ip.parse().unwrap());
        assert_eq!(admit("10.77.3.4"), Ok(Client::ANY));
        assert_eq!(admit("::ffff:10.77.3.4"), Ok(Client::ANY));
        assert_eq!(admit("fd00:77::5"), Ok(Client::ANY));
        assert_eq!(admit("192.168.1.5"), Err(Stranger::Refuse));
        assert_eq!(admit("198.51.100.7"), Err(Stranger::Drop));
    }

    #[test]
    fn the_longest_prefix_is_the_view() {
        let views: [(&str, &[&str], bool); 3] = [
            ("all", &["10.0.0.0/8"], true),
            ("guests", &["10.77.9.0/24"], false),
            ("one", &["10.77.9.9/32"], true),
        ];
        let policy = policy(&["10.0.0.0/8"], &views);
        let view = |ip: &str| {
            let client = policy.admit(ip.parse().unwrap()).unwrap();
            (policy.view_name(client.view).to_owned(), client.internet)
        };
        assert_eq!(view("10.1.2.3"), ("all".into(), true));
        assert_eq!(view("10.77.9.8"), ("guests".into(), false));
        assert_eq!(view("::ffff:10.77.9.9"), ("one".into(), true));
    }
}
