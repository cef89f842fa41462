#!/bin/bash
# Everything `make` needs on a fresh Debian 12, each part only when it is missing; running it again costs a second.
#   install.sh run    what the gateway and the demonstration need: Python packages, Asterisk, voices
#   install.sh test   that, and what the tests need: SIPp, PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/.."
what="${1:-run}"
stamps=var/stamps
mkdir -p "$stamps"
exec 9>"$stamps/lock"
flock 9   # two makes at once must not install on top of each other

say() { printf '[install] %s\n' "$*" >&2; }
die() { printf '[install] %s\n' "$*" >&2; exit 1; }

updated=""
packages() {   # packages COMMAND-OR-PATH=PACKAGE...: installs the packages whose command is missing
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null 2>&1 || compgen -G "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || die "please install: ${missing[*]}"
    [ "$(id -u)" = 0 ] || die "please run as root, or install first: ${missing[*]}"
    if [ -z "$updated" ]; then
        say "apt-get update"
        apt-get -qq update >&2 || say "apt-get update complained; going on with the lists there are"
        updated=yes
    fi
    say "apt-get install ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o Dpkg::Progress-Fancy=0 "${missing[@]}" |
        grep --line-buffered -E '^(Get:|Setting up)' | sed -u 's/^/[install]   /' >&2
}

choose_python() {   # sets python: the first of these that is recent enough and can make environments
    # The distribution's own comes first: it is built with profile-guided optimisation, and what else is on the PATH often
    # is not; the same call then costs a quarter more.
    local candidate
    for candidate in /usr/bin/python3.11 /usr/bin/python3 python3.11 python3; do
        command -v "$candidate" >/dev/null || continue
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if ! "$candidate" -c 'import ensurepip' 2>/dev/null; then
            case "$candidate" in /usr/bin/*) ;; *) continue ;; esac
            [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || continue
            packages /nothing=python3-venv
        fi
        python="$candidate"
        return
    done
    [ -z "$(command -v python3)" ] || die "Python 3.11 or later is needed, with its venv module (Debian: python3-venv)"
    packages python3=python3 /nothing=python3-venv
    choose_python
}

python_packages() {
    local python wanted
    choose_python
    wanted="$( { cat pyproject.toml docker/constraints.txt; "$python" -c 'import sys; print(sys.executable)'; } | sha256sum)"
    if [ -x .venv/bin/tollgate ] && [ "$(cat "$stamps/python" 2>/dev/null)" = "$wanted" ]; then return; fi
    if [ "$(.venv/bin/python -c 'import sys; print(sys._base_executable)' 2>/dev/null)" != \
         "$("$python" -c 'import sys; print(sys.executable)')" ]; then
        say "making .venv with $python"
        "$python" -m venv --clear .venv
    fi
    say "installing the Python packages"
    # the group of development tools comes with it: the tests and the checks are part of the product
    .venv/bin/python - > "$stamps/dev-requirements" <<'PY'
import tomllib
with open("pyproject.toml", "rb") as file:
    group = tomllib.load(file)["dependency-groups"]["dev"]
print("\n".join(one.replace("tollgate", "-e .") if one.startswith("tollgate") else one for one in group))
PY
    .venv/bin/python -m pip install --progress-bar off --no-color --disable-pip-version-check \
        --constraint docker/constraints.txt --requirement "$stamps/dev-requirements" 2>&1 | tee "$stamps/pip.log" | packages_told ||
        die "the Python packages could not be installed: $stamps/pip.log says why"
    printf '%s\n' "$wanted" > "$stamps/python"
}

packages_told() {   # a line for each package that pip fetches, and its errors
    sed -unE 's#^(Collecting|Processing) ([^ ]*/)?([^ /]+).*#[install]   \3#p
        s/^Installing collected packages.*/[install]   putting them in place/p
        s/^ *((ERROR|error):.*)/[install]   \1/p' >&2
}

asterisk_is_new_enough() {   # asterisk_is_new_enough [chroot DIR]
    local version
    version="$("$@" asterisk -V 2>/dev/null | sed -nE 's|^Asterisk (certified/)?([0-9]+).*|\2|p')"
    [ -n "$version" ] && [ "$version" -ge 20 ]
}

root=var/asterisk-root
part=$root.part

