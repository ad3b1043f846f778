#!/bin/sh
# docker/install.sh FOLDER: installs the locked versions and this source tree into a new environment in FOLDER.
# The image is built with it, and CI runs it without one.
set -eu

python -m venv "$1"
"$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement requirements-image.lock --requirement requirements-build.lock
"$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation .
"$1/bin/python" -m pip uninstall --quiet --yes editables hatchling packaging pathspec pluggy tomlkit trove-classifiers
