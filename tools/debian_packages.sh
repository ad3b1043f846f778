#!/bin/sh
# tools/debian_packages.sh PACKAGE...: installs what is missing, as root, and lets no daemon start. Status 1 if it cannot.
set -eu

missing=
for package in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing Debian packages (not root, or no apt-get, so not installed):$missing" >&2
    exit 1
fi

echo "Installing Debian packages:$missing" >&2
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
install() { apt-get install --quiet=2 --yes --no-install-recommends $missing </dev/null >/dev/null; }
install 2>/dev/null || { apt-get update --quiet=2 >/dev/null && install; }
