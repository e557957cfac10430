//! Hosts whose resolv.conf is written by a resolvconf(8), with the scripts of both packages.

use pic_lab::cmd;
use pic_lab::image::{self, Release};

use crate::rig::{CELL, Host, OWN};
use crate::{release, started, take};

/// Lays the files of a package over this host's.
fn install(host: &Host, name: &str) {
    let package = image::package(Release::Trixie, name).unwrap();
    let script = "mkdir /etc/package && dpkg-deb -x \"$1\" /etc/package && cd /etc/package && \
        if [ -d sbin ]; then mkdir -p usr && cp -a sbin usr/; fi && if [ -d lib ]; then mkdir -p usr && cp -a lib usr/; fi && \
        if [ -d etc ]; then cp -a etc/. /etc/; fi && \
        mount -t overlay -o lowerdir=/etc/package/usr:/usr none /usr && \
        mkdir -p /run/resolvconf && mount -t tmpfs none /run/resolvconf && mkdir -p /run/resolvconf/interface";
    let mut command = host.command("sh");
    cmd::run(command.args(["-euc", script, "sh"]).arg(&package)).unwrap().ok().unwrap();
}

/// The same for both: an interface's own resolver, then the cell before it, then without the cell.
fn goes_and_comes_back(host: &Host) {
    host.sh(&format!("echo nameserver {OWN} | resolvconf -a eth0 || true")).unwrap().ok().unwrap();
    host.resolves().unwrap();
    let before = host.resolv_conf().unwrap();
    take(host);
    let text = host.resolv_conf().unwrap();
    let first = text.lines().find_map(|line| line.strip_prefix("nameserver "));
    assert!(first == Some(CELL) && text.contains(OWN), "the cell first, the host's own behind:\n{text}");
    assert!(host.asks_the_cell().unwrap());
    take(host);
    // A lease with another server: theirs to write, ours stays in its place.
    host.sh("echo nameserver 192.0.2.54 | resolvconf -a eth1 || true").unwrap().ok().unwrap();
    assert!(host.asks_the_cell().unwrap());
    host.sh("resolvconf -d eth1 || true").unwrap().ok().unwrap();
    release(host);
    assert_eq!(host.resolv_conf().unwrap(), before);
    host.is_clean().unwrap();
}

#[test]
fn openresolv_is_told() {
    let host = started();
    install(&host, "openresolv");
    host.sh("rm /etc/resolv.conf").unwrap().ok().unwrap();
    goes_and_comes_back(&host);
}

#[test]
fn debians_resolvconf_is_told() {
    let host = started();
    install(&host, "resolvconf");
    host.sh("rm -rf /etc/resolvconf/run; ln -s /run/resolvconf /etc/resolvconf/run; ln -sf ../run/resolvconf/resolv.conf /etc/resolv.conf; resolvconf --enable-updates || true")
        .unwrap()
        .ok()
        .unwrap();
    goes_and_comes_back(&host);
}
