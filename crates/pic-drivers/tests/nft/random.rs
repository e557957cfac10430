//! Whatever elements a set gets, they are read back the same, and so is the way from any of them to any other.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{Ipv4Net, Ipv6Net};
use pic_drivers::nft;
use pic_plan::plan::Action;
use pic_plan::target::nft::{Elements, Flow, L4, SetDelta, Table};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::hosts::Host;

/// Drops networks that overlap an earlier one.
fn apart<N: Ord + Copy>(nets: Vec<N>, overlap: impl Fn(&N, &N) -> bool) -> BTreeSet<N> {
    let mut kept: Vec<N> = Vec::new();
    for net in nets {
        if !kept.iter().any(|other| overlap(&net, other)) {
            kept.push(net);
        }
    }
    kept.into_iter().collect()
}

fn nets4() -> impl Strategy<Value = Elements> {
    // Few distinct addresses and edges of the space, so that networks touch each other.
    let address = prop_oneof![any::<u32>(), (0..64_u32).prop_map(|n| n << 20), Just(u32::MAX), Just(0)];
    let net = (address, 0..=32_u8).prop_map(|(a, l)| Ipv4Net::new(a.into(), l).unwrap().trunc());
    prop::collection::vec(net, 0..40)
        .prop_map(|nets| Elements::Net4(apart(nets, |a, b| a.contains(b) || b.contains(a))))
}

fn nets6() -> impl Strategy<Value = Elements> {
    let address = prop_oneof![any::<u128>(), (0..64_u128).prop_map(|n| n << 64), Just(u128::MAX), Just(0)];
    let net = (address, 0..=128_u8).prop_map(|(a, l)| Ipv6Net::new(a.into(), l).unwrap().trunc());
    prop::collection::vec(net, 0..40)
        .prop_map(|nets| Elements::Net6(apart(nets, |a, b| a.contains(b) || b.contains(a))))
}

fn address4() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Into::into)
}

fn transport() -> impl Strategy<Value = L4> {
    prop_oneof![Just(L4::Tcp), Just(L4::Udp)]
}

fn flow<A: std::fmt::Debug + Clone>(
    address: impl Strategy<Value = A> + Clone + 'static,
) -> impl Strategy<Value = Flow<A>> {
    (address.clone(), address, transport(), any::<u16>())
        .prop_map(|(source, destination, transport, port)| Flow { source, destination, transport, port })
}

/// Two states of a set of the same type.
fn pair() -> impl Strategy<Value = (Elements, Elements)> {
    let few = 0..200;
    let v4 =
        prop::collection::btree_set(any::<u32>().prop_map(Into::into), few.clone()).prop_map(Elements::V4);
    let v6 =
        prop::collection::btree_set(any::<u128>().prop_map(Into::into), few.clone()).prop_map(Elements::V6);
    let ports = prop::collection::btree_set(any::<u16>(), few.clone()).prop_map(Elements::Ports);
    let pairs = prop::collection::btree_set((address4(), address4()), few.clone())
        .prop_map(|pairs| Elements::Pairs4(pairs.into()));
    let flows = prop::collection::btree_set(flow(any::<u128>().prop_map(Ipv6Addr::from)), few.clone())
        .prop_map(|flows| Elements::Flows6(flows.into()));
    // Few keys, so that values change.
    let key = (transport(), 1..9_u16);
    let forwards =
        prop::collection::btree_map(key, (address4(), any::<u16>()), few).prop_map(Elements::Forwards4);
    fn twice(one: impl Strategy<Value = Elements> + 'static) -> BoxedStrategy<(Elements, Elements)> {
        let one = one.boxed();
        (one.clone(), one).boxed()
    }
    prop_oneof![
        twice(v4),
        twice(v6),
        twice(ports),
        twice(nets4()),
        twice(nets6()),
        twice(pairs),
        twice(flows),
        twice(forwards)
    ]
}

#[test]
fn random_elements_are_read_back_and_changed() {
    Host::new().run(|| {
        let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
        TestRunner::new(config)
            .run(&pair(), |(first, second)| {
                let table =
                    |elements| Table { sets: [("set".to_owned(), elements)].into(), chains: Vec::new() };
                let now = table(first.clone());
                nft::apply(&Action::NftReplace(now.clone())).unwrap();
                prop_assert_eq!(nft::observe().unwrap(), Some(Arc::new(now.expected())));
                let (add, remove) = second.delta(&first).unwrap();
                let delta = SetDelta { set: "set".to_owned(), add, remove };
                nft::apply(&Action::NftElements(vec![delta])).unwrap();
                prop_assert_eq!(nft::observe().unwrap(), Some(Arc::new(table(second).expected())));
                Ok(())
            })
            .unwrap();
    });
}
