# shellcheck shell=bash
# What every finding needs, whether or not it needs a Debian of its own. Sourced by the scripts, never run.
#
# A script has a temporary folder, $WORK, which is removed when it ends, however it ends. Where it wants other
# versions than this machine has, `debian SUITE PACKAGE...` makes a Debian root, $ROOT, with mmdebstrap, from the
# mirror that this machine's apt uses; `inside` runs the script on its standard input there, in mount, network,
# process and host name namespaces of its own: all addresses are loopback, and every process ends with it.
#
# FINDINGS_ROOT_TRIXIE and FINDINGS_ROOT_FORKY may name roots that were made before (`findings/run` makes them):
# they are used under an overlay and never written to, which saves a minute or two for each script.
#
# Exit codes: 0 the behaviour is as stated, 1 it is not, 3 it cannot be tried here (a version that is gone, no root).

set -euo pipefail

# shellcheck disable=SC2034 # for the scripts
FINDINGS=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
WORK=$(mktemp -d)
ROOT=$WORK/root
LIMIT=600 # seconds that one script may take inside its root
_CHILD=

_clean() {
    if [ -n "$_CHILD" ]; then
        kill -TERM "$_CHILD" 2>/dev/null || true
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            kill -0 "$_CHILD" 2>/dev/null || break
            sleep 0.2
        done
        kill -KILL "$_CHILD" 2>/dev/null || true
        wait "$_CHILD" 2>/dev/null || true
    fi
    if mountpoint -q "$ROOT" 2>/dev/null; then umount "$ROOT" 2>/dev/null || umount -l "$ROOT"; fi
    rm -rf --one-file-system "$WORK"
}
trap _clean EXIT
trap 'exit 130' INT TERM

cannot() { # cannot WHY: end with 3
    echo "cannot be tried here: $*" >&2
    exit 3
}

# --- what is seen against what is stated; also used inside a root ---

WRONG=0

expect() { # expect WHAT WANTED SEEN: one line of evidence
    if [ "$2" = "$3" ]; then
        echo "  as stated: $1: $3"
    else
        echo "  CHANGED: $1: $3 (stated: $2)"
        WRONG=1
    fi
}

expect_text() { # expect_text WHAT PART SEEN: what was seen holds PART
    if grep -qF -- "$2" <<<"$3"; then
        echo "  as stated: $1: $(grep -F -m1 -- "$2" <<<"$3" | cut -c1-300)"
    else
        echo "  CHANGED: $1: $(tail -n3 <<<"$3" | cut -c1-300) (stated: ... $2 ...)"
        WRONG=1
    fi
}

expect_within() { # expect_within WHAT LEAST MOST SEEN: a number in bounds
    if awk -v n="$4" -v a="$2" -v b="$3" 'BEGIN { exit !(n >= a && n <= b) }'; then
        echo "  as stated: $1: $4 ($2 to $3)"
    else
        echo "  CHANGED: $1: $4 (stated: $2 to $3)"
        WRONG=1
    fi
}

verdict() { # the end of a script, or of its part inside a root
    if [ "$WRONG" = 0 ]; then echo "the behaviour is as stated"; else echo "THE BEHAVIOUR CHANGED"; fi
    exit "$WRONG"
}

eventually() { # eventually SECONDS COMMAND...: try until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "still not after all that time: $*" >&2
            return 1
        fi
        sleep 0.2
    done
}

# --- packages ---

pypi() { # pypi NAME==VERSION...: an environment of its own, $WORK/venv
    python3 -m venv "$WORK/venv" || cannot "python3 makes no virtual environment (Debian: python3-venv)"
    timeout 300 "$WORK/venv/bin/pip" install -q --disable-pip-version-check "$@" 2>"$WORK/pip.log" ||
        cannot "PyPI has not all of $*: $(tail -n1 "$WORK/pip.log")"
}

npm_package() { # npm_package NAME@VERSION...: $WORK/npm/node_modules
    command -v npm >/dev/null || cannot "there is no npm"
    mkdir -p "$WORK/npm"
    timeout 300 npm install --prefix "$WORK/npm" --silent --no-audit --no-fund --ignore-scripts "$@" \
        >"$WORK/npm.log" 2>&1 || cannot "npm has not all of $*: $(tail -n1 "$WORK/npm.log")"
}

debian() { # debian SUITE PACKAGE...: a root of that suite with these packages
    local suite=$1 made mirror packages
    shift
    [ "$(id -u)" = 0 ] || cannot "a Debian root is made and entered by root only"
    made="FINDINGS_ROOT_${suite^^}"
    if [ -n "${!made:-}" ]; then
        mkdir -p "$ROOT" "$WORK/changed" "$WORK/overlay"
        mount -t overlay overlay -o "lowerdir=${!made},upperdir=$WORK/changed,workdir=$WORK/overlay" "$ROOT"
        return
    fi
    command -v mmdebstrap >/dev/null || cannot "there is no mmdebstrap (Debian: mmdebstrap)"
    # shellcheck disable=SC2016 # apt puts the address in, not the shell
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' |
        head -n1)
    packages=$(IFS=, && echo "mount,$*")
    timeout 900 mmdebstrap --quiet --variant=apt --mode=root --include="$packages" \
        --aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --dpkgopt='force-unsafe-io' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$suite" "$ROOT" "${mirror:-http://deb.debian.org/debian}" >"$WORK/mmdebstrap.log" 2>&1 ||
        cannot "mmdebstrap made no $suite: $(tail -n2 "$WORK/mmdebstrap.log")"
}

version() { # version PACKAGE VERSION: the upstream version that this finding is about
    local seen
    # shellcheck disable=SC2016 # dpkg-query puts the version in
    seen=$(chroot "$ROOT" dpkg-query -W -f '${Version}' "$1") || cannot "the root has no $1"
    case "$seen" in
    "$2" | "$2"[-+~]* | *:"$2" | *:"$2"[-+~]*) echo "$1 $seen" ;;
    *) cannot "this finding is about $1 $2, and Debian has $seen now" ;;
    esac
}

pure_python() { # pure_python NAME==VERSION...: laid into the root, where programs inside find them
    python3 -m venv "$WORK/venv" || cannot "python3 makes no virtual environment (Debian: python3-venv)"
    timeout 300 "$WORK/venv/bin/pip" install -q --disable-pip-version-check --no-compile \
        --target "$ROOT/opt/python" "$@" 2>"$WORK/pip.log" ||
        cannot "PyPI has not all of $*: $(tail -n1 "$WORK/pip.log")"
}

inside() { # run the script on standard input in the root, with every function that is known here
    {
        declare -f
        cat <<'PROLOGUE'
set -euo pipefail
WRONG=0
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/ceph /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ip link set lo up
PROLOGUE
        cat
    } >"$ROOT/inside.sh"
    local node
    for node in 'fuse 10 229' 'null 1 3' 'zero 1 5' 'urandom 1 9' 'random 1 8'; do
        # shellcheck disable=SC2086 # name, major, minor
        set -- $node
        [ -e "$ROOT/dev/$1" ] || mknod -m 666 "$ROOT/dev/$1" c "$2" "$3"
    done
    unshare --mount --net --pid --uts --ipc --fork --kill-child=KILL \
        timeout --signal=KILL "$LIMIT" \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        PYTHONPATH=/opt/python PYTHONDONTWRITEBYTECODE=1 chroot "$ROOT" /bin/bash /inside.sh &
    _CHILD=$!
    local rc=0
    wait "$_CHILD" || rc=$?
    _CHILD=
    return "$rc"
}
