//! A cell's whole life on a real Debian: installed by the one line, used by a phone, rebooted, upgraded, cut from
//! power, maltreated, removed without a trace. Once for each release; the phone is a machine of the other.
//!
//! A step that fails does not end the story, unless nothing after it makes sense: one run tells all that is wrong.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod guests;
mod heal;
mod install;
mod line;
mod peers;
mod phone;
mod power;
mod reboot;
mod remove;
mod scene;
mod upgrade;

use std::time::Instant;

use anyhow::Result;
use pic_lab::{Internet, Release, Stage, stage, wait};

use scene::{Behind, Scene};

/// Who runs the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Installer {
    Root,
    /// An ordinary user who may use sudo.
    Admin,
}

#[test]
fn a_life_on_debian_13() {
    story(Release::Trixie, Release::Bookworm, Installer::Root, 5);
}

#[test]
fn a_life_on_debian_12() {
    // The ledger is the same on both: fewer cuts are enough here.
    story(Release::Bookworm, Release::Trixie, Installer::Admin, 2);
}

#[test]
#[ignore = "takes minutes; scripts/soak power"]
fn power_cuts_until_the_time_is_over() {
    let end = wait::soak_end();
    let lab = Internet::start().unwrap();
    let behind = Behind::new().unwrap();
    let mut scene = Scene::start(&lab, &behind, Release::Trixie, Release::Bookworm).unwrap();
    install::install(&scene, Installer::Root).expect("an installed cell");
    let mut last = 0;
    let rounds = (1..).take_while(|_| Instant::now() < end).inspect(|round| last = *round);
    let result = power::cuts(&mut scene, rounds);
    stage::note(&format!("power cuts: {last} cuts"));
    result.unwrap();
}

fn story(cell: Release, phone: Release, who: Installer, power_cuts: u64) {
    let lab = Internet::start().unwrap();
    let behind = Behind::new().unwrap();
    let mut scene = Scene::start(&lab, &behind, cell, phone).unwrap();
    let mut told = Told::default();
    let before = scene.footprint().unwrap();
    let installed = told.step("install", || install::install(&scene, who)).expect("an installed cell");
    told.step("the phone connects", || phone::connect(&scene, &installed.config));
    told.step("the phone reaches what it was granted", || phone::granted(&scene));
    told.step("the phone reaches nothing else", || phone::not_granted(&scene));
    told.step("guests on a VLAN", || guests::guests(&scene));
    told.step("a line that is shared", || line::shared(&scene));
    told.step("run again", || install::again(&scene, who));
    told.step("upgrade", || upgrade::upgrade(&scene));
    told.step("maltreatment", || heal::heal(&scene));
    told.step("reboot", || reboot::reboot(&mut scene));
    told.step("power cuts", || power::cuts(&mut scene, 1..=power_cuts));
    told.step("remove", || remove::remove(&scene, who, &before));
    told.end();
}

/// What failed so far.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    fn step<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Option<T> {
        let _stage = Stage::start(name);
        match step() {
            Ok(value) => Some(value),
            Err(error) => {
                stage::note(&format!("FAILED {name}: {error:#}"));
                self.0.push(format!("{name}: {error:#}"));
                None
            }
        }
    }

    fn end(self) {
        assert!(self.0.is_empty(), "{} steps failed:\n\n{}", self.0.len(), self.0.join("\n\n"));
    }
}
