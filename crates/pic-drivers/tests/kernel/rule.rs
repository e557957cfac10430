//! Policy rules against the real kernel; `ip rule` is the judge.

use crate::common;

use std::collections::BTreeSet;

use common::{in_namespace, run};
use pic_drivers::rule;
use pic_plan::marks::MARK_MASK;
use pic_plan::plan::Action;
use pic_plan::target::rule::{Family, Owner, Rule};

fn ours(family: Family, preference: u32) -> Rule {
    Rule {
        family,
        preference,
        iif: None,
        from: None,
        oif: None,
        fwmark: None,
        table: 7700,
        no_default: false,
        owner: Owner::Cell,
    }
}

fn kernel(family: Family, preference: u32, table: u32) -> Rule {
    Rule {
        family,
        preference,
        iif: None,
        from: None,
        oif: None,
        fwmark: None,
        table,
        no_default: false,
        owner: Owner::Kernel,
    }
}

fn defaults() -> BTreeSet<Rule> {
    [kernel(Family::V4, 32766, 254), kernel(Family::V4, 32767, 253), kernel(Family::V6, 32766, 254)].into()
}

#[test]
fn reads_back_what_it_adds() {
    in_namespace(|| {
        assert_eq!(rule::observe().unwrap(), defaults(), "IPv6 has no rule for the table `default`");
        let mut wanted = BTreeSet::new();
        for family in [Family::V4, Family::V6] {
            wanted.insert(Rule { fwmark: Some((0x0100_0000, MARK_MASK)), table: 254, ..ours(family, 7710) });
            wanted.insert(Rule { table: 254, no_default: true, ..ours(family, 7711) });
            wanted.insert(Rule {
                fwmark: Some((0, MARK_MASK)),
                iif: Some("pic0".into()),
                ..ours(family, 7720)
            });
            wanted.insert(Rule { iif: Some("pic0".into()), ..ours(family, 7730) });
            let from = match family {
                Family::V4 => [10, 64, 1, 2].into(),
                Family::V6 => [0xfc00, 0, 0, 0, 0, 0, 0, 2].into(),
            };
            wanted.insert(Rule { from: Some(from), table: 7702, ..ours(family, 7703) });
            wanted.insert(Rule { oif: Some("pic5002".into()), table: 7702, ..ours(family, 7702) });
        }
        for rule in wanted.iter().chain(&wanted) {
            rule::apply(&Action::RuleAdd(rule.clone())).unwrap();
        }
        let mut all = defaults();
        all.extend(wanted.clone());
        assert_eq!(rule::observe().unwrap(), all);
        let shown = run("ip rule");
        assert!(
            shown.contains("7710:\tfrom all fwmark 0x1000000/0xff000000 lookup main proto 77"),
            "{shown}"
        );
        assert!(shown.contains("7730:\tfrom all iif pic0"), "{shown}");
        assert_eq!(run("ip -6 rule").matches("proto 77").count(), 6);
        assert!(
            shown.contains("7703:\tfrom 10.64.1.2 lookup 7702") && shown.contains("oif pic5002"),
            "{shown}"
        );

        for rule in wanted.iter().chain(&wanted) {
            rule::apply(&Action::RuleRemove(rule.clone())).unwrap();
        }
        assert_eq!(rule::observe().unwrap(), defaults());
    });
}

#[test]
fn the_kernels_defaults_are_put_back_after_a_flush() {
    in_namespace(|| {
        run("ip rule flush");
        run("ip -6 rule flush");
        assert!(rule::observe().unwrap().is_empty());
        for rule in defaults() {
            rule::apply(&Action::RuleAdd(rule)).unwrap();
        }
        assert_eq!(rule::observe().unwrap(), defaults());
        let shown = run("ip rule");
        assert!(shown.contains("32766:\tfrom all lookup main"), "{shown}");
        assert!(!shown.contains("main proto"), "the kernel's own mark: {shown}");
    });
}

#[test]
fn others_rules_are_not_ours() {
    in_namespace(|| {
        run("ip rule add pref 100 lookup 7700");
        run("ip rule add pref 7705 from 10.0.0.0/8 lookup 7700");
        run("ip rule add pref 7706 lookup main suppress_prefixlength 1");
        run("ip rule add pref 7707 not fwmark 1 lookup main");
        run("ip rule add pref 7708 blackhole");
        run("ip rule add pref 7709 lookup 7700");
        let mut expected = defaults();
        expected.insert(ours(Family::V4, 7709));
        assert_eq!(rule::observe().unwrap(), expected, "in our range and of our shape counts as ours");
        rule::apply(&Action::RuleRemove(ours(Family::V4, 7709))).unwrap();
        assert_eq!(rule::observe().unwrap(), defaults());
        assert_eq!(run("ip rule").lines().count(), 8);
    });
}
