"""`service review …`: the operator decides about access requests and grants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gatekeeper.cli.formats.json import instant, print_json, request_members
from gatekeeper.cli.formats.text import print_table, say
from gatekeeper.cli.moments import render_moment
from gatekeeper.cli.options import Json
from gatekeeper.cli.service.made import As, Data, GrantId, Reason, RequestId, examples, hint, now, opened
from gatekeeper.documents.api import RequestView

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.service.access.grants import Grant
    from gatekeeper.service.access.requests import AccessRequest
    from gatekeeper.service.store.transactions import Store

WAITLISTED = "waitlisted"
commands = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@commands.command("list")
@examples("review list", "review list --json")
def review_list(data: Data = "", as_json: Json = False) -> None:
    """List the access requests that wait for a review, the oldest first."""
    with opened(data) as (_, store):
        from gatekeeper.service.operate.review import list_pending

        items = [_view(item.request, subject=item.subject.name) for item in list_pending(store, now=now())]
    if as_json:
        print_json({"requests": [request_members(item) for item in items]})
        return
    rows = [
        (item.id, item.subject_name, item.tool, ", ".join(item.zones), item.duration, item.reason)
        for item in items
    ]
    if rows:
        print_table(("REQUEST", "SUBJECT", "TOOL", "ZONES", "FOR", "REASON"), rows)
    else:
        hint("Nothing waits for a review.")


@commands.command()
@examples(
    "review approve R-1 --as sam@acme.example",
    "review approve R-1 --as sam@acme.example --for 7d --zone none",
)
def approve(
    request: RequestId,
    *,
    by: As,
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Shorter than was asked.", show_default=False)
    ] = "",
    zone: Annotated[
        list[str] | None,
        typer.Option("--zone", metavar="ZONE", help="Only these of the zones asked for.", show_default=False),
    ] = None,
    reason: Reason = "",
    data: Data = "",
    as_json: Json = False,
) -> None:
    """Approve an access request, as it was asked or narrower. Nobody approves their own."""
    with opened(data) as (_, store):
        from gatekeeper.service.operate import review as operate

        reviewed = operate.approve(
            store,
            request,
            as_name=by,
            duration=duration,
            zones=tuple(zone) if zone else None,
            reason=reason,
            now=now(),
        )
        decided = reviewed.request
        view = _view(decided, subject=_name_of(store, decided.subject))
        names = [_name_of(store, grant.subject) for grant in reviewed.grants]
    if as_json:
        first = next(iter(reviewed.grants), None)
        given = [
            {"id": g.id, "subject": n, "state": g.state} for g, n in zip(reviewed.grants, names, strict=True)
        ]
        ends_at = instant(first.ends_at) if first is not None else None
        print_json({**request_members(view), "grant_ends": ends_at, "grants": given})
        return
    for grant, name in zip(reviewed.grants, names, strict=True):
        until = f"until {render_moment(grant.ends_at, now=now())}"
        how = "waits for a seat" if grant.state == WAITLISTED else until
        say(f"{view.id} approved: {grant.id}, {view.tool} for {name}, {how}")


@commands.command()
@examples('review deny R-1 --as sam@acme.example --reason "Use llama for this."')
def deny(request: RequestId, by: As, reason: Reason, data: Data = "", as_json: Json = False) -> None:
    """Deny an access request. The person who asked reads the reason."""
    with opened(data) as (_, store):
        from gatekeeper.service.operate import review as operate

        decided = operate.deny(store, request, as_name=by, reason=reason, now=now())
        view = _view(decided, subject=_name_of(store, decided.subject))
    if as_json:
        print_json(request_members(view))
    else:
        say(f"{view.id} denied: {view.tool} for {view.subject_name}")


@commands.command()
@examples('review revoke G-1 --as sam@acme.example --reason "The project ended."')
def revoke(grant: GrantId, by: As, reason: Reason = "", data: Data = "", as_json: Json = False) -> None:
    """End a grant for good. It takes effect at each device's next renewal."""
    _act("revoke", grant, by=by, reason=reason, data=data, as_json=as_json)


@commands.command()
@examples("review suspend G-1 --as sam@acme.example")
def suspend(grant: GrantId, by: As, reason: Reason = "", data: Data = "", as_json: Json = False) -> None:
    """Stop a grant for the time being. Its end stays where it is."""
    _act("suspend", grant, by=by, reason=reason, data=data, as_json=as_json)


@commands.command()
@examples("review resume G-1 --as sam@acme.example")
def resume(grant: GrantId, by: As, reason: Reason = "", data: Data = "", as_json: Json = False) -> None:
    """Let a suspended grant stand again."""
    _act("resume", grant, by=by, reason=reason, data=data, as_json=as_json)


def _act(act: str, grant: str, *, by: str, reason: str, data: str, as_json: bool) -> None:
    with opened(data) as (_, store):
        from gatekeeper.service.operate import review as operate

        acts: dict[str, Callable[..., Grant]] = {
            "revoke": operate.revoke,
            "suspend": operate.suspend,
            "resume": operate.resume,
        }
        after = acts[act](store, grant, as_name=by, reason=reason, now=now())
        name = _name_of(store, after.subject)
    if as_json:
        print_json(
            {
                "id": after.id,
                "state": after.state,
                "tool": after.tool,
                "subject": name,
                "request": after.request,
                "ends_at": instant(after.ends_at),
            }
        )
    else:
        say(f"{after.id} is {after.state} now: {after.tool} for {name}")


def _view(request: AccessRequest, *, subject: str) -> RequestView:
    from gatekeeper.service.policy.folder import render_duration

    return RequestView(
        id=request.id,
        tool=request.tool,
        subject_name=subject,
        state=request.state,
        reason=request.reason,
        duration=render_duration(request.duration_for),
        zones=request.zones,
        url="",
        created_at=request.created_at,
        ticket=request.ticket,
        grant=request.grant,
        decided_by=request.decided_by,
        decision_reason=request.decision_reason,
    )


def _name_of(store: Store, subject: str) -> str:
    from gatekeeper.service.people.subjects import get_subject

    with store.read() as tx:
        return get_subject(tx, subject).name
