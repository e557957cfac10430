//! What a person reads where the API's own words would be riddles.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops there")]

mod kit;

use kit::{Agent, answers};
use pic_api::dhcp::LeaseList;
use pic_api::policy::{Reaches, WhoList};
use pic_api::problem::{Code, FieldError, ProblemDetails};

/// A refused value of a request, which stands in no file.
fn refused(pointer: &str, message: &str) -> ProblemDetails {
    let mut problem = answers::problem(Code::Invalid, message);
    problem.errors = vec![FieldError {
        pointer: pointer.into(),
        line: 0,
        column: 0,
        code: "bad-value".into(),
        message: message.into(),
        hint: String::new(),
    }];
    problem
}

#[test]
fn no_leases_without_a_lan() {
    let none = LeaseList { items: Vec::new(), total: 0, next: None, lans: Vec::new() };
    let ran = Agent::start().on("GET /api/dhcp/leases", none).run(&["dhcp", "leases"]);
    assert!(ran.code == 0 && ran.err.contains("[[lan]]"), "{}", ran.all());
}

#[test]
fn a_reservation_is_refused_by_its_options() {
    let problem = refused("/ip", "10.9.9.9 is in no [[lan]] and no [[subnet]]");
    let agent = Agent::start().refuse("POST /api/dhcp/reservations?wait=false", &problem);
    let reserve = ["dhcp", "reserve", "nas", "--address", "10.9.9.9", "--mac", "02:00:00:00:00:01"];
    let ran = agent.run(&reserve);
    assert!(ran.code == 3 && ran.err.contains("\n--address: 10.9.9.9 is in no"), "{}", ran.err);
    let ran = agent.run(&[&reserve[..], &["--json"]].concat());
    let document: ProblemDetails = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(document.errors, problem.errors);
}

#[test]
fn a_grant_without_a_name_is_counted() {
    let one = |by: &str| Reaches {
        subject: "phone".into(),
        target: "nas".into(),
        by: by.into(),
        when: String::new(),
    };
    let list = WhoList { to: "nas".into(), items: vec![one("grant[0]"), one("grant films")] };
    let ran = Agent::start().on("GET /api/who?to=nas", list).run(&["who", "nas"]);
    assert!(ran.out.contains("[[grant]] no. 1") && ran.out.contains("grant films"), "{}", ran.out);
}

#[test]
fn a_setting_of_a_named_table_is_no_file() {
    let problem = refused("/exit nl/file", "nl.conf cannot be used: no PrivateKey");
    let agent = Agent::start().refuse("PATCH /api/config?plan=true", &problem);
    let ran = agent.run(&["config", "set", "cell.name", "x"]);
    assert!(ran.err.contains("\nexit nl, file: nl.conf cannot"), "{}", ran.err);
}
