"""The audit log: filtered, verified, exported."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from gatekeeper.service.audit.checkpoints import latest_checkpoint
from gatekeeper.service.audit.verify import verify_log
from gatekeeper.service.web.console.audit_rows import AuditRow, Wanted, find_rows
from gatekeeper.service.web.console.render import HEADERS, render_page
from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from gatekeeper.service.web.console.page_calls import PageCall

_SHOWN = 200
_EXPORTED = 50_000
_DAY = 86_400
ACTS = (
    "request.",
    "grant.",
    "step-up.",
    "device.",
    "passkey.",
    "launch_token.",
    "policy.",
    "invite.",
    "service.",
)


async def show(call: PageCall) -> Response:
    """Show entries, the newest first."""
    query = call.request.query_params
    wanted = _wanted(query)
    before = _number(query.get("before", ""))

    def look(tx: Connection) -> tuple[list[AuditRow], bytes | None]:
        return find_rows(tx, wanted, before=before, limit=_SHOWN + 1), latest_checkpoint(tx)

    rows, head = await call.service.turns.read(look)
    return render_page(
        call,
        "audit.html",
        title="Audit",
        rows=rows[:_SHOWN],
        older=rows[_SHOWN - 1].seq if len(rows) > _SHOWN else 0,
        wanted=wanted,
        since=query.get("since", ""),
        until=query.get("until", ""),
        acts=ACTS,
        query=str(call.request.url.query),
        head=_head(head),
    )


async def verify(call: PageCall) -> Response:
    """Check the whole log, and show what was found. It is read once whole, so it is a form, and takes its time."""
    verdict = await call.service.turns.read(verify_log)
    return render_page(call, "verified.html", title="The log, verified", verdict=verdict)


async def export(call: PageCall) -> Response:
    """Answer with what the filter finds as JSON Lines, the newest first, bounded."""
    wanted = _wanted(call.request.query_params)
    rows = await call.service.turns.read(lambda tx: find_rows(tx, wanted, before=0, limit=_EXPORTED))
    lines = b"".join(
        render_json({name: getattr(row, name) for name in AuditRow._fields}) + b"\n" for row in rows
    )
    return Response(
        lines,
        media_type="application/jsonl",
        headers={**HEADERS, "content-disposition": 'attachment; filename="gatekeeper-audit.jsonl"'},
    )


def _wanted(query: Mapping[str, str]) -> Wanted:
    until = _day(query.get("until", ""))
    return Wanted(
        person=query.get("person", "").strip()[:320],
        act=query.get("act", "")[:64],
        object=query.get("object", "").strip()[:64],
        since=_day(query.get("since", "")),
        until=until + _DAY if until else 0,
    )


def _day(text: str) -> int:
    """Return the first second of a day (UTC), 0 for what is no day."""
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def _head(note: bytes | None) -> tuple[str, str]:
    """Return size and hash of a signed head, as its lines say them."""
    lines = note.decode("utf-8", "replace").splitlines() if note else []
    return (lines[1], lines[2]) if len(lines) > 2 else ("", "")
