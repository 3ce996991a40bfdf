"""Renew launch tokens: ask, verify everything, and only then save. What comes of it is a fact for `decide`.

A refusal of the service deletes the tokens that it concerns before it is returned, so that nothing brings them
back; an answer that doesn't hold leaves everything as it was; no answer leaves a stamp, so that the next
launches don't wait for it again. One renewer a profile.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from gatekeeper.client.answers import is_refusal, unreadable
from gatekeeper.client.catalogue import kept_catalogue, refresh_catalogue
from gatekeeper.client.credentials import PROMPT_FOR, UNATTENDED_FOR
from gatekeeper.client.device import Owner, find_owner
from gatekeeper.client.issued import checked_token, has_unknown_approval_key, held_token, save_issued
from gatekeeper.client.requests import list_grants
from gatekeeper.client.root import newer_root, refresh_root, require_current
from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.client.session import USUAL_TIMEOUT, Session, open_http, prompt_time
from gatekeeper.client.turn import own_turn, turn
from gatekeeper.client.witness import check, hear
from gatekeeper.decision.decide import CLOCK_TOLERANCE
from gatekeeper.decision.obstacles import Refused, Renewed, Unreachable, Untrusted
from gatekeeper.documents.api import Problem
from gatekeeper.documents.catalogue import OPEN
from gatekeeper.documents.launch_token import audience_of, scope_of
from gatekeeper.errors import GatekeeperError, TrustError
from gatekeeper.values import Absent
from gatekeeper.workstation.keeping import (
    list_tokens,
    load_backoff,
    remove_standing,
    remove_tokens,
    save_backoff,
)
from gatekeeper.workstation.state import load_high_water, load_token, profile_directory
from gatekeeper.workstation.tables import keep_tables

if TYPE_CHECKING:
    from gatekeeper.client.http import Http
    from gatekeeper.documents.catalogue import Catalogue
    from gatekeeper.trust.chain import TrustedRoot
    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World

    Outcome = Renewed | Refused | Untrusted | Unreachable

LAUNCH_TIMEOUT = 2.0
DETACHED_TIMEOUT = 20.0
BACK_OFF = 60


def renew(
    world: World,
    settings: Settings,
    word: str,
    *,
    timeout: float | None = None,
    lease_for: int | None = None,
    interactive: bool = False,
    heed_backoff: bool = True,
) -> Outcome:
    """Get a new launch token for the tool that `word` names, within `timeout` seconds, the keyring included.

    Without a `timeout` it is two seconds where the launch goes on without the service, and ten where it can't.
    `interactive` lets the keyring ask its owner for a minute, and the service take its usual time. Where another
    renewal is under way it is waited for, and its outcome read from the state. A service that was unreachable
    less than a minute ago is asked again only where the launch can't go on without it, or not `heed_backoff`.

    Raises:
        GatekeeperError: GK104, GK101 configuration; GK106, GK701 the state can't be written, or a refused
            token not be deleted.
    """
    _check_configured(settings)
    directory = profile_directory(settings.state_directory, settings.profile)
    if settings.offline:
        return Unreachable(code="GK601", detail="offline was asked for")
    started = monotonic()
    before = load_token(world, directory, word)
    dispensable = _is_dispensable(world, settings, directory, word)
    if heed_backoff and dispensable and _is_backing_off(world, directory):
        return _silent_before(settings)
    if timeout is None:
        timeout = LAUNCH_TIMEOUT if dispensable and not interactive else USUAL_TIMEOUT
    with turn(world, directory, wait_for=timeout) as ours:
        after = load_token(world, directory, word)
        if not isinstance(after, Absent) and after != before:
            return Renewed()
        if not ours:
            return Unreachable(code="GK601", detail="another renewal is still under way")
        if heed_backoff and dispensable and _is_backing_off(world, directory):
            return _silent_before(settings)  # the other one found out
        left = timeout - (monotonic() - started)
        prompt_for = PROMPT_FOR if interactive else max(0.0, min(UNATTENDED_FOR, left))
        try:
            owner = find_owner(world, settings, directory, prompt_for=prompt_for)
            if isinstance(owner, Refused):
                return owner
            with open_http(settings, timeout=USUAL_TIMEOUT) as http:
                http.end_within(USUAL_TIMEOUT if interactive else timeout - (monotonic() - started))
                return _renew_one(world, settings, http, owner, word, lease_for=lease_for)
        except ServiceUnreachable as error:
            return _back_off(world, directory, error)


def renew_detached(world: World, settings: Settings, word: str) -> None:
    """Renew behind a launch that went on: nobody waits, nobody is asked, nobody hears of it. Errors as `renew`."""
    directory = profile_directory(settings.state_directory, settings.profile)
    held = held_token(world, settings, directory, word)
    now = world.now()
    # Of several launches at once, the first one's renewal serves all.
    if held is not None and 0 <= (now - held.issued_at) * 2 <= held.fresh_for:
        return
    renew(world, settings, word, timeout=DETACHED_TIMEOUT)
    with open_http(settings, timeout=USUAL_TIMEOUT) as http:
        check(world, settings, directory, http, now=now)


def sync(world: World, settings: Settings, *, lease_for: int | None = None) -> list[tuple[str, Outcome]]:
    """Renew everything that is held, granted or open, and return each tool's outcome. Asks even while backing off.

    Raises:
        TrustError: the root document or the catalogue doesn't hold.
        ServiceRefused, ServiceUnreachable: the service gave no list of tools.
        GatekeeperError: GK201, GK204 nobody is signed in here; GK101, GK104, GK106, GK701 as `renew`.
    """
    _check_configured(settings)
    directory = profile_directory(settings.state_directory, settings.profile)
    with open_http(settings, timeout=USUAL_TIMEOUT) as http, own_turn(world, directory):
        owner = find_owner(world, settings, directory, prompt_for=prompt_time(world, settings))
        if isinstance(owner, Refused):
            said = owner.problem.detail if owner.problem is not None else ""
            raise GatekeeperError(owner.code, said or "Nobody is signed in here.")
        now = world.now()
        root = require_current(refresh_root(world, settings, http, directory, now=now, force=True), now=now)
        session = Session(settings, world, http, owner.credential)
        catalogue = refresh_catalogue(session, root, subject=owner.device.subject, now=now, force=True)
        tools = {state.tool for state in list_tokens(world, directory)}
        tools |= {grant.tool for grant in list_grants(session) if grant.state == "active"}
        tools |= {tool.id for tool in catalogue.tools if tool.access == OPEN}
        outcomes: list[tuple[str, Outcome]] = []
        lost: Unreachable | None = None
        for tool in sorted(tools):
            if lost is None:
                outcome = _attempt(world, settings, http, owner, tool, lease_for=lease_for)
                lost = outcome if isinstance(outcome, Unreachable) else None
                outcomes.append((tool, outcome))
            else:
                outcomes.append((tool, lost))  # waiting as long again for each would tell nothing new
        check(world, settings, directory, http, now=now)
        return outcomes


def _attempt(
    world: World, settings: Settings, http: Http, owner: Owner, tool: str, *, lease_for: int | None
) -> Outcome:
    try:
        return _renew_one(world, settings, http, owner, tool, lease_for=lease_for)
    except ServiceUnreachable as error:
        directory = profile_directory(settings.state_directory, settings.profile)
        return _back_off(world, directory, error)


def _renew_one(
    world: World, settings: Settings, http: Http, owner: Owner, word: str, *, lease_for: int | None
) -> Outcome:
    """Ask for one token and keep it if it holds. ServiceUnreachable is the caller's to stamp."""
    session = Session(settings, world, http, owner.credential)
    try:
        _fetch_token(session, owner, word, lease_for=lease_for)
    except ServiceRefused as refusal:
        if not is_refusal(refusal.code):
            # A call that it doesn't take, a code that no service gives: not about this person's approvals.
            raise unreadable(settings.service, f"it answers {refusal.code}") from refusal
        return _refused(world, session.directory, word, refusal)
    except TrustError as error:
        return Untrusted(code=error.code, detail=error.detail)
    return Renewed()


