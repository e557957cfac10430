#!/bin/sh
# Makes a Debian or Ubuntu machine a PIC cell:   curl -fsSL URL/install.sh | sh -s -- [OPTIONS]
# All is in functions and the last word must be "end": a download cut at any byte runs nothing. scripts/release fills in the @ words.
{ # One group: the shell reads it to its end before it defines anything. A cut in "apt() {" would otherwise call apt.

settings() {
    url='@URL@' archs='@ARCHS@' channel=stable mode=install source_file=/etc/apt/sources.list.d/pic.sources
    [ -z "${PIC_URL-}" ] || url=${PIC_URL%/}
    tries=60 dry='' had_source='' removing='' sudo='' yes=''
    export LC_ALL=C
}
key() { cat <<'KEY'
@KEY@
KEY
}
say() { printf '%s\n' "pic: $*"; }; die() { say "$@" >&2; exit 1; }
as_root() { $sudo "$@" </dev/null; }
usage() {
    printf '%s\n' "usage: install.sh [--name NAME] [--domain DOMAIN] [--data-dir DIR] [--backups-dir DIR] [--peer NAME]..." \
        "       [--channel stable|edge] [--inbound closed|open] [--open tcp/PORT|udp/PORT]... [--endpoint HOST] [--yes] [--dry-run]" \
        "       | --uninstall [--purge] [--yes] [--dry-run]" "It asks before it makes or removes a cell; run it again to upgrade or repair. The package brings: man pic-installer"; }
refuse_usage() { { say "$@"; usage; } >&2; exit 2; }
check_value() { # What pic-installer would refuse is refused before anything is installed.
    label='[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?' number='([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])'
    case $1 in --peer=ns | --peer=cell | --peer=localhost) form=- rule="another name, as this one is the cell's own" ;;
    --name=* | --peer=*) form=$label rule="up to 63 of a-z, 0-9 and \"-\", as phone-2" ;;
    --domain=*) form="$label([.]$label)+" rule="a domain, as home.example.org" ;;
    --inbound=*) form='closed|open' rule="closed or open" ;;
    --open=*) form="(tcp|udp)/$number" rule="a port, as tcp/443" ;;
    --endpoint=*) form="($label([.]$label)+|\\[[0-9A-Fa-f:.]+\\])(:$number)?|[0-9A-Fa-f:.]+" rule="a host or address, as vpn.example.org:51820" ;;
    *) form='/[A-Za-z0-9._/-]*' rule="a full path of letters, digits, \".\", \"_\" and \"-\", as /srv/cell" ;; esac
    printf %s "${1#*=}" | tr '\n' '!' | grep -Eqx -e "$form" || refuse_usage "${1%%=*} takes $rule, and not \"${1#*=}\""
}
apt() { # Held locks are waited for: a fresh machine often updates itself right after boot.
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -y -q -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o APT::Get::AllowUnauthenticated=false "$@"; }
check_host() { # Each refusal is one sentence; nothing has been touched yet.
    # shellcheck source=/dev/null
    os=$(. /etc/os-release 2>/dev/null && printf '%s' "${ID-}${ID_LIKE:+ $ID_LIKE}") || os=unknown
    case " $os " in *" debian "* | *" ubuntu "*) ;; *) die "this needs Debian or Ubuntu, and this system says it is \"$os\"." ;; esac
    arch=$(command -v apt-get >/dev/null && dpkg --print-architecture) || die "this needs apt-get and dpkg, which are not on this system."
    case " $archs " in *" $arch "*) ;; *) die "there is no PIC for the architecture $arch (there is: $archs)." ;; esac
    [ -d /run/systemd/system ] || die "this needs systemd as the first process (PID 1), and something else runs this system."
    case $url in
    '') die "this copy of install.sh names no repository: run it again with PIC_URL=ADDRESS in its environment." ;;
    *[!A-Za-z0-9:/._~%+@-]* | [!hf]* | h[!t]* | f[!i]*) die "the repository address \"$url\" is not a plain http://, https:// or file:/ address." ;;
    esac
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null || die "this must run as root, and sudo is not installed: log in as root and run it again."
    sudo=sudo && { [ -n "$dry" ] || sudo true </dev/null || die "this must run as root, and sudo refused: ask the owner of this machine for the right."; }
}
why() { # The first of apt's messages that a person can act on, said in a sentence.
    case $(cat "$work/log") in
    *"is expired"* | *"is not valid yet"*) echo "its signature is out of date, or the clock of this machine is wrong" ;;
    *NO_PUBKEY* | *"Missing key"*) echo "it is signed by another key than the one this installer trusts" ;;
    *BADSIG* | *manipulated* | *"Hash Sum mismatch"* | *"unexpected size"*) echo "its content is not what was signed (tampered with, or just being updated)" ;;
    *NOSPLIT* | *"Clearsigned file"*) echo "something else answered in its place (a login page of this network?)" ;;
    *"not resolve"* | *"not connect"* | *"nable to connect"* | *"timed out"*) echo "it cannot be reached from here" ;;
    *"not have a Release file"*) echo "there is no channel \"$channel\" at that address" ;;
    *"is not signed"*) echo "it is not signed in a way that can be trusted" ;;
    *) cat "$work/log" >&2; echo "apt-get refused it, see above" ;;
    esac
}
add_source() { # apt must accept the repository from a scratch file before anything is added to this machine.
    printf '%s\n' "# The repository of PIC, written by its install.sh." "Types: deb" "URIs: $url/" "Suites: $channel" "Components: main" \
        "Architectures: $arch" "Check-Valid-Until: yes" "Check-Date: yes" "Signed-By:" >"$work/pic.sources"
    key | sed -e 's/^$/./' -e 's/^/ /' >>"$work/pic.sources"
    until apt update -o Dir::Etc::sourcelist="$work/pic.sources" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 \
        -o APT::Update::Error-Mode=any -o Acquire::Check-Valid-Until=true -o Acquire::Retries=1 -o Acquire::http::Timeout=30 \
        -o Acquire::AllowInsecureRepositories=false -o Acquire::AllowDowngradeToInsecureRepositories=false >"$work/log" 2>&1; do
        grep -q 'Could not get lock' "$work/log" || tries=0
        [ "$tries" -gt 0 ] || die "the repository at $url is refused: $(why). Nothing was installed."
        tries=$((tries - 1)) && sleep 5
    done
    [ ! -e "$source_file" ] || had_source=1
    as_root install -m 0644 "$work/pic.sources" "${source_file%/*}/.pic.sources" && as_root mv -f "${source_file%/*}/.pic.sources" "$source_file"
}
install_package() { # Also the repair: unfinished dpkg runs are finished, damaged files are put back.
    [ -z "$(dpkg --audit 2>/dev/null)" ] || as_root dpkg --configure -a
    again=install
    if dpkg --verify pic 2>/dev/null | grep -qv ' c /'; then again=reinstall; fi
    # The second try is for a machine whose own package lists are missing or old.
    { apt "$again" pic || { apt update || :; apt "$again" pic; }; } >"$work/log" 2>&1 && return 0
    if [ -z "$had_source" ] && ! dpkg-query -W pic >/dev/null 2>&1; then as_root rm -f "$source_file"; fi
    die "the package could not be installed: $(why)."
}
is_here() { [ -e "$source_file" ] || case $(dpkg-query -W -f '${db:Status-Status}' pic 2>/dev/null) in
    '' | not-installed) false ;; config-files) [ "$mode" = purge ] ;; esac; } # settings and keys that a removal left
