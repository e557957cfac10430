# shellcheck shell=bash
# Shared by the tests of the packaging: where things are, a dummy package, a release of it, an HTTP server on loopback.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
export TOP

# The roots that tests run install.sh in: this machine, and each unpacked Debian root named in PIC_TEST_ROOTS.
# shellcheck disable=SC2086 # a list of words
test_roots() { printf '%s\n' / ${PIC_TEST_ROOTS:-}; }

# Builds the package pic, version $2, into the folder $1. Its pic-installer prints the options it gets.
dummy_deb() {
    local tree=$1/tree-$2
    mkdir -p "$tree/DEBIAN" "$tree/usr/sbin"
    printf 'Package: pic\nVersion: %s\nArchitecture: amd64\nMaintainer: Test <t@pic.invalid>\nDescription: dummy\n' "$2" >"$tree/DEBIAN/control"
    # shellcheck disable=SC2016 # the dummy expands it
    printf '#!/bin/sh\nprintf "installer %s:" ; for a; do printf " [%%s]" "$a"; done; echo\n' "$2" >"$tree/usr/sbin/pic-installer"
    chmod 0755 "$tree/usr/sbin/pic-installer"
    dpkg-deb --root-owner-group --build "$tree" "$1/pic_$2_amd64.deb" >/dev/null
}

# Makes the repository $1 with version $2 of the dummy; more options go to scripts/release. The key is shared by all tests of a file.
dummy_release() {
    local out=$1 version=$2
    shift 2
    dummy_deb "$BATS_TEST_TMPDIR" "$version"
    "$TOP/scripts/release" "$out" --deb "$BATS_TEST_TMPDIR/pic_${version}_amd64.deb" --key "${KEY:-$BATS_FILE_TMPDIR/key.asc}" "$@"
}

# Serves the folder $1 on loopback and sets $URL and $SERVER.
serve() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    python3 -m http.server --bind 127.0.0.1 --directory "$1" "$port" >/dev/null 2>&1 3>&- &
    SERVER=$!
    URL=http://127.0.0.1:$port
    for _ in $(seq 50); do
        curl -fs -o /dev/null "$URL/" && return 0
        sleep 0.1
    done
    return 1
}

# Ends the server of serve.
unserve() { [[ -z ${SERVER:-} ]] || kill "$SERVER" 2>/dev/null || true; }

# Runs the shell text $1 in a throw-away copy of each test root; $BATS_TEST_TMPDIR is /share there. All output goes to stdout.
in_hosts() {
    local root
    for root in $(test_roots); do
        echo "# host $root"
        "$TOP/tests/sh/overlay-host" "$root" "$BATS_TEST_TMPDIR" /bin/sh -c "$1" 2>&1 || return
    done
}
