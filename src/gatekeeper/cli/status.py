"""`gatekeeper status`: who, which device, which service, and every tool: approved until when, known from where.

The service is asked unless it answered within the last minutes, nothing was done here since and no request waits.
Without it, this shows what the workstation holds, verified, and says so. Exits 0 when signed in, 4 when not.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import typer

from gatekeeper.cli.approvals import NOT_APPROVED, SERVICE, Standing, scope_words, standings
from gatekeeper.cli.formats.text import look_of, print_notice, print_table, say, waiting
from gatekeeper.cli.here import Here
from gatekeeper.cli.job_help import say_job_help
from gatekeeper.cli.log_seen import contradiction, current_log, log_members, log_words
from gatekeeper.cli.moments import render_brief, render_moment
from gatekeeper.cli.options import Json, Offline
from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.codes import CODES
from gatekeeper.decision.facts import NONE, OWN, Absent
from gatekeeper.decision.notice import error_notice
from gatekeeper.documents.api import (
    OPEN_STATES,
    parse_grants,
    parse_requests,
    render_grant,
    render_request,
)
from gatekeeper.errors import GatekeeperError, Malformed, TrustError
from gatekeeper.strict import render_json
from gatekeeper.values import Value
from gatekeeper.workstation.keeping import StandingState, load_standing, save_standing
from gatekeeper.workstation.state import DeviceState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.documents.api import GrantView, RequestView

EXAMPLES = ("gatekeeper status", "gatekeeper status --offline", "gatekeeper status --json")
_WIDE = 100  # columns of a terminal that hold the whole table
JOB = "job"  # the credential store of a CI job
KEEP_FOR = 300  # seconds; a launch believes its token for longer
SIGNED_OUT = CODES["GK201"].check_exit


class Answer(Value):
    """What the service said, or why it said nothing. `error` is None where it answered."""

    grants: tuple[GrantView, ...] | None = None
    requests: tuple[RequestView, ...] | None = None
    error: GatekeeperError | None = None


def status(ctx: typer.Context, *, as_json: Json = False, offline: Offline = False) -> int:
    """Show who you are here, which device and service this is, and how every tool stands for you."""
    here: Here = ctx.obj.here()
    here.require_service()
    _join_job(here, offline=offline)
    held = here.held
    answer = Answer()
    if held.state == OWN and not offline and not here.settings.offline:
        answer = _kept(here) or _asked(here)
    tools = standings(held, grants=answer.grants, requests=answer.requests)
    out = _sign_in_error(here, answer)
    if as_json:
        _print_json(here, tools, answer, out)
    else:
        _print_text(here, tools, answer)
    if out is not None:
        print_notice(error_notice(out, agent=here.agent))
        say_job_help(here, out.code)
        return CODES.get(out.code, CODES["GK602"]).check_exit
    return 0


def _join_job(here: Here, *, offline: bool) -> None:
    """Let a CI job sign in by itself and get its tokens, where it hasn't yet: a person's workstation isn't asked."""
    if here.settings.credential_store == JOB and here.held.state == NONE and not offline:
        with waiting(f"Signing in to {here.settings.service}"):
            here.calls.sync(lease_for=None)
        here.forget_held()


def _kept(here: Here) -> Answer | None:
    """Return the service's last answer while nothing can be expected to have changed, else None."""
    kept = load_standing(here.world, here.directory)
    if isinstance(kept, Absent) or not 0 <= here.world.now() - kept.asked_at < KEEP_FOR:
        return None
    try:
        grants, requests = parse_grants(kept.grants), parse_requests(kept.requests)
    except Malformed:
        return None
    if any(request.state in OPEN_STATES for request in requests):
        return None
    return Answer(grants=grants, requests=requests)


def _asked(here: Here) -> Answer:
    with waiting(f"Asking {here.settings.service}"):
        answer = ask(here)
    if answer.grants is not None and answer.requests is not None:
        grants = render_json({"grants": [render_grant(grant) for grant in answer.grants]})
        requests = render_json({"requests": [render_request(request) for request in answer.requests]})
        kept = StandingState(asked_at=here.world.now(), grants=grants, requests=requests)
        with suppress(GatekeeperError):  # a disk that is full doesn't make the answer worse
            save_standing(here.world, here.directory, kept)
    return answer


def ask(here: Here) -> Answer:
    """Ask for the own grants and requests; an error is part of the answer."""
    try:
        grants, requests = here.calls.standing()
        return Answer(grants=tuple(grants), requests=tuple(requests))
    except (ServiceUnreachable, ServiceRefused, TrustError) as error:
        return Answer(error=error)
    except GatekeeperError as error:
        if CODES[error.code].check_exit == SIGNED_OUT:
            return Answer(error=error)
        raise


