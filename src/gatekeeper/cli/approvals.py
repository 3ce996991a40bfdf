"""The standing of every tool, as `status` and `tools` show it: from what is held here, and from the service's answers.

Pure: values in, values out.
"""

from __future__ import annotations

from gatekeeper.documents.api import OPEN_STATES
from gatekeeper.documents.catalogue import APPROVAL, CLOSED, OPEN
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeVar

    from gatekeeper.cli.held import Held
    from gatekeeper.documents.api import GrantView, RequestView

    T = TypeVar("T", GrantView, RequestView)

CACHE = "cache"
SERVICE = "service"
APPROVED = "approved"
NO_ZONE = "none"  # outside every zone: the ordinary case, not worth a word
EVERYWHERE = "*"
NOT_APPROVED = "not approved"
UNPROVEN = "unproven"  # the lease is over: only a renewal can tell


class Standing(Value):
    """How one tool stands for one person. Times are Unix seconds. `source` is `CACHE` or `SERVICE`."""

    tool: str
    access: str
    state: str
    source: str
    grant: str = ""
    request: str = ""
    grant_ends: int | None = None
    token_ends: int | None = None
    renew_by: int | None = None
    by: str = ""
    reason: str = ""
    usable: bool = False
    place: int | None = None  # in the queue for a seat, from 1
    zones: tuple[str, ...] = ()  # names from the service; patterns of repositories from a token


def standings(
    held: Held, *, grants: Sequence[GrantView] | None, requests: Sequence[RequestView] | None
) -> tuple[Standing, ...]:
    """Join the catalogue, the tokens held and the service's answers (None where it wasn't asked or didn't answer)."""
    names = [tool.id for tool in held.catalogue.tools] if held.catalogue is not None else []
    names += [token.tool for token in held.tokens]
    names += [grant.tool for grant in grants or ()]
    names += [request.tool for request in requests or ()]
    asked = grants is not None and requests is not None
    found = []
    for tool in dict.fromkeys(names):
        standing = _from_state(held, tool)
        if asked:
            standing = _from_service(
                standing,
                grants=[grant for grant in grants or () if grant.tool == tool],
                requests=[request for request in requests or () if request.tool == tool],
            )
        found.append(standing)
    return tuple(found)


def _from_state(held: Held, tool: str) -> Standing:
    listed = held.catalogue.tool(tool) if held.catalogue is not None else None
    access = listed.access if listed is not None else ""
    token = held.token(tool)
    state = {OPEN: OPEN, CLOSED: CLOSED, APPROVAL: NOT_APPROVED}.get(access, NOT_APPROVED)
    standing = Standing(tool=tool, access=access, state=state, source=CACHE)
    if token is None:
        return standing
    return standing.replace(
        state=_token_state(held, tool, grant=token.grant, ends=token.grant_ends),
        grant=token.grant,
        grant_ends=token.grant_ends,
        token_ends=token.expires_at,
        renew_by=token.issued_at + token.fresh_for,
        usable=held.usable(tool),
        zones=tuple(one for one in token.locations if EVERYWHERE not in token.locations),
    )


def _token_state(held: Held, tool: str, *, grant: str, ends: int | None) -> str:
    if ends is not None and held.clock >= ends:
        return "ended"
    if not held.usable(tool):
        return UNPROVEN
    return APPROVED if grant else OPEN


def _from_service(
    standing: Standing, *, grants: Sequence[GrantView], requests: Sequence[RequestView]
) -> Standing:
    standing = standing.replace(source=SERVICE)
    newest = newest_first(requests)
    active = [grant for grant in newest_first(grants) if grant.state == "active"]
    if active:
        zones = tuple(dict.fromkeys(zone for grant in active for zone in grant.zones))
        return _with_grant(standing, max(active, key=lambda grant: grant.ends_at)).replace(zones=zones)
    waiting = [request for request in newest if request.state in OPEN_STATES]
    if waiting:
        return standing.replace(state=waiting[0].state, request=waiting[0].id, usable=False)
    if newest and newest[0].state != APPROVED:
        last = newest[0]
        return standing.replace(
            state=last.state,
            request=last.id,
            by=last.decided_by,
            reason=last.decision_reason,
            usable=False,
        )
    if grants:
        return _with_grant(standing, newest_first(grants)[0])
    return standing


def _with_grant(standing: Standing, grant: GrantView) -> Standing:
    active = grant.state == "active"
    return standing.replace(
        state=APPROVED if active else "ended" if grant.state == "expired" else grant.state,
        grant=grant.id,
        request=grant.request,
        # Of a grant that waits for a seat the end is that of its place in the queue.
        grant_ends=None if grant.state == "waitlisted" else grant.ends_at,
        place=grant.place,
        by=grant.ended_by,
        reason=grant.ended_reason,
        zones=grant.zones,
        usable=standing.usable and active,
    )


def scope_words(one: Standing) -> str:
    """Say where an approval holds; "" where it is the ordinary one, or there is none."""
    if one.zones in ((), (NO_ZONE,)) or one.state not in (APPROVED, UNPROVEN, "suspended"):
        return ""
    named = ", ".join(zone for zone in one.zones if zone != NO_ZONE)
    if one.source == CACHE:
        return f"only in repositories like {named}"
    what = f"the zone{'s' if ',' in named else ''} {named}"
    return f"outside every zone, and in {what}" if NO_ZONE in one.zones else f"only in {what}"


def newest_first(items: Iterable[T]) -> list[T]:
    """Sort requests or grants by the number of their id, the newest first."""
    return sorted(items, key=lambda item: _number(item.id), reverse=True)


def _number(id_: str) -> int:
    digits = id_.rpartition("-")[2]
    return int(digits) if digits.isdecimal() and len(digits) < 19 else 0
