//! What a change means beyond its steps and risks, where nobody would guess it from them.

use pic_model::Desired;

/// What else to know about going from one desired state to another, in words.
pub fn notes(from: Option<&Desired>, to: Option<&Desired>) -> Vec<String> {
    from.zip(to).and_then(|(from, to)| renamed(from, to)).into_iter().collect()
}

/// Devices keep their tunnels, and lose what they call each other.
fn renamed(from: &Desired, to: &Desired) -> Option<String> {
    let (old, new) = (from.cell.name.zone(), to.cell.name.zone());
    let stays = from.peers.keys().find(|name| to.peers.contains_key(*name));
    let example = stays.map(|name| format!(": {name}.{old} becomes {name}.{new}")).unwrap_or_default();
    (old != new)
        .then(|| format!("no name under {old} resolves any more, all are under {new}{example} (cell.name)"))
}

#[cfg(test)]
mod tests {
    use pic_model::config::parse;

    use super::*;

    #[test]
    fn another_name_of_the_cell_renames_everything() {
        let key = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
        let peer = format!("[[peer]]\nname = \"phone\"\npublic_key = \"{key}\"\naddress = \"10.77.0.2\"\n");
        let cell = |name: &str, rest: &str| parse(&format!("[cell]\nname = \"{name}\"\n{rest}")).unwrap();
        let said = |from: &Desired, to: &Desired| notes(Some(from), Some(to)).concat();
        let (old, new) = (cell("old", &peer), cell("new", &peer));
        assert!(said(&old, &new).contains("phone.old.cell becomes phone.new.cell"), "{}", said(&old, &new));
        assert!(said(&old, &cell("new", "")).contains("all are under new.cell (cell.name)"));
        assert_eq!(said(&old, &cell("old", "")), "");
        assert!(notes(None, Some(&new)).is_empty() && notes(Some(&old), None).is_empty());
    }
}
