#!/usr/bin/env bats
# The package's scripts on booted hosts, in containers: deb-host.sh on each root in PIC_TEST_ROOTS (unpacked Debian roots
# with systemd). Without any, one is made with mmdebstrap and kept under build/.

load helper
load deb

setup_file() {
    load deb
    TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    stub_deb "$BATS_FILE_TMPDIR" 1.0
    stub_deb "$BATS_FILE_TMPDIR" 2.0 pic-agent=2
    stub_deb "$BATS_FILE_TMPDIR" 3.0 pic-agent=2 pic-dns=2 pic-wg=2 pic-guard=2
    cp "$TOP/tests/sh/deb-host.sh" "$BATS_FILE_TMPDIR/"
    if [ -z "${PIC_TEST_ROOTS:-}" ]; then
        export PIC_TEST_ROOTS=$TOP/build/test-root-trixie
        [ -e "$PIC_TEST_ROOTS/etc/debian_version" ] ||
            mmdebstrap --quiet --variant=apt --include=systemd,systemd-sysv,dbus,procps,passwd,libnftnl11,libmnl0 trixie "$PIC_TEST_ROOTS"
    fi
}

@test "install, upgrades, failed removal, removal, purge" {
    for root in $PIC_TEST_ROOTS; do
        echo "# $root"
        "$TOP/tests/sh/nspawn-run" "$root" "$BATS_FILE_TMPDIR" deb-host.sh || { cat "$BATS_FILE_TMPDIR/out"; false; }
        tail -n 1 "$BATS_FILE_TMPDIR/out" | grep -qx 'ALL GOOD'
    done
}
