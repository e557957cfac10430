#!/usr/bin/env bats
# A download cut at any byte runs nothing. Every program that install.sh could call is a stub that records the call,
# and the whole file system is read-only but for that record.

load helper

setup() {
    stubs=$BATS_TEST_TMPDIR/stubs
    record=$BATS_TEST_TMPDIR/record
    mkdir "$stubs" && : >"$record"
    dummy_release "$BATS_TEST_TMPDIR/repo" 1.0 --url http://127.0.0.1:9 2>/dev/null
    script=$BATS_TEST_TMPDIR/repo/install.sh
    # A cut inside of a name calls the program with the shorter name: each beginning of each name is a stub, too.
    # (m, ma and mai, all that is left of the last line's "main", are not programs of Debian.)
    names=$(sed -n 's/^\([a-z][a-z_]*\).*/\1/p' "$script" | sort -u | grep -vx main | while read -r name; do
        for ((n = 1; n <= ${#name}; n++)); do echo "${name:0:n}"; done
    done | grep -vxE 'm|ma|mai')
    for name in $names apt-get apt-cache apt-mark dpkg dpkg-query systemctl sudo id env install mv rm mktemp cat sed grep tr sleep; do
        printf '#!/bin/sh\necho %s "$@" >>%s\n' "$name" "$record" >"$stubs/$name"
        chmod 0755 "$stubs/$name"
    done
}

# Pipes each cut of the script from byte $2 to byte $3 into the shell $1, with the options that follow.
cuts() {
    local shell=$1 from=$2 to=$3
    shift 3
    # shellcheck disable=SC2016 # the inner shell expands it
    unshare --mount --propagation private bash -c '
        mount --bind / / && mount -o remount,bind,ro / || exit 9
        mount --bind "$0" "$0" && mount -o remount,bind,rw "$0" || exit 9
        export LC_ALL=C
        text=$(<"$1") stubs=$2 shell=$3 from=$4 to=$5
        shift 5
        for ((n = from; n < to; n++)); do
            printf %s "${text:0:n}" | PATH=$stubs "$shell" -s -- "$@" >/dev/null 2>&1
        done
        :' "$BATS_TEST_TMPDIR" "$script" "$stubs" "$(command -v "$shell")" "$from" "$to" "$@"
}

@test "no cut of the baked script calls anything" {
    size=$(stat -c %s "$script")
    [ "$(tail -c 3 "$script")" = end ]
    cuts dash 0 "$size"
    [ ! -s "$record" ] || { sort "$record" | uniq -c | head; false; }
}

@test "no cut near the end calls anything, in other shells and with options" {
    size=$(stat -c %s "$script")
    for shell in dash bash; do
        cuts "$shell" $((size - 200)) "$size" --yes --peer end
        cuts "$shell" $((size - 200)) "$size" --uninstall --purge --yes
    done
    [ ! -s "$record" ] || { sort "$record" | uniq -c | head; false; }
}

@test "the stubs see a whole script (positive control)" {
    PATH=$stubs /bin/sh "$script" >/dev/null 2>&1 || true
    [ -s "$record" ]
}

@test "a cut script says so" {
    head -c -1 "$script" >"$BATS_TEST_TMPDIR/cut"
    run sh "$BATS_TEST_TMPDIR/cut"
    [ "$status" -eq 1 ]
    [[ $output == *"cut short"* ]]
}
