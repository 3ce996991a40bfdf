#!/bin/sh
# Brings what the tests need from the operating system: strace, libfaketime, a secret service, shells, PostgreSQL, a software HSM, Chromium.
# As root on Debian it installs what is missing; elsewhere it says what is missing, and under CI=true it fails.
set -eu

missing=""
need() { missing="$missing $1"; }
command -v strace >/dev/null || need strace
command -v git >/dev/null || need git
command -v dbus-run-session >/dev/null || need dbus
command -v gnome-keyring-daemon >/dev/null || need gnome-keyring
command -v zsh >/dev/null || need zsh
command -v fish >/dev/null || need fish
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || need postgresql
[ -e /usr/lib/softhsm/libsofthsm2.so ] || need softhsm2
command -v chromium >/dev/null || need chromium
found=""
for library in /usr/lib/*/faketime/libfaketime.so.1 /usr/lib/faketime/libfaketime.so.1 /usr/local/lib/faketime/libfaketime.so.1; do
  if [ -e "$library" ]; then found="$library"; fi
done
[ -n "$found" ] || need libfaketime

[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing from Debian:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
  echo "Debian's packages could not be installed:$missing" >&2
fi

echo "MISSING on this machine:$missing" >&2
echo "The tests that need them will be SKIPPED. As root on Debian: apt-get install$missing" >&2
if [ "${CI:-}" = true ]; then
  echo "CI=true: a missing part is a failure." >&2
  exit 1
fi
