"""The two ways in which the service fails a caller: it says no with a code, or no answer comes that can be used."""

from __future__ import annotations

from gatekeeper.errors import GatekeeperError


class ServiceRefused(GatekeeperError):
    """The service answered with a code. Its words are quoted, never interpreted."""


class ServiceUnreachable(GatekeeperError):
    """No answer that can be used: refused, timed out, TLS, 429, 5xx, or no code in it (GK601, GK602)."""
