//! The first `cell.toml`: short, and so commented that a person learns from it how to go on.

use pic_model::Problems;

use crate::choice::Choice;
use crate::options::port_words;

/// The text for a choice, read back before it counts.
pub(crate) fn text(choice: &Choice) -> Result<String, Problems> {
    let text = compose(choice);
    pic_model::config::parse(&text).map(|_| text)
}

fn compose(choice: &Choice) -> String {
    let setting = |name: &str, value: Option<String>, default: &str, about: &str| {
        let line = value.map_or_else(|| format!("# {name} = {default}"), |value| format!("{name} = {value}"));
        format!("{line:<32}# {about}\n")
    };
    let quoted = |text: &str| format!("\"{}\"", text.escape_default());
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    let some = |items: Vec<String>| if items.is_empty() { None } else { Some(list(items)) };
    let network = choice.network.map(|net| quoted(&net.to_string()));
    let endpoint = choice.endpoint.as_deref().map(quoted);
    let admin = some(choice.admin.iter().map(|ip| quoted(&ip.to_string())).collect());
    let open = some(choice.open.iter().map(|port| quoted(&port_words(*port))).collect());
    let ssh = Some(list(choice.ssh.iter().map(ToString::to_string).collect()));
    [
        "# The whole of this cell: the agent makes the host what stands here, and keeps it so.\n".to_owned(),
        "# picctl edits this file, and so may you: then `picctl plan` shows what would change, `picctl apply` does it.\n".to_owned(),
        "# Lines that start with # are defaults or examples. All settings: man cell.toml\n".to_owned(),
        "version = 1\n\n[cell]\n".to_owned(),
        setting("name", Some(quoted(choice.name.as_str())), "", &format!("devices are NAME.{}", choice.name.zone())),
        setting("domain", choice.domain.as_ref().map(|d| quoted(d.as_str())), "\"home.example.org\"", "public name, which devices dial"),
        setting("timezone", choice.timezone.as_deref().map(quoted), "\"Europe/Paris\"", "whose clock schedules mean; without it UTC"),
        "\n[wireguard]\n".to_owned(),
        setting("port", Some(choice.port.to_string()), "", "UDP; let it through in a router before this host"),
        setting("ipv4", network, "\"10.77.0.0/16\"", "of the devices; the cell is its first address"),
        setting("ipv6", None, "\"auto\"", "a /64 of the cell's own; \"off\" is none"),
        setting("endpoint", endpoint, "\"auto\"", "what devices dial; auto: domain, else this host's address"),
        "\n[dns]\n".to_owned(),
        setting("host", None, "true", "this host asks the cell first, once it answers; false: never"),
        setting("upstreams", None, "[\"tls://9.9.9.9\"]", "for names outside; without it, this host's own resolvers"),
        format!("\n[firewall]                      # chosen at install: {}\n", choice.because),
        setting("inbound", Some(quoted(choice.stance.as_str())), "", "closed: from outside only what stands below; open: all"),
        setting("ssh", ssh, "", "this host's own sshd, always reachable"),
        setting("admin", admin, "[\"192.0.2.7\"]", "addresses that no change may lock out"),
        setting("open", open, "[\"tcp/443\"]", "more ports of this host to leave open"),
        "\n# One [[peer]] for each device; `picctl peer add phone` writes it for you.\n".to_owned(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::{facts, options};
    use crate::choice::choose;

    #[test]
    fn says_what_was_chosen_in_forty_lines() {
        let line =
            ["--name=den", "--domain=den.example.org", "--endpoint=vpn.example.org:443", "--open=tcp/80"];
        let choice = choose(&facts(), &options(&line)).unwrap();
        let text = text(&choice).unwrap();
        assert!(text.lines().count() <= 40, "{text}");
        assert!(text.lines().all(|line| line.len() <= 120), "{text}");
        let desired = pic_model::config::parse(&text).unwrap();
        let back =
            Choice { because: choice.because, endpoint: choice.endpoint.clone(), ..Choice::of(&desired) };
        assert_eq!(back, choice);
        assert_eq!(desired.wireguard.endpoint.unwrap().port, Some(443));
    }

    #[test]
    fn a_hostile_endpoint_is_refused_by_the_reader() {
        let mut choice = choose(&facts(), &options(&[])).unwrap();
        choice.endpoint = Some("x\"\n[cell]\nname = \"y".into());
        assert!(text(&choice).is_err());
    }
}
