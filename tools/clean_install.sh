#!/bin/sh
# Executes the install steps of the image without a container engine: the files that the Dockerfile copies, in an
# empty folder, installed with an empty home, and the program run from another folder, as nobody where possible.
set -eu
cd "$(dirname "$0")/.."

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' INT TERM HUP
mkdir "$place/source" "$place/home" "$place/bin"
chmod 755 "$place"

awk '$1 == "COPY" && $2 !~ /^--/ { for (i = 2; i < NF; i++) print $i }' docker/Dockerfile |
    tar --create --exclude=__pycache__ --files-from=- | tar --extract --directory "$place/source"

python=${PYTHON:-.venv/bin/python}
printf '#!/bin/sh\nexec "%s" "$@"\n' "$("$python" -c 'import sys; print(sys._base_executable)')" >"$place/bin/python"
chmod +x "$place/bin/python"
(cd "$place/source" && env HOME="$place/home" PATH="$place/bin:$PATH" docker/install.sh "$place/readycheck")
rm -rf "$place/source"

as_nobody=
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null &&
    setpriv --reuid 65534 --regid 65534 --clear-groups env "$place/readycheck/bin/python" -c '' 2>/dev/null; then
    as_nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
else
    echo 'clean install: not run as another user (not root, or Python is not readable to others)' >&2
fi
run() { (cd / && $as_nobody env -i HOME=/nonexistent PATH=/usr/bin:/bin "$place/readycheck/bin/readycheck" "$@"); }

run --version
run profile list >/dev/null
# What alerts and a shared store need is in the image.
$as_nobody "$place/readycheck/bin/python" -I -c 'import apprise, pg8000, spnego'
run probe list | grep -q '^stun '
echo 'clean install: works'