def _fetch_token(session: Session, owner: Owner, word: str, *, lease_for: int | None) -> None:
    world, settings, directory = session.world, session.settings, session.directory
    now = world.now()
    root = require_current(refresh_root(world, settings, session.http, directory, now=now), now=now)
    # Without `lease` the service keeps a later end that it gave before; it alone knows what policy allows now.
    form = {"resource": audience_of(settings.service), "scope": scope_of(word)}
    if lease_for is not None:
        form["lease"] = str(lease_for)
    answer = session.refresh(form)
    token = answer.access_token.encode("utf-8", "replace")
    if has_unknown_approval_key(token, root):
        root = newer_root(world, settings, session.http, directory, now=now)
    launch = checked_token(token, root, settings=settings, owner=owner)
    catalogue = _catalogue(session, root, owner, now=now)
    save_issued(world, directory, token, launch, word=word, mark=owner.device.mark, catalogue=catalogue)
    hear(world, settings, directory, answer.checkpoint, now=now)
    if not settings.managed:  # under managed pins a launch believes no table that the person can write
        keep_tables(world, directory, (*root.approval.keys, *root.roots))


def _catalogue(session: Session, root: TrustedRoot, owner: Owner, *, now: int) -> Catalogue | None:
    """Return the catalogue, renewed where it can be. Only words and names hang on it, so its faults stop nothing."""
    issuer, subject = session.settings.service, owner.device.subject
    try:
        return refresh_catalogue(session, root, subject=subject, now=now)
    except (ServiceRefused, ServiceUnreachable, TrustError):
        return kept_catalogue(session.world, session.directory, root, issuer=issuer, subject=subject)


