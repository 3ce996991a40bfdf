#!/bin/sh
# Makes the pinned requirements anew from pyproject.toml. Usage: requirements/lock.sh UV
# No file names a registry's address: whoever installs uses the registry that their machine is set up for.
# What was published within the last week is left out: a hijacked release is usually found within days.
set -eu
cd "$(dirname "$0")/.."
lock() {
  "$1" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links --exclude-newer '1 week' \
    --output-file "$2" --upgrade $3
}
lock "$1" requirements/runtime.txt "pyproject.toml --extra service"
lock "$1" requirements/build.txt "requirements/build.in"
lock "$1" requirements/dev.txt "pyproject.toml --extra service --extra kms --extra pkcs11 --group dev"
