"""`service stop` and `service resume`: a tool or a whole vendor stands still for now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gatekeeper.cli.formats.json import instant, print_json
from gatekeeper.cli.formats.text import print_table
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import Data, examples, hint, now, opened

if TYPE_CHECKING:
    from gatekeeper.service.policy.stops import Stop

What = Annotated[
    str,
    typer.Argument(
        metavar="TOOL|VENDOR",
        help="As the catalogue names it; tool:NAME or vendor:NAME where both are so called.",
    ),
]


@examples(
    'stop anthropic --reason "The vendor reported a breach; we wait for its report."',
    'stop claude --versions ">=2.3,<2.3.5" --reason "These versions send what they should not."',
    "stop --list",
)
def stop(
    what: What = "",
    *,
    versions: Annotated[
        str,
        typer.Option(
            "--versions", metavar="RANGE", help="Only these versions of a tool.", show_default=False
        ),
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Everybody whom it stops will read it.")
    ] = "",
    as_list: Annotated[bool, typer.Option("--list", help="List what is stopped.")] = False,
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Let a tool or a vendor stand still: no launch token for it until it is resumed. Approvals, seats and places are kept."""
    with opened(data) as (_, store):
        from gatekeeper.service.operate import stop as operate

        if as_list or not what:
            _print(list(operate.list_stops(store)), as_json=as_json)
            return
        made = operate.stop(store, what, versions=versions, reason=reason, now=now())
    _print([made], as_json=as_json)
    hint("No new launch token is issued for it; workstations hear of it within the policy's `fresh`.")
    hint(f"Next: gatekeeper service resume {made.kind}:{made.name}")


@examples("resume anthropic", "resume tool:claude")
def resume(what: What, *, data: Data = "", as_json: Json = False) -> None:
    """Let what was stopped go on. Approvals stand as before."""
    with opened(data) as (_, store):
        from gatekeeper.service.operate import stop as operate

        ended = operate.resume(store, what, now=now())
    if as_json:
        print_json({"resumed": {"kind": ended.kind, "name": ended.name}})
    else:
        hint(f"{ended.kind} {ended.name} goes on.")


def _print(stops: list[Stop], *, as_json: bool) -> None:
    if as_json:
        members = [
            {
                "kind": one.kind,
                "name": one.name,
                "versions": one.versions or None,
                "reason": one.reason,
                "since": instant(one.stopped_at),
                "by": one.stopped_by,
            }
            for one in stops
        ]
        print_json({"stops": members})
    elif stops:
        rows = [(one.kind, one.name, one.versions or "all", one.stopped_by, one.reason) for one in stops]
        print_table(("STOPPED", "NAME", "VERSIONS", "BY", "REASON"), rows)
    else:
        hint("Nothing is stopped.")