drop_part() {   # what an interrupted run left: first nothing of it may be mounted
    [ -e "$part" ] || return 0
    awk -v at="$(realpath "$part")" 'index($2, at "/") == 1 { print $2 }' /proc/mounts | sort -r |
        while read -r point; do umount -l "$point"; done
    rm -rf --one-file-system "$part"
}

install_asterisk() {
    if command -v asterisk >/dev/null && asterisk_is_new_enough env; then return; fi
    if [ -x $root/usr/sbin/asterisk ] && asterisk_is_new_enough chroot $root; then return; fi
    [ "$(id -u)" = 0 ] || die "please install Asterisk >= 20, or run this as root: it then gets a directory of its own, which only root may enter (chroot)"
    local mirror=""
    mirror="$(python3 dialplan/lab/mirror.py)" || true
    drop_part
    trap drop_part EXIT
    if [ -n "$mirror" ]; then
        root_by_debootstrap "$mirror"
    elif command -v docker >/dev/null && docker info >/dev/null 2>&1; then
        root_by_docker
    else
        die "no Asterisk >= 20, no Debian mirror and no Docker here: please install one of them"
    fi
    rm -rf --one-file-system $root
    mv "$part" $root
    trap - EXIT
    asterisk_is_new_enough chroot $root || die "the Asterisk in $root does not run"
    say "$(chroot $root asterisk -V)"
}

root_by_debootstrap() {
    packages debootstrap=debootstrap
    local proxy=""
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    [ -n "$proxy" ] && [ "$proxy" != DIRECT ] && export http_proxy="$proxy"
    say "Asterisk 22 into $root, from the mirror apt uses (about half a minute, 600 MB)"
    debootstrap --variant=minbase forky "$part" "$1" /usr/share/debootstrap/scripts/sid | progress 60
    # no service may start in there
    printf '#!/bin/sh\nexit 101\n' > "$part/usr/sbin/policy-rc.d"
    chmod 755 "$part/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$part/etc/resolv.conf" 2>/dev/null || true
    cp -r /etc/apt/apt.conf.d/*proxy* "$part/etc/apt/apt.conf.d/" 2>/dev/null || true
    DEBIAN_FRONTEND=noninteractive chroot "$part" apt-get -y -q --no-install-recommends install \
        asterisk asterisk-core-sounds-en-gsm 2>&1 | progress 120
    rm -rf "$part"/var/cache/apt/archives/*.deb
}

root_by_docker() {
    say "Asterisk 22 into $root, by Docker"
    docker build -q -t tollgate-asterisk -f docker/asterisk.Dockerfile docker >&2
    local made
    made="$(docker create tollgate-asterisk)"
    mkdir -p "$part"
    docker export "$made" | tar -x -C "$part"
    docker rm "$made" >/dev/null
    device_nodes "$part/dev"
}

device_nodes() {   # what Docker makes anew in each container, and so is not in what it exports
    local node
    for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
        set -- "$1" $node
        [ -c "$1/$2" ] || { rm -f "$1/$2"; mknod -m 666 "$1/$2" c "$3" "$4"; }
    done
}

progress() {   # progress EVERY: one line of what happens for each EVERY lines, and the last ones when it fails
    awk -v every="$1" '{ last[NR % 15] = $0; if (NR % every == 0) { print "[install]   " substr($0, 1, 100) > "/dev/stderr" } }
        /^(E:|E: |dpkg: error)/ { print "[install]   " $0 > "/dev/stderr" }'
}

prompts() {
    local wanted
    wanted="$(cat sounds/*.toml sounds/*.py | sha256sum)"
    [ "$(cat "$stamps/prompts" 2>/dev/null)" = "$wanted" ] && [ -f sounds/en/tollgate/apology.wav ] && return
    say "speaking the prompts"
    .venv/bin/python -m sounds.build >&2
    printf '%s\n' "$wanted" > "$stamps/prompts"
}

without_a_running_cluster() {   # Debian's package would make and start a database server of its own
    [ -d /etc/postgresql-common ] && return
    mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' > /etc/postgresql-common/createcluster.conf
}

packages flite=flite sox=sox
python_packages
install_asterisk
prompts
if [ "$what" = test ]; then
    if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && [ "$(id -u)" = 0 ]; then without_a_running_cluster; fi
    packages sipp=sip-tester '/usr/lib/postgresql/*/bin/initdb=postgresql-15'
fi
