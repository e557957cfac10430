#!/usr/bin/env bats
# What the package holds and how its scripts are written. Its behaviour on a host: deb-host.bats.

load helper
load deb

setup_file() {
    load deb
    TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    stub_deb "$BATS_FILE_TMPDIR" 1.0
}

@test "it holds the programs, units and data at their places, and nothing outside of /usr and /etc/pic" {
    dpkg-deb -c "$BATS_FILE_TMPDIR/pic_1.0_amd64.deb" | awk '{print $6}' >"$BATS_TEST_TMPDIR/list"
    for path in usr/bin/picctl usr/sbin/pic-installer usr/lib/pic/pic-agent usr/lib/pic/pic-guard usr/lib/pic/pic-dns usr/lib/pic/pic-dhcp usr/lib/pic/pic-time usr/lib/pic/pic-exit usr/lib/pic/pic-wg \
        usr/lib/systemd/system/pic-agent.service usr/lib/systemd/system/pic-guard.service usr/lib/systemd/system/pic-dns.service usr/lib/systemd/system/pic-dhcp.service usr/lib/systemd/system/pic-time.service \
        usr/lib/systemd/system/pic-resolver.service usr/lib/systemd/system/pic-wg.service usr/lib/systemd/system/pic-wg@.service usr/lib/systemd/system/pic-tor@.service usr/lib/systemd/system/pic-proxy@.service usr/lib/systemd/system/pic-openvpn@.service usr/lib/systemd/system/pic-app@.service usr/lib/pic/pic-app usr/lib/systemd/system/pic-closed.service usr/lib/pic/closed.sysctl \
        usr/lib/systemd/networkd.conf.d/50-pic.conf usr/lib/sysusers.d/pic.conf usr/lib/tmpfiles.d/pic.conf etc/pic/templates/ \
        usr/share/man/man1/picctl.1.gz usr/share/man/man5/cell.toml.5.gz usr/share/man/man8/pic-installer.8.gz \
        usr/share/bash-completion/completions/picctl usr/share/zsh/vendor-completions/_picctl usr/share/fish/vendor_completions.d/picctl.fish \
        usr/share/doc/pic/errors.md usr/share/doc/pic/security.md usr/share/doc/pic/howto/first-devices.md; do
        grep -qx "./$path" "$BATS_TEST_TMPDIR/list" || { echo "missing: $path"; false; }
    done
    strange=$(grep -vE '^\./(usr/.*|etc/|etc/pic/|etc/pic/templates/)?$' "$BATS_TEST_TMPDIR/list" || true)
    [ -z "$strange" ] || { echo "$strange"; false; }
}

@test "the programs are stripped and the debug package has the rest" {
    dpkg-deb -x "$BATS_FILE_TMPDIR/pic_1.0_amd64.deb" "$BATS_TEST_TMPDIR/x"
    file "$BATS_TEST_TMPDIR/x/usr/lib/pic/pic-agent" | grep -q ', stripped'
    dpkg-deb -c "$BATS_FILE_TMPDIR/pic-dbgsym_1.0_amd64.deb" | grep -q '\.debug$'
}

@test "lintian finds no errors and no warnings" {
    run lintian --no-tag-display-limit --allow-root "$BATS_FILE_TMPDIR/pic_1.0_amd64.changes"
    complaints=$(grep '^[EW]:' <<<"$output" || true)
    [ -z "$complaints" ] || { echo "$complaints"; false; }
}

@test "the maintainer scripts are clean" {
    shellcheck -s sh "$TOP"/debian/pic.{postinst,prerm,postrm}
    # debhelper added nothing that starts, stops or restarts on its own.
    dpkg-deb -e "$BATS_FILE_TMPDIR/pic_1.0_amd64.deb" "$BATS_TEST_TMPDIR/c"
    [ ! -e "$BATS_TEST_TMPDIR/c/preinst" ]
    [ "$(grep -c deb-systemd-invoke "$BATS_TEST_TMPDIR/c/postinst")" -eq "$(grep -c deb-systemd-invoke "$TOP/debian/pic.postinst")" ]
}