unused() { apt-get -s autoremove 2>/dev/null | sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' '; }
agree() { [ -z "$yes" ] || return 0 # Asked at the terminal, as stdin may be this script.
    (: </dev/tty) 2>/dev/null || die "there is no terminal to ask at, so nothing was removed: add --yes to remove PIC without a question."
    say "this ends the cell: its tunnels, firewall, names and addresses go, and devices lose their way through it. $stays" >/dev/tty
    printf 'pic: remove it? [y/N] ' >/dev/tty; read -r answer </dev/tty || answer=''
    case $answer in [yY] | [yY]es) ;; *) die "nothing was removed." ;; esac
}
uninstall() { # Goes with the package: what came in with it, its source, its lists. Nothing that was unused before.
    trap '' HUP && before=" $(unused)" # the connection may go through what is removed
    if dpkg-query -W pic >/dev/null 2>&1; then apt "$mode" pic || die "the package could not be removed, see above."; fi
    for package in $(unused); do case $before in *" $package "*) ;; *) apt purge "$package" ;; esac; done
    [ -e "$source_file" ] || return 0
    for list in $(apt-get -o Dir::Etc::sourcelist="$source_file" -o Dir::Etc::sourceparts=- indextargets --format "\$(FILENAME)"); do
        as_root rm -f "${list%_main_*}"_*
    done
    as_root rm -f "$source_file" /var/cache/apt/archives/pic_*.deb
}
main() {
    for word; do :; done; [ "${word-}" = end ] || die "the download was cut short and nothing was done: run the command again."
    set -eu && settings && left=$(($# - 1))
    while [ "$left" -gt 0 ]; do # takes each option from the front and puts what pic-installer needs at the back
        option=$1 left=$((left - 1)) && shift
        case $option in --name | --domain | --data-dir | --backups-dir | --peer | --channel | --inbound | --open | --endpoint)
            [ "$left" -gt 0 ] || refuse_usage "$option needs a value"
            option=$option=$1 left=$((left - 1)) && shift ;; esac
        case $option in
        --channel=stable | --channel=edge) channel=${option#*=} ;;
        --name=* | --domain=* | --data-dir=* | --backups-dir=* | --peer=* | --inbound=* | --open=* | --endpoint=*) check_value "$option" ;;
        --yes) yes=1 ;; --dry-run) dry=1 ;;
        -h | --help) usage; exit 0 ;;
        --uninstall) removing=1 && continue ;; --purge) mode=purge && continue ;;
        *) refuse_usage "\"$option\" is not an option here" ;;
        esac; set -- "$@" "$option"
    done
    shift; [ "$mode$removing" != purge ] || refuse_usage "--purge goes with --uninstall"
    [ "$mode$removing" != install1 ] || mode=remove
    check_host
    stays="Settings and keys in /etc/pic and /var/lib/pic stay; --purge takes them too." && [ "$mode" != purge ] || stays="Settings and keys go, too."
    kept='' && [ ! -e /etc/pic/cell.toml ] || kept=" Settings and keys of before are still in /etc/pic and /var/lib/pic: --purge takes them."
    [ "$mode" = install ] || is_here || { say "PIC is not on this machine: there is nothing to remove.$kept" && exit 0; }
    case $mode$dry in
    install1) say "would write $source_file ($url $channel), install the package pic, and run: pic-installer $*" && exit 0 ;;
    *1) say "would end the cell (its tunnels, firewall, names and addresses), $mode the package pic and what came with it alone, and delete $source_file. $stays"
        exit 0 ;;
    remove | purge) agree; uninstall; say "PIC is removed. $stays"; exit 0 ;;
    esac
    trap '' HUP && work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT # a lost connection must not stop apt half way
    say "checking the repository $url" && add_source; say "installing the package pic" && install_package
    rm -rf "$work" && trap - EXIT HUP
    if (: </dev/tty) 2>/dev/null; then exec $sudo /usr/sbin/pic-installer "$@" </dev/tty; fi
    exec $sudo /usr/sbin/pic-installer "$@" </dev/null
}
} # of the group
main "$@" end