def _refused(world: World, directory: str, word: str, refusal: ServiceRefused) -> Refused:
    """Delete what the refusal concerns, and only then return it."""
    remove_standing(world, directory)
    given = refusal.facts.get("problem")
    problem = given if isinstance(given, Problem) else None
    if refusal.code.startswith("GK2"):
        remove_tokens(world, directory, "")
    else:
        held = load_token(world, directory, word)
        tools = {word, problem.tool if problem is not None else word}
        if not isinstance(held, Absent):
            tools.add(held.tool)
        for tool in tools - {""}:  # "" would mean all of them
            remove_tokens(world, directory, tool)
    return Refused(code=refusal.code, problem=problem)


def _back_off(world: World, directory: str, error: ServiceUnreachable) -> Unreachable:
    with suppress(GatekeeperError):  # where the disk refuses, the next launch waits again; that is all
        save_backoff(world, directory, world.now() + BACK_OFF)
    return Unreachable(code=error.code, detail=error.detail)


def _is_backing_off(world: World, directory: str) -> bool:
    # A stamp further ahead than any that is written comes from a clock that was wrong.
    now = world.now()
    return now < load_backoff(world, directory) <= now + BACK_OFF


def _silent_before(settings: Settings) -> Unreachable:
    return Unreachable(code="GK601", detail=f"{settings.service} didn't answer a moment ago")


def _is_dispensable(world: World, settings: Settings, directory: str, word: str) -> bool:
    """Say whether a launch would go on without this renewal: what can't go on loses nothing by asking and waiting."""
    held, mark, now = (
        held_token(world, settings, directory, word),
        load_high_water(world, directory),
        world.now(),
    )
    return held is not None and mark is not None and mark - CLOCK_TOLERANCE <= now < held.expires_at


def _check_configured(settings: Settings) -> None:
    if not settings.trust_roots:
        raise GatekeeperError("GK104", "trust_roots names no root key, so no service can be trusted.")
