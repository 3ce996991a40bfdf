#!/bin/sh
# Brings the peers that the launch is compared with: direnv and sudo. uv comes with the environment.
# As root on Debian it installs what is missing; elsewhere it says whose row the report will lack.
set -eu

missing=""
command -v direnv >/dev/null || missing="$missing direnv"
command -v sudo >/dev/null || missing="$missing sudo"

[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing from Debian:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
  echo "Debian's packages could not be installed:$missing" >&2
fi

echo "MISSING on this machine, so not in the report:$missing" >&2
