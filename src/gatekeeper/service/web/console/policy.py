"""The policy's versions: which is in force, who applied it when, its text, and what changed."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.web.console.listings import policy_texts, policy_versions
from gatekeeper.service.web.console.render import render_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from gatekeeper.service.web.console.page_calls import PageCall

_MOST = 200
_MARKS = {"+": "added", "-": "taken", "@": "where"}


async def versions(call: PageCall) -> Response:
    """Show every version, the newest first."""
    found = await call.service.turns.read(lambda tx: policy_versions(tx, limit=_MOST))
    return render_page(call, "policy.html", title="Policy", found=found, in_force=call.policy.version)


async def version(call: PageCall) -> Response:
    """Show one version: its files, or what changed since the version before.

    Raises:
        GatekeeperError: GK409, there is no such version.
    """
    wanted = str(call.request.path_params["version"])
    number = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) <= 9 else 0
    rows, texts, before = await call.service.turns.read(
        lambda tx: (
            policy_versions(tx, version=number),
            policy_texts(tx, number),
            policy_texts(tx, number - 1),
        )
    )
    if not rows:
        raise GatekeeperError("GK409", "There is no such version of the policy.")
    row = rows[0]
    changed = call.request.query_params.get("show") != "text" and bool(before)
    files = [
        (
            name,
            _difference(name, before.get(name, ""), text)
            if changed
            else [("", line) for line in text.splitlines()],
        )
        for name, text in texts.items()
    ]
    return render_page(
        call,
        "policy_version.html",
        title=f"Policy version {number}",
        row=row,
        in_force=call.policy.version,
        files=files,
        changed=changed,
        has_before=bool(before),
    )


def _difference(name: str, before: str, after: str) -> list[tuple[str, str]]:
    """Return the lines of a unified difference, each with its class."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3))[2:]
    return [(_MARKS.get(line[:1], ""), line) for line in lines] or [("where", f"{name} is unchanged")]
