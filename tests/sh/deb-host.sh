# The life of the package on a booted host: install, start, two upgrades, a removal that fails, removal, purge.
# Runs inside of nspawn-run; /share has pic 1.0, 2.0 (another agent) and 3.0 (everything else).
# shellcheck shell=sh
set -eu

ok() { echo "ok: $*"; }
bad() { echo "NOT OK: $*"; systemctl --no-pager status 'pic-*' || true; exit 1; }
is() { [ "$1" = "$2" ] || bad "$3: expected \"$2\", got \"$1\""; ok "$3"; }
pid() { systemctl show -p MainPID --value "pic-$1.service"; }
active() { systemctl is-active "pic-$1.service" || true; }
state() {
    find /etc /usr /run/pic* /run/wireguard /var/lib -xdev ! -path '/var/lib/dpkg*' ! -path '/var/lib/systemd*' ! -path '/var/lib/apt*' \
        ! -name '*-' ! -name '.pwd.lock' ! -name .updated 2>/dev/null | sort
    sort /etc/passwd /etc/group /etc/shadow /etc/gshadow
    systemctl list-unit-files --no-legend --no-pager | sort
    systemctl list-units --all --no-legend --plain --no-pager 'pic-*' | grep -v under-test || true
}
# systemd forgets units whose files are gone when it next has time.
forgotten() {
    for _ in $(seq 50); do
        systemctl list-units --all --no-legend --plain --no-pager 'pic-*' | grep -qv under-test || return 0
        sleep 0.2
    done
}
package() { dpkg -i "/share/pic_$1_amd64.deb" >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; bad "dpkg -i $1"; }; }

state >/tmp/before
package 1.0
for unit in guard agent dns; do is "$(systemctl is-enabled pic-$unit)" enabled "pic-$unit is enabled"; done
is "$(active agent) $(active dns) $(active guard)" "inactive inactive inactive" "nothing runs without cell.toml"
is "$(stat -c '%a %U %G' /var/lib/pic/dns)" "2750 root pic-dns" "the folder of pic-dns"
is "$(getent group pic | cut -d: -f1)" pic "group pic"
complaints=$(systemd-analyze verify --man=no pic-guard.service pic-closed.service pic-agent.service pic-dns.service pic-wg.service 2>&1 | grep pic- || true)
is "$complaints" "" "the installed units are well-formed"

echo '[cell]' >/etc/pic/cell.toml
(umask 027 && echo '{}' >/var/lib/pic/dns/zone.json)
is "$(stat -c '%a %G' /var/lib/pic/dns/zone.json)" "640 pic-dns" "what the agent's umask gives, pic-dns may read"
systemctl start pic-agent pic-dns pic-wg
is "$(active agent) $(active dns) $(active wg)" "active active active" "all run"
is "$(ps -o user= -p "$(pid dns)") $(ps -o user= -p "$(pid wg)")" "pic-dns pic-wg" "their users"
is "$(sed -n 's/^CapBnd:\t//p' "/proc/$(pid agent)/status")" 0000000000001001 "the agent has NET_ADMIN and CHOWN"
is "$(sed -n 's/^CapEff:\t//p' "/proc/$(pid dns)/status")" 0000000000000400 "pic-dns has NET_BIND_SERVICE"
is "$(sed -n 's/^CapEff:\t//p' "/proc/$(pid wg)/status")" 0000000000001000 "pic-wg has NET_ADMIN"
is "$(readlink /run/wireguard/pic0.sock)" /run/pic-wg/pic0.sock "wg finds the socket"

agent=$(pid agent) dns=$(pid dns) wg=$(pid wg)
package 2.0
[ "$(pid agent)" != "$agent" ] || bad "the upgrade did not restart the agent"
is "$(pid dns) $(pid wg)" "$dns $wg" "an upgrade of the agent leaves pic-dns and pic-wg running"
grep -q 'keeps running' /tmp/dpkg && bad "an unchanged pic-wg is called old"
package 3.0
[ "$(pid dns)" != "$dns" ] || bad "the upgrade did not restart a changed pic-dns"
is "$(pid wg)" "$wg" "a changed pic-wg is not restarted"
grep -q 'keeps running in its older version' /tmp/dpkg || bad "nobody was told about the old pic-wg"
is "$(cat /run/stub-teardown 2>/dev/null)" "" "an upgrade takes nothing down"
agent=$(pid agent)
kill -9 "$agent"
sleep 1
is "$(active agent)" active "a killed agent comes back"
[ "$(pid agent)" != "$agent" ] || bad "the agent was not killed"

touch /run/stub-fail
dpkg -r pic >/tmp/dpkg 2>&1 && bad "a failed teardown must stop the removal"
grep -q PIC_SKIP_TEARDOWN /tmp/dpkg || bad "the failed removal does not say what to do"
is "$(active agent) $(active dns) $(active wg)" "active active active" "after a failed removal all runs again"
rm /run/stub-fail /run/stub-teardown

dpkg -r pic >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; bad "dpkg -r"; }
is "$(cat /run/stub-teardown)" "teardown 2 wg=1" "teardown ran once, with pic-wg there"
is "$(ls /etc/pic) $(cd /var/lib/pic/dns && echo *)" "cell.toml lists zone.json" "settings and state stay"
is "$(find /var/lib/pic -nouser -o -nogroup)" "" "nothing belongs to users who are gone"
rm /run/stub-teardown
forgotten
state | grep -vE '^(/etc/pic|/var/lib/pic)(/|$)' >/tmp/after
diff /tmp/before /tmp/after || bad "the removal left the above"
ok "the removal leaves nothing else"

package 3.0
is "$(active agent)" active "a re-install finds its cell again"
is "$(stat -c '%a %U:%G' /var/lib/pic/dns/zone.json)" "640 root:pic-dns" "and the readers of its state"
dpkg -P pic >/tmp/dpkg 2>&1 || { cat /tmp/dpkg; bad "dpkg -P"; }
rm /run/stub-teardown
forgotten
state >/tmp/after
diff /tmp/before /tmp/after || bad "the purge left the above"
ok "a purge leaves nothing"
echo ALL GOOD
