"""What this workstation has seen of the service's audit log, in words and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.cli.formats.json import instant
from gatekeeper.cli.moments import render_moment
from gatekeeper.client.witness import BEHIND_FOR, seen_logs
from gatekeeper.errors import GatekeeperError

if TYPE_CHECKING:
    from gatekeeper.client.witness import Log
    from gatekeeper.workstation.world import World


def current_log(world: World, directory: str) -> Log | None:
    """Return the log that was seen last, None before the first."""
    logs = list(seen_logs(world, directory).values())
    return max(logs, key=lambda log: log.seen_at) if logs else None


def contradiction(world: World, directory: str) -> GatekeeperError | None:
    """Return GK506 where a log contradicted itself: also an earlier one, whose heads are the evidence."""
    for log in seen_logs(world, directory).values():
        if log.fault is not None:
            return GatekeeperError(
                "GK506",
                f"The service's audit log {log.kept.origin} contradicts what this device saw of it: {log.fault.words}.",
                remedy=f"give {directory}/witness.json to your security team: it holds both, as the service signed them",
            )
    return None


def log_words(log: Log, *, now: int) -> str:
    """Say it in one line."""
    if log.fault is not None:
        return f"{log.kept.origin} contradicts itself since {render_moment(log.fault.at, now=now)} (GK506)"
    behind = log.behind_at is not None and now - log.behind_at > BEHIND_FOR
    seen = f"seen {render_moment(log.seen_at, now=now)}"
    if behind:
        return f"{log.kept.origin} is shorter than the {log.kept.size} entries that were seen; {seen}"
    waiting = f"; {len(log.waiting)} heads wait for their proof" if log.waiting else ""
    return f"{log.kept.origin}, {log.kept.size} entries proved, {seen}{waiting}"


def log_members(log: Log) -> dict[str, object]:
    """Return the members for JSON."""
    fault = log.fault
    return {
        "origin": log.kept.origin,
        "size": log.kept.size,
        "seen_at": instant(log.seen_at),
        "waiting": len(log.waiting),
        "fault": None if fault is None else {"at": instant(fault.at), "words": fault.words},
    }
