#!/bin/sh
# `make demo`: gatekeeper from this clone in an environment of its own, the story told, everything removed.
# An environment that `make test` made is used as it is.
# Usage: tests/demo.sh PYTHON BIN
set -eu
python=$1
bin=$2
if [ -e "$bin/.ready" ] && [ -x "$bin/gatekeeper" ]; then
  exec "$bin/gatekeeper" demo
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "gatekeeper needs Python 3.11 or newer as $python; name another with PYTHON=…" >&2
  exit 1
}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT TERM HUP
echo "Making a throw-away environment (a minute at most) …" >&2
"$python" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --no-cache-dir --require-hashes --requirement requirements/build.txt
"$place/env/bin/python" -m pip install --quiet --no-cache-dir --require-hashes --requirement requirements/runtime.txt
"$place/env/bin/python" -m pip install --quiet --no-cache-dir --no-deps --no-build-isolation .
"$place/env/bin/gatekeeper" demo
