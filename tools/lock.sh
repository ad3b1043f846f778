#!/bin/sh
# Resolves the newest allowed versions and pins them, with their hashes, for Python 3.11 and later on every platform.
set -eu
cd "$(dirname "$0")/.."

uv=${UV:-}
if [ -z "$uv" ]; then
    .venv/bin/python -m pip install --quiet 'uv==0.13.8'
    uv=.venv/bin/uv
fi

lock() {
    output=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --custom-compile-command 'make lock' --upgrade --output-file "$output" "$@"
}

lock requirements.lock pyproject.toml
lock requirements-build.lock --constraint requirements.lock --group build
lock requirements-image.lock --constraint requirements.lock \
    --extra alerts --extra otel --extra postgres --extra proxy --extra web pyproject.toml
lock requirements-dev.lock --constraint requirements-image.lock --constraint requirements-build.lock \
    --group dev --extra all pyproject.toml
