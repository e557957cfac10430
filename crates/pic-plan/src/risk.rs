//! Which changes could cut off the one who makes them: these wait for a confirmation by default.

use pic_model::Desired;
use pic_model::desired::Inbound;
use pic_model::lan::Lan;
use pic_model::name::LanName;

use crate::plan::Risk;

const SSH: &str = "ssh to this host may be cut off (firewall.inbound, firewall.ssh)";

/// What could be lost by going from one desired state to another. The first state of a cell takes no peer's way, but it
/// may close the host that its maker is logged in to.
pub fn risks(from: Option<&Desired>, to: Option<&Desired>) -> Vec<Risk> {
    let risk = |words: &str| Risk { words: words.to_owned() };
    let Some(from) = from else {
        let closes = to.is_some_and(|to| to.firewall.inbound == Inbound::Closed);
        return if closes { vec![risk(SSH)] } else { Vec::new() };
    };
    let Some(to) = to else { return vec![risk("the whole cell goes: every peer loses its way in")] };
    let mut risks = Vec::new();
    let (old, new) = (&from.firewall, &to.firewall);
    if (old.inbound, new.inbound) == (Inbound::Closed, Inbound::Open) {
        risks.push(risk("whatever listens on this host can be reached from the internet (firewall.inbound)"));
    } else if old.inbound != new.inbound || !new.ssh.is_superset(&old.ssh) {
        risks.push(risk(SSH));
    }
    if !new.admin.is_superset(&old.admin) {
        risks.push(risk("an admin's address loses its protected ssh (firewall.admin)"));
    }
    if !new.open.is_superset(&old.open) {
        risks.push(risk("a port that was open closes (firewall.open)"));
    }
    if from.uplink.interface != to.uplink.interface {
        risks.push(risk("peers may lose the internet (uplink.interface)"));
    }
    let (old, new) = (&from.wireguard, &to.wireguard);
    if (old.port, old.ipv4, old.ipv6, old.mtu) != (new.port, new.ipv4, new.ipv6, new.mtu) {
        risks.push(risk("every peer must get a new configuration (wireguard.port, ipv4, ipv6 or mtu)"));
    }
    // Nobody comes in by an app.
    for (name, lan) in lans(from).filter(|(name, lan)| to.lans.get(*name) != Some(*lan)) {
        risks.push(risk(&format!("devices of LAN {name} may lose their way ({})", lan.device())));
    }
    for name in
        from.subnets.iter().filter(|(name, old)| to.subnets.get(*name) != Some(*old)).map(|(name, _)| name)
    {
        risks.push(risk(&format!("devices of subnet {name} may lose their way")));
    }
    let is_new = |name| !from.lans.contains_key(name);
    for (name, lan) in lans(to).filter(|(name, lan)| is_new(*name) && !lan.uplink) {
        risks.push(risk(&format!(
            "whoever reaches this host by {} gets the rules of LAN {name}",
            lan.device()
        )));
    }
    risks
}

/// LANs, without the networks of apps.
fn lans(state: &Desired) -> impl Iterator<Item = (&LanName, &Lan)> {
    state.lans.iter().filter(|(_, lan)| lan.app.is_none())
}

#[cfg(test)]
mod tests {
    use pic_model::config::parse;

    use super::*;

    #[test]
    fn the_first_state_may_close_the_host() {
        let cell =
            |inbound| parse(&format!("[cell]\nname = \"home\"\n[firewall]\ninbound = \"{inbound}\"\n")).ok();
        let (closed, open) = (cell("closed"), cell("open"));
        assert_eq!(risks(None, closed.as_ref()).len(), 1);
        assert_eq!(risks(None, open.as_ref()), []);
        assert_eq!(risks(None, None), []);
        assert_eq!(risks(closed.as_ref(), closed.as_ref()), []);
    }
}
