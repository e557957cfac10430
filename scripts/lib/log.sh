# shellcheck shell=bash
# Messages of the scripts: one line per step with the seconds since the start, one sentence when it ends badly.

# Says what happens now.
step() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }

# Ends the script: what is wrong and what to do.
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Refuses to begin without the programs it needs. Arguments: PROGRAM:PACKAGE...
need() {
    local pair missing=()
    for pair; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [[ ${#missing[@]} -eq 0 ]] || die "missing programs; install them with: apt-get install --no-install-recommends ${missing[*]}"
}
