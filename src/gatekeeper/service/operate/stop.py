"""`service stop` and `service resume`: a tool or a vendor stands still, and goes on. One audited act each, nothing lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.audit.log import record
from gatekeeper.service.policy import stops
from gatekeeper.service.policy.folder import current_policy

if TYPE_CHECKING:
    from gatekeeper.service.policy.stops import Stop
    from gatekeeper.service.store.transactions import Store

OPERATOR = "operator"


def stop(store: Store, word: str, *, versions: str, reason: str, by: str = OPERATOR, now: int) -> Stop:
    """Stop what `word` names. Raises as `stops.what_is_meant` and `stops.stop` do."""
    with store.write() as tx:
        kind, name = stops.what_is_meant(current_policy(tx, now=now), word)
        made = stops.stop(tx, kind=kind, name=name, versions=versions, reason=reason, by=by, now=now)
        detail = {"kind": kind, "versions": versions}
        said = {"reason": reason}
        record(tx, at=now, actor=by, act="tool.stopped", object=name, detail=detail, said=said)
    return made


def resume(store: Store, word: str, *, by: str = OPERATOR, now: int) -> Stop:
    """End the stop of what `word` names, also of what the catalogue no longer has. Raises GK409: it isn't stopped."""
    with store.write() as tx:
        kind, name = _stopped(stops.stops_in_force(tx), word)
        ended = stops.resume_stopped(tx, kind=kind, name=name, by=by, now=now)
        detail = {"kind": kind, "versions": ended.versions, "stopped_at": ended.stopped_at}
        record(tx, at=now, actor=by, act="tool.resumed", object=name, detail=detail)
    return ended


def list_stops(store: Store) -> tuple[Stop, ...]:
    """Return what is stopped now, the oldest first."""
    with store.read() as tx:
        return stops.stops_in_force(tx)


def _stopped(in_force: tuple[Stop, ...], word: str) -> tuple[str, str]:
    for one in in_force:
        if word in {one.name, f"{one.kind}:{one.name}"}:
            return one.kind, one.name
    return stops.TOOL, word
