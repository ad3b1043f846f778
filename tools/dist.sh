#!/bin/sh
# Builds dist/: sdist, wheel (from the sdist) and readycheck.pyz, a single file that holds all dependencies.
#
# cryptography and pydantic have compiled parts, which cannot be imported out of a zip: the single file unpacks
# itself once, into SHIV_ROOT (default ~/.shiv), and is for the platform and the Python it was built with.
set -eu
cd "$(dirname "$0")/.."

python=.venv/bin/python
rm -rf dist build/single-file
$python -m build --no-isolation --outdir dist . >/dev/null

site=build/single-file/site
pip() { $python -m pip --disable-pip-version-check --quiet --quiet install --target $site "$@"; }
pip --require-hashes --requirement requirements.lock
pip --no-deps dist/readycheck-*.whl
rm -rf $site/bin
$python - >build/single-file/preamble.py <<'PREAMBLE'
import sys, sysconfig
version, platform = sys.version_info[:2], sysconfig.get_platform()
print(f"""import sys, sysconfig
if (sys.version_info[:2], sysconfig.get_platform()) != ({version}, {platform!r}):
    sys.exit("readycheck.pyz is for Python %d.%d on %s; this is Python %d.%d on %s"
             % (*{version}, {platform!r}, *sys.version_info[:2], sysconfig.get_platform()))
""")
PREAMBLE
chmod +x build/single-file/preamble.py
.venv/bin/shiv --site-packages $site --reproducible --compressed \
    --python '/usr/bin/env python3' --console-script readycheck \
    --preamble build/single-file/preamble.py --output-file dist/readycheck.pyz

# Each of them is tried, away from this folder and with an empty home.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' INT TERM HUP
mkdir "$place/home"
$python -m venv "$place/wheel"
"$place/wheel/bin/python" -m pip --disable-pip-version-check --quiet --quiet install --require-hashes \
    --requirement requirements.lock
"$place/wheel/bin/python" -m pip --disable-pip-version-check --quiet --quiet install --no-deps dist/readycheck-*.whl
cp dist/readycheck.pyz "$place/"
python=$("$python" -c 'import sys; print(sys._base_executable)')
try() { (cd "$place" && env -i HOME="$place/home" PATH=/usr/bin:/bin "$@"); }
for program in "$place/wheel/bin/readycheck" "$python $place/readycheck.pyz"; do
    # shellcheck disable=SC2086 # an interpreter and its argument
    {
        try $program --version
        try $program profile list >/dev/null
        try $program probe list | grep -q '^stun '
    }
done
ls -l dist
