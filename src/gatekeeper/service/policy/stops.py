"""Stops: a tool or a whole vendor stands still for now (GK311). Grants, seats and places in the queue are kept.

For the day that a vendor is breached: one act, undone by one act. Whoever stops or resumes records it in the
audit log.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.catalogue import Policy, PolicyTool
from gatekeeper.service.policy.reading import is_plain, meant
from gatekeeper.service.policy.remaining import check_versions, without
from gatekeeper.service.store.tables.policy import stops
from gatekeeper.values import Value

TOOL = "tool"
VENDOR = "vendor"
_MAX_REASON_CHARS = 500
# Built once, as every token asks.
_in_force = select(stops).where(stops.c.resumed_at.is_(None)).order_by(stops.c.number)


class Stop(Value):
    """What is stopped since when, by whom and why. `versions` is "" for every version."""

    number: int
    kind: str
    name: str
    versions: str
    reason: str
    stopped_at: int
    stopped_by: str


def what_is_meant(policy: Policy, word: str) -> tuple[str, str]:
    """Return (kind, name) of a tool or vendor; `tool:NAME` and `vendor:NAME` tell them apart where both are so called.

    Raises:
        GatekeeperError: GK302, the catalogue has neither.
    """
    prefix, colon, rest = word.partition(":")
    kind, name = (prefix, rest) if colon and prefix in {TOOL, VENDOR} else ("", word)
    tool = policy.tool(name)
    vendors = {one.vendor for one in policy.tools}
    if tool is not None and kind != VENDOR:
        return TOOL, tool.id
    if name in vendors and kind != TOOL:
        return VENDOR, name
    near = meant(name, (*vendors, *(one.id for one in policy.tools)))
    raise GatekeeperError("GK302", f"The catalogue names no tool and no vendor {name!r}. {near}".rstrip())


def stop(tx: Connection, *, kind: str, name: str, versions: str, reason: str, by: str, now: int) -> Stop:
    """Stop a tool or vendor.

    Raises:
        GatekeeperError: GK404, no reason is given; GK100, it isn't one line of at most 500 characters, or `versions`
            is no range, or goes with a vendor; GK408, it is stopped already.
    """
    if not reason.strip():
        raise GatekeeperError("GK404", "A stop needs a reason: everybody whom it stops will read it.")
    if len(reason) > _MAX_REASON_CHARS or not is_plain(reason):
        raise GatekeeperError(
            "GK100", f"The reason must be one line of at most {_MAX_REASON_CHARS} characters."
        )
    if versions and kind != TOOL:
        raise GatekeeperError("GK100", "Versions go with a tool: a vendor's tools count them differently.")
    if versions:
        check_versions(versions)
    if any((one.kind, one.name) == (kind, name) for one in stops_in_force(tx)):
        raise GatekeeperError(
            "GK408", f"{name} is stopped already.", remedy=f"gatekeeper service resume {kind}:{name}"
        )
    number = tx.execute(
        insert(stops)
        .values(kind=kind, name=name, versions=versions, reason=reason, stopped_at=now, stopped_by=by)
        .returning(stops.c.number)
    ).scalar_one()
    return _typed(tx.execute(select(stops).where(stops.c.number == number)).one())


def resume_stopped(tx: Connection, *, kind: str, name: str, by: str, now: int) -> Stop:
    """End a stop, and return it.

    Raises:
        GatekeeperError: GK409, there is none.
    """
    found = next((one for one in stops_in_force(tx) if (one.kind, one.name) == (kind, name)), None)
    changed = 0
    if found is not None:
        standing = (stops.c.number == found.number) & stops.c.resumed_at.is_(None)
        changed = tx.execute(update(stops).where(standing).values(resumed_at=now, resumed_by=by)).rowcount
    if found is None or changed != 1:
        raise GatekeeperError("GK409", f"{name} isn't stopped.")
    return found


def stops_in_force(tx: Connection) -> tuple[Stop, ...]:
    """Return what is stopped now, the oldest first."""
    return tuple(_typed(row) for row in tx.execute(_in_force))


def stopped_by(tx: Connection, tool: PolicyTool) -> Stop | None:
    """Return the stop that stops every version of a tool, None where there is none."""
    return whole_stop(stops_in_force(tx), tool)[0]


def whole_stop(in_force: tuple[Stop, ...], tool: PolicyTool) -> tuple[Stop | None, PolicyTool]:
    """Return the stop that stops a tool whole, and the tool without the versions that are stopped.

    A stop of versions that leaves none stops the tool whole.
    """
    identities = tool.identities
    for one in in_force:
        if (one.kind, one.name) not in {(TOOL, tool.id), (VENDOR, tool.vendor)}:
            continue
        identities = without(identities, one.versions) if one.versions else ()
        if not identities:
            return one, tool
    return None, tool if identities == tool.identities else tool.replace(identities=identities)


def refuse_stopped(stopped: Stop, tool: PolicyTool) -> GatekeeperError:
    """Return the refusal GK311 in the words of whoever stopped it."""
    return GatekeeperError(
        "GK311",
        f"{tool.name} is stopped for now: {stopped.reason}",
        facts={"by": stopped.stopped_by, "reason": stopped.reason},
    )


def _typed(row: Row[Any]) -> Stop:
    return Stop(
        number=row.number,
        kind=row.kind,
        name=row.name,
        versions=row.versions,
        reason=row.reason,
        stopped_at=row.stopped_at,
        stopped_by=row.stopped_by,
    )
