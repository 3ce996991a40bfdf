"""JSON for programs: one object on stdout, `schema` first, RFC 3339 UTC times. Imports nothing of rich.

Everything beyond ASCII is escaped, so that no byte of the output can command a terminal. The shapes are a
contract: members are added, never renamed; null stands where there is nothing.
"""

from __future__ import annotations

import json
import sys

from gatekeeper.cli.formats.text import write
from gatekeeper.codes import CODES
from gatekeeper.documents.api import Problem
from gatekeeper.documents.verdict import SCHEMA, rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from gatekeeper.documents.api import RequestView
    from gatekeeper.errors import GatekeeperError


def print_json(members: Mapping[str, object], stream: TextIO | None = None) -> None:
    """Print one object, `schema` first. Raises `GatekeeperError` GK106 where the stream can't be written."""
    whole = {"schema": SCHEMA, **members}
    write(stream or sys.stdout, json.dumps(whole, indent=2, ensure_ascii=True) + "\n")


def instant(at: int | None) -> str | None:
    """Render Unix seconds as RFC 3339 UTC; None stays null."""
    return None if at is None else rfc3339(at)


def request_members(request: RequestView) -> dict[str, object]:
    """Give an access request the contract's members, and what else its subject may know."""
    return {
        "id": request.id,
        "state": request.state,
        "url": request.url or None,
        "place": request.place,
        "tool": request.tool,
        "subject": request.subject_name,
        "reason": request.reason or None,
        "duration": request.duration,
        "zones": list(request.zones),
        "ticket": request.ticket or None,
        "grant": request.grant or None,
        "created_at": instant(request.created_at),
        "decided_by": request.decided_by or None,
        "decision_reason": request.decision_reason or None,
        "requester": request.requester_name or None,
        "members": list(request.members),
        "question": request.question or None,
        "question_by": request.question_by or None,
        "waits_for": list(request.waits_for),
        "notes": list(request.notes),
        "terms_needed": request.terms_needed,
        "break_glass": request.break_glass,
    }


def review_members(request: RequestView) -> dict[str, object]:
    """Give an access request the members of `request_members`, and what else a reviewer may know."""
    return {
        **request_members(request),
        "groups": list(request.groups),
        "verdict": request.verdict or None,
        "precedent": request.precedent or None,
        "device": request.device or None,
        "claimed_by": request.claimed_by or None,
    }


def error_members(error: GatekeeperError) -> dict[str, object]:
    """Give an error the contract's members: code, title, detail, and what the service added to help."""
    row = CODES.get(error.code) or CODES["GK602"]
    members: dict[str, object] = {
        "code": row.code,
        "title": row.title,
        "detail": error.detail,
        "remedy": error.remedy or row.remedy,
        "exit": row.check_exit,
    }
    problem = error.facts.get("problem")
    if isinstance(problem, Problem):
        members |= {
            "tool": problem.tool or None,
            "request_id": problem.request or None,
            "request_url": problem.request_url or None,
            "alternatives": list(problem.alternatives),
            "ref": problem.ref or None,
        }
    return members
