use super::*;

fn sets() -> BTreeMap<String, Elements> {
    [
        ("four".to_owned(), Elements::V4([].into())),
        ("six".to_owned(), Elements::Net6([].into())),
        ("ports".to_owned(), Elements::Ports([].into())),
    ]
    .into()
}

fn names(exprs: &[Expr]) -> Vec<String> {
    let encoded = rule(&sets(), exprs).unwrap();
    encoded.iter().map(|ex| ex.name.to_string_lossy().into_owned()).collect()
}

#[test]
fn addresses_are_read_behind_their_family_only() {
    let said = names(&[Expr::Family(Family::V4), Expr::SourceIn(Is::In, "four".to_owned())]);
    let unsaid = names(&[Expr::SourceIn(Is::In, "four".to_owned())]);
    assert_eq!(said, ["meta", "cmp", "payload", "lookup"]);
    assert_eq!(said, unsaid);
    // A contradiction stays one: it matches nothing instead of reading another header.
    let both = names(&[Expr::Family(Family::V4), Expr::SourceIn(Is::In, "six".to_owned())]);
    assert_eq!(both, ["meta", "cmp", "meta", "cmp", "payload", "lookup"]);
}

#[test]
fn ports_and_icmp_types_need_their_transport() {
    let problem = |exprs: &[Expr]| rule(&sets(), exprs).unwrap_err();
    assert_eq!(problem(&[Expr::DestinationPort(53)]), RuleProblem::PortWithoutTransport);
    assert_eq!(problem(&[Expr::L4(L4::Icmp), Expr::SourcePort(53)]), RuleProblem::PortWithoutTransport);
    assert_eq!(problem(&[Expr::L4(L4::Tcp), Expr::IcmpType(8)]), RuleProblem::TypeWithoutIcmp);
}

#[test]
fn sets_must_be_there_and_of_the_right_kind() {
    let problem = |exprs: &[Expr]| rule(&sets(), exprs).unwrap_err();
    let set = |name: &str| name.to_owned();
    assert_eq!(problem(&[Expr::SourceIn(Is::In, set("x"))]), RuleProblem::NoSuchSet(set("x")));
    assert_eq!(problem(&[Expr::SourceIn(Is::In, set("ports"))]), RuleProblem::WrongSet(set("ports")));
    let port_in = [Expr::L4(L4::Tcp), Expr::DestinationPortIn(set("four"))];
    assert_eq!(problem(&port_in), RuleProblem::WrongSet(set("four")));
}

#[test]
fn interface_names_that_cannot_be_are_refused() {
    for name in ["", "*", "sixteen-bytes-xx", "a\0b"] {
        let problem = rule(&sets(), &[Expr::Iif(Is::In, name.to_owned())]).unwrap_err();
        assert_eq!(problem, RuleProblem::Interface(name.to_owned()));
    }
}
