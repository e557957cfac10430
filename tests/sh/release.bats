#!/usr/bin/env bats
# scripts/release: what lies in the folder it makes, what it refuses, and that a key and older packages are kept.

bats_require_minimum_version 1.5.0
load helper

setup() { repo=$BATS_TEST_TMPDIR/repo; }

@test "the folder has everything, and the sums and signatures are right" {
    dummy_release "$repo" 1.0 --url https://pic.invalid/
    (cd "$repo" && sha256sum --quiet -c SHA256SUMS)
    grep -q "url='https://pic.invalid'" "$repo/install.sh"
    run ! grep -q '@[A-Z]*@' "$repo/install.sh"
    [ "$(wc -l <"$repo/install.sh")" -lt 150 ]
    shellcheck -s sh "$repo/install.sh"
    for file in dists/stable/Release dists/stable/InRelease dists/stable/main/binary-amd64/Packages.xz pool/stable/pic_1.0_amd64.deb; do
        [ -s "$repo/$file" ]
    done
    # The key inside install.sh is the one that signed, with SHA512, for 14 days.
    sed -n '/BEGIN PGP/,/END PGP/p' "$repo/install.sh" | gpg --dearmor >"$BATS_TEST_TMPDIR/ring.gpg"
    for file in dists/stable/InRelease SHA256SUMS.asc; do
        run gpgv --status-fd 1 --keyring "$BATS_TEST_TMPDIR/ring.gpg" "$repo/$file"
        [ "$status" -eq 0 ]
        [[ $output == *VALIDSIG*" 22 10 01 "* ]]
    done
    until=$(sed -n 's/^Valid-Until: //p' "$repo/dists/stable/Release")
    [ $((($(date -d "$until" +%s) - $(date +%s) + 600) / 86400)) -eq 14 ]
}

@test "the key is made once, private, and used again" {
    dummy_release "$repo" 1.0
    [ "$(stat -c %a "$BATS_FILE_TMPDIR/key.asc")" = 600 ]
    first=$(sed -n '/BEGIN PGP/,/END PGP/p' "$repo/install.sh")
    dummy_release "$repo" 1.1
    [ "$first" = "$(sed -n '/BEGIN PGP/,/END PGP/p' "$repo/install.sh")" ]
    grep -c '^Version:' "$repo/dists/stable/main/binary-amd64/Packages" | grep -qx 2
}

@test "channels do not mix, and refresh signs again without new packages" {
    dummy_release "$repo" 1.0
    dummy_release "$repo" 2.0 --channel edge
    grep -qx 'Version: 1.0' "$repo/dists/stable/main/binary-amd64/Packages"
    grep -qx 'Version: 2.0' "$repo/dists/edge/main/binary-amd64/Packages"
    run ! grep -qx 'Version: 2.0' "$repo/dists/stable/main/binary-amd64/Packages"
    before=$(sha256sum <"$repo/dists/stable/main/binary-amd64/Packages")
    "$TOP/scripts/release" "$repo" --refresh --days 20 --key "$BATS_FILE_TMPDIR/key.asc"
    [ "$before" = "$(sha256sum <"$repo/dists/stable/main/binary-amd64/Packages")" ]
    grep -q '^Suite: edge' "$repo/dists/edge/Release"
}

@test "signing again keeps the address, says what to type, and refuses another key" {
    dummy_release "$repo" 1.0 --url http://192.0.2.1:8000
    before=$(sha256sum <"$repo/install.sh")
    run "$TOP/scripts/release" "$repo" --refresh --key "$BATS_FILE_TMPDIR/key.asc"
    [ "$status" -eq 0 ]
    [[ $output == *"python3 -m http.server 8000"*"curl -fsSL http://192.0.2.1:8000/install.sh | sh"* ]]
    [ "$before" = "$(sha256sum <"$repo/install.sh")" ]
    signed=$(sha256sum <"$repo/dists/stable/InRelease")
    run "$TOP/scripts/release" "$repo" --refresh
    [ "$status" -eq 1 ]
    [[ $output == *"signed by another key"* ]]
    run "$TOP/scripts/release" "$repo" --refresh --key "$BATS_TEST_TMPDIR/other.asc"
    [ "$status" -eq 1 ]
    [[ $output == *"there is no key $BATS_TEST_TMPDIR/other.asc"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/other.asc" ]
    KEY=$BATS_TEST_TMPDIR/other.asc dummy_release "$BATS_TEST_TMPDIR/another" 1.0
    run "$TOP/scripts/release" "$repo" --refresh --key "$BATS_TEST_TMPDIR/other.asc"
    [ "$status" -eq 1 ]
    [[ $output == *"signed by another key"* ]]
    [ "$signed" = "$(sha256sum <"$repo/dists/stable/InRelease")" ]
}

@test "wrong use is refused before anything is made" {
    release() { run "$TOP/scripts/release" "$@"; }
    release; [ "$status" -eq 2 ]
    release "$repo" --channel nightly; [ "$status" -eq 2 ]
    release "$repo" --url 'http://x y'; [ "$status" -eq 2 ]
    release "$repo" --nonsense; [ "$status" -eq 2 ]
    release "$repo" --days; [ "$status" -eq 2 ]
    [ ! -e "$repo" ]
    echo no >"$BATS_TEST_TMPDIR/x.deb"
    release "$repo" --deb "$BATS_TEST_TMPDIR/x.deb"
    [ "$status" -eq 1 ]
    [[ $output == *"is not a Debian package"* ]]
    release "$repo" --refresh
    [ "$status" -eq 1 ]
    [[ $output == *"holds no package"* ]]
}

@test "no agent or temporary home of gpg is left behind" {
    mkdir "$BATS_TEST_TMPDIR/tmp"
    TMPDIR=$BATS_TEST_TMPDIR/tmp dummy_release "$repo" 1.0
    [ -z "$(ls -A "$BATS_TEST_TMPDIR/tmp")" ]
}