def _sign_in_error(here: Here, answer: Answer) -> GatekeeperError | None:
    """Return what says that nobody is signed in, that an answer doesn't hold, or the log; being offline is none of these."""
    try:
        here.require_sign_in()
    except GatekeeperError as error:
        return error
    if answer.error is not None and not isinstance(answer.error, ServiceUnreachable):
        return answer.error
    return contradiction(here.world, here.directory)


def _trust_origin(here: Here) -> str:
    return dict(here.settings.origins).get("trust_roots", "")


def _print_json(
    here: Here, tools: tuple[Standing, ...], answer: Answer, error: GatekeeperError | None
) -> None:
    from gatekeeper.cli.formats.json import error_members, instant, print_json

    held, settings = here.held, here.settings
    device = held.device if isinstance(held.device, DeviceState) and held.state == OWN else None
    root = None if isinstance(held.root, Absent) else held.root
    members: dict[str, object] = {
        "subject": device.name if device is not None else None,
        "device": device.device if device is not None else None,
        "service": settings.service,
        "profile": settings.profile,
        "source": SERVICE if answer.grants is not None else "cache",
        "trust": {
            "roots": list(settings.trust_roots),
            "threshold": settings.trust_threshold,
            "origin": _trust_origin(here),
            "managed": settings.managed,
            "root_version": root.version if root is not None else None,
            "root_expires": instant(root.expires_at) if root is not None else None,
        },
        "tools": [
            {
                "tool": one.tool,
                "access": one.access or None,
                "state": one.state,
                "place": one.place,
                "grant": one.grant or None,
                "request": one.request or None,
                "grant_ends": instant(one.grant_ends),
                "token_ends": instant(one.token_ends),
                "renew_by": instant(one.renew_by),
                "source": one.source,
                "by": one.by or None,
                "reason": one.reason or None,
                "zones": list(one.zones),
            }
            for one in tools
        ],
    }
    log = current_log(here.world, here.directory)
    members["log"] = log_members(log) if log is not None else None
    shown = error or answer.error
    if shown is not None:
        members["error"] = error_members(shown)
    print_json(members)


def _print_text(here: Here, tools: tuple[Standing, ...], answer: Answer) -> None:
    held, settings = here.held, here.settings
    if isinstance(held.device, DeviceState) and held.state == OWN:
        say(f"subject  {held.device.name} on {held.device.called()} ({held.device.device})")
    say(f"service  {settings.service}{_reached(answer)}")
    count = len(settings.trust_roots)
    say(
        f"trust    {count} root key{'s' if count != 1 else ''} pinned by {_trust_origin(here)}{_root_words(here)}"
    )
    log = current_log(here.world, here.directory)
    if log is not None:
        say(f"log      {log_words(log, now=held.clock)}")
    if settings.profile != "default":
        say(f"profile  {settings.profile}")
    if not tools:
        if held.state == OWN:
            say("No tools are known here yet: gatekeeper sync", sys.stderr)
        return
    say("")
    look = look_of(sys.stdout)
    # The line of the service says the same as the last column, so a narrow terminal does without it.
    shown = 6 if look.terminal and look.columns < _WIDE else 7
    rows = [
        (
            one.tool,
            one.access or "?",
            one.state if one.place is None else f"{one.state}, place {one.place}",
            _until(one, held.clock),
            "" if one.renew_by is None else render_brief(one.renew_by, now=held.clock),
            one.grant or one.request,
            one.source,
        )[:shown]
        for one in tools
    ]
    print_table(("TOOL", "ACCESS", "STATE", "UNTIL", "RENEW BY", "GRANT", "FROM")[: len(rows[0])], rows)
    for one in tools:
        words = decided_words(one)
        scope = scope_words(one)
        if scope:
            say(f"{one.tool}: {one.state} {scope} ({one.grant})")
        if words:
            say(words)


def _until(one: Standing, now: int) -> str:
    """Say until when, where that still means something: a revoked grant has no end to come."""
    if one.grant_ends is None or one.state not in ("approved", "unproven", "suspended", "ended"):
        return ""
    return render_brief(one.grant_ends, now=now)


def decided_words(one: Standing) -> str:
    """Say who decided against a tool and why: "claude: revoked by sam@acme.example: the pilot is over (G-1)"."""
    if not (one.by or one.reason) or one.state in ("approved", NOT_APPROVED):
        return ""
    by = f" by {one.by}" if one.by else ""
    why = f": {one.reason}" if one.reason else ""
    return f"{one.tool}: {one.state}{by}{why} ({one.grant or one.request})"


def _reached(answer: Answer) -> str:
    if answer.grants is not None:
        return ""
    if answer.error is not None:
        return f" (not reached: {answer.error.detail.rstrip('.')}; this is what is held here)"
    return " (not asked; this is what is held here)"


def _root_words(here: Here) -> str:
    root = here.held.root
    if isinstance(root, Absent):
        return f"; root document: {root.reason}" if here.held.state == OWN else ""
    return f"; root document {root.version} until {render_moment(root.expires_at, now=here.held.clock)}"
