#!/bin/sh
# tools/environment.sh [run|test]: makes or refreshes .venv with exactly the locked versions and the project, editable.
#
# Does nothing when nothing has changed. Touches only .venv, pip's cache and, as root on Debian, the package
# of Python's venv module when that is missing.
set -eu
cd "$(dirname "$0")/.."

purpose=${1:-run}
case $purpose in
    run) locks='requirements.lock requirements-build.lock' ;;
    test) locks='requirements-dev.lock' ;;
    *) echo "usage: tools/environment.sh [run|test]" >&2 && exit 2 ;;
esac

say() { printf '%s\n' "$*" >&2; }

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        if recent "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "readycheck needs Python 3.11 or later, and none was found: ${PYTHON:-python3}"
    say "Install one, or name it: make PYTHON=/path/to/python3.12 ..."
    exit 1
}

make_environment() {
    python=$(find_python)
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            tools/debian_packages.sh "python$version-venv"
        else
            say "Python's venv module is not installed. On Debian and Ubuntu: apt install python$version-venv"
            exit 1
        fi
    fi
    say "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
}

pip() {
    .venv/bin/python -m pip --disable-pip-version-check --quiet --quiet "$@"
}

[ -x .venv/bin/python ] && recent .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null || make_environment

# What an installation follows from: where it is, and what it was told to hold.
state=$(pwd; cat pyproject.toml $locks | cksum)
stamp=.venv/installed-$purpose
if [ "$(cat $stamp 2>/dev/null)" != "$state" ]; then
    say "Installing the locked versions into .venv"
    rm -f .venv/installed-*
    arguments=
    for lock in $locks; do
        arguments="$arguments --requirement $lock"
    done
    # shellcheck disable=SC2086 # a list of words
    pip install --require-hashes $arguments
    pip install --no-deps --no-build-isolation --editable .
    printf '%s\n' "$state" >$stamp
    [ "$purpose" = run ] || (pwd; cat pyproject.toml requirements.lock requirements-build.lock | cksum) >.venv/installed-run
fi
