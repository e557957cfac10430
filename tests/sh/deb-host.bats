#!/usr/bin/env bats
# The package's scripts on booted hosts, in containers: deb-host.sh on each root in PIC_TEST_ROOTS (unpacked Debian roots
# with systemd); tests/sh/run makes them.

load helper
load deb

setup_file() {
    load deb
    TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    stub_deb "$BATS_FILE_TMPDIR" 1.0
    stub_deb "$BATS_FILE_TMPDIR" 2.0 pic-agent=2
    stub_deb "$BATS_FILE_TMPDIR" 3.0 pic-agent=2 pic-dns=2 pic-dhcp=2 pic-wg=2 pic-guard=2
    cp "$TOP/tests/sh/deb-host.sh" "$BATS_FILE_TMPDIR/"
    [ -n "${PIC_TEST_ROOTS:-}" ] || { echo "no roots to test on: run tests/sh/run, or set PIC_TEST_ROOTS"; return 1; }
}

@test "install, upgrades, failed removal, removal, purge" {
    for root in $PIC_TEST_ROOTS; do
        echo "# $root"
        "$TOP/tests/sh/nspawn-run" "$root" "$BATS_FILE_TMPDIR" deb-host.sh || { cat "$BATS_FILE_TMPDIR/out"; false; }
        tail -n 1 "$BATS_FILE_TMPDIR/out" | grep -qx 'ALL GOOD'
    done
}
