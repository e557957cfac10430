//! Which changes could cut off the one who makes them: these wait for a confirmation by default.

use pic_model::Desired;

use crate::plan::Risk;

/// What could be lost by going from one desired state to another. The first state of a cell has nothing to lose.
pub fn risks(from: Option<&Desired>, to: Option<&Desired>) -> Vec<Risk> {
    let Some(from) = from else { return Vec::new() };
    let risk = |words: &str| Risk { words: words.to_owned() };
    let Some(to) = to else { return vec![risk("the whole cell goes: every peer loses its way in")] };
    let mut risks = Vec::new();
    let (old, new) = (&from.firewall, &to.firewall);
    if old.inbound != new.inbound || !new.ssh.is_superset(&old.ssh) {
        risks.push(risk("ssh to this host may be cut off (firewall.inbound, firewall.ssh)"));
    }
    if !new.admin.is_superset(&old.admin) {
        risks.push(risk("an admin's address loses its protected ssh (firewall.admin)"));
    }
    if !new.open.is_superset(&old.open) {
        risks.push(risk("a port that was open closes (firewall.open)"));
    }
    if from.uplink != to.uplink {
        risks.push(risk("peers may lose the internet (uplink.interface)"));
    }
    let (old, new) = (&from.wireguard, &to.wireguard);
    if (old.port, old.ipv4, old.ipv6, old.mtu) != (new.port, new.ipv4, new.ipv6, new.mtu) {
        risks.push(risk("every peer must get a new configuration (wireguard.port, ipv4, ipv6 or mtu)"));
    }
    for (name, lan) in from.lans.iter().filter(|(name, lan)| to.lans.get(*name) != Some(*lan)) {
        risks.push(risk(&format!("devices of LAN {name} may lose their way ({})", lan.device())));
    }
    for (name, lan) in to.lans.iter().filter(|(name, _)| !from.lans.contains_key(*name)) {
        risks.push(risk(&format!(
            "whoever reaches this host by {} gets the rules of LAN {name}",
            lan.device()
        )));
    }
    risks
}
