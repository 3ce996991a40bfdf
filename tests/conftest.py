"""What holds for every test: loopback only, a home of its own, reproducible examples.

The network guard is an audit hook, so it sees what C code connects to as well; it can't be taken off
again. `HOME`, the XDG directories and `GATEKEEPER_*` never reach a test from the outside. Hypothesis
profiles: `fast` (default), `ci`, `nightly`, chosen by the environment variable `HYPOTHESIS_PROFILE`.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A shell starts a background job with Ctrl-C ignored, and every process below would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

OUTER_ENVIRONMENT = dict(os.environ)
_FORGET = ("GATEKEEPER_", "XDG_", "PYTHON_KEYRING_", "DBUS_", "LC_")
_CI_MARKS = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "CLAUDECODE", "NO_COLOR", "FORCE_COLOR")

settings.register_profile("fast", max_examples=50, deadline=None)
settings.register_profile(
    "ci",
    max_examples=200,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "fast"))


def _is_local(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return False


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.bind"):
        carrier, address = arguments
        family = getattr(carrier, "family", None)
        if family not in (socket.AF_INET, socket.AF_INET6):
            return
        host = address[0] if isinstance(address, tuple) and address else address
        if event == "socket.bind" and host in ("", "0.0.0.0", "::"):
            raise RuntimeError("a test listens on every interface; listen on 127.0.0.1")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _is_local(host):
        raise RuntimeError(f"a test reaches for the network: {event} {host!r}")


sys.addaudithook(_guard)

_homes = itertools.count()


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test an empty home, and an environment that says nothing of the outside."""
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(_homes))
    home.mkdir(parents=True)
    for name in list(os.environ):
        if name.startswith(_FORGET) or name in _CI_MARKS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name, part in (
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_CACHE_HOME", ".cache"),
    ):
        monkeypatch.setenv(name, str(home / part))
    return home
