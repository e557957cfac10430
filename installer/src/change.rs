//! A cell that exists: only what was asked for is changed, and by the agent, which plans it, applies it and takes it
//! back if it does not hold.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use pic_api::client::{Change, Client, Wait};
use pic_api::config::{ChangeOptions, PatchConfig};
use pic_api::operation::Operation;
use pic_model::Desired;

use crate::options::{Options, port_words};

/// A cell is not renamed in passing: all its devices' names would go with the old one.
pub(crate) fn same_cell(desired: &Desired, options: &Options) -> Result<(), String> {
    let (here, wanted) = (&desired.cell.name, options.name.as_ref());
    wanted.filter(|name| *name != here).map_or(Ok(()), |name| {
        Err(format!(
            "this host's cell is called \"{here}\", not \"{name}\", and nothing was changed. Leave --name out to upgrade and \
             repair it; to rename it, and with it every name of its devices: sudo picctl config set cell.name {name}"
        ))
    })
}

/// What each does, for a person.
pub(crate) fn words(set: &BTreeMap<String, Option<String>>) -> Vec<String> {
    set.iter()
        .map(|(path, value)| format!("set {path} = {}", value.as_deref().unwrap_or("default")))
        .collect()
}

/// The settings that differ from what the cell has, as paths and TOML values.
pub(crate) fn settings(desired: &Desired, options: &Options) -> BTreeMap<String, Option<String>> {
    let mut set = BTreeMap::new();
    let mut put = |path: &str, value: String| drop(set.insert(path.to_owned(), Some(value)));
    let quoted = |text: &str| format!("\"{}\"", text.escape_default());
    if let Some(domain) =
        options.domain.as_ref().filter(|domain| Some(*domain) != desired.cell.domain.as_ref())
    {
        put("cell.domain", quoted(domain.as_str()));
    }
    let stance = crate::choice::Choice::of(desired).stance;
    if let Some(inbound) = options.inbound.filter(|inbound| *inbound != stance) {
        put("firewall.inbound", quoted(inbound.as_str()));
    }
    let open: BTreeSet<_> = desired.firewall.open.iter().chain(&options.open).copied().collect();
    if open != desired.firewall.open {
        let list: Vec<String> = open.into_iter().map(|port| quoted(&port_words(port))).collect();
        put("firewall.open", format!("[{}]", list.join(", ")));
    }
    if let Some(endpoint) = &options.endpoint {
        put("wireguard.endpoint", quoted(endpoint));
    }
    set
}

/// Has the agent make them; `None` when there is nothing to change.
pub(crate) async fn apply(
    client: &Client,
    set: BTreeMap<String, Option<String>>,
) -> Result<Option<Operation>> {
    if set.is_empty() {
        return Ok(None);
    }
    let options = ChangeOptions { reason: "pic-installer".to_owned(), confirm_seconds: None };
    let patch = PatchConfig { set, options };
    Ok(Some(client.change(&Change::Patch(&patch, None), Wait::Settled).await?.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::options;

    #[test]
    fn only_what_was_asked_for_and_differs() {
        let cell = "[cell]\nname = \"home\"\n[firewall]\nopen = [\"tcp/443\"]\n";
        let desired = pic_model::config::parse(cell).unwrap();
        assert!(settings(&desired, &options(&[])).is_empty());
        assert!(
            settings(&desired, &options(&["--name=home", "--open=tcp/443", "--inbound=closed"])).is_empty()
        );
        let set = settings(&desired, &options(&["--open=tcp/80", "--inbound=open", "--endpoint=a.example"]));
        let words: Vec<String> = set.iter().map(|(k, v)| format!("{k}={}", v.as_deref().unwrap())).collect();
        let want = [
            "firewall.inbound=\"open\"",
            "firewall.open=[\"tcp/80\", \"tcp/443\"]",
            "wireguard.endpoint=\"a.example\"",
        ];
        assert_eq!(words, want);
    }

    #[test]
    fn a_cell_is_not_renamed_in_passing() {
        let desired = pic_model::config::parse("[cell]\nname = \"home\"\n").unwrap();
        assert_eq!(same_cell(&desired, &options(&["--name=home"])), Ok(()));
        assert_eq!(same_cell(&desired, &options(&[])), Ok(()));
        let words = same_cell(&desired, &options(&["--name=den"])).unwrap_err();
        assert!(words.contains("config set cell.name den"), "{words}");
    }
}
