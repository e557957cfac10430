//! The OpenAPI document: committed, complete, and true.

use std::path::Path;

use serde_json::Value;

use crate::rig::Rig;

/// `PIC_UPDATE=1 cargo test -p pic-agent document` writes it anew.
#[test]
fn the_committed_document_is_the_present_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let text = pic_agent::openapi::text() + "\n";
    if std::env::var_os("PIC_UPDATE").is_some() {
        pic_drivers::files::write_atomic(&path, text.as_bytes(), 0o644).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/openapi.json is old: run PIC_UPDATE=1 cargo test -p pic-agent document");
}

pub(crate) fn document() -> Value {
    serde_json::from_str(&pic_agent::openapi::text()).unwrap()
}

#[test]
fn it_is_served() {
    let served = Rig::new().get("/openapi.json").ok().json;
    assert_eq!(served, document());
}

/// Every documented route exists, and every other method on its path is refused by name.
#[test]
fn every_documented_route_exists() {
    let rig = Rig::new();
    let document = document();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let real = path.replace("{name}", "nobody").replace("{id}", "op-999").replace("{n}", "999");
        let real = real.replace("{a}", "1").replace("{b}", "1");
        for method in ["get", "post", "put", "patch", "delete"] {
            if method == "get" && path == "/api/events" {
                count += 1;
                continue; // It does not end; see `events`.
            }
            let answer = rig.send(&method.to_uppercase(), &real, &[], None);
            if item.get(method).is_some() {
                count += 1;
                assert!(
                    answer.status != 405 && answer.status != 500 && answer.status != 0,
                    "{method} {path}"
                );
                let detail = answer.json["detail"].as_str().unwrap_or_default();
                assert!(!detail.contains("there is no route"), "{method} {path}");
            } else {
                answer.problem(405, "method-not-allowed");
                assert!(answer.header("allow").is_some_and(|allow| !allow.is_empty()), "{method} {path}");
            }
        }
    }
    assert_eq!(count, 79, "a route was added or removed: change this number and the document");
}

/// Every reference leads somewhere.
#[test]
fn references_resolve() {
    let document = document();
    let text = document.to_string();
    let names: Vec<&str> =
        text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(names.len() > 30);
    for name in names {
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}
