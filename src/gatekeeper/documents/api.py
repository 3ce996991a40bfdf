"""The bodies of the service's API, one class each, read and written by both sides from this file.

`parse_` reads bytes that may be hostile (the other side may lie); `render_` gives JSON types. Members
that are not known are ignored. Times are Unix seconds in these classes and RFC 3339 UTC on the wire only
where a person reads them (`documents.verdict`).
"""

from __future__ import annotations

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import (
    integer_of,
    objects_of,
    optional_integer,
    optional_text,
    parse_object,
    text_of,
    texts_of,
)
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ANSWER_BYTES = 1024 * 1024
MAX_CALL_BYTES = 64 * 1024

# Members of POST /v1/requests that change for whom or what the request is: ignored, they'd give something else.
_NOT_YET = ("subjects", "workload", "group", "terms")

PENDING = "pending"
OPEN_STATES = (PENDING, "question")  # of an access request that nobody has decided


class Problem(Value):
    """An error of the service: RFC 9457 members, our stable code, and what helps the client to help.

    Under `/oauth` the same members travel with RFC 6749's `error` and `error_description`.
    """

    code: str
    status: int
    title: str
    detail: str = ""
    error: str = ""
    tool: str = ""
    rule: str = ""
    request: str = ""
    request_url: str = ""
    alternatives: tuple[str, ...] = ()
    by: str = ""
    reason: str = ""
    ref: str = ""
    retry_after: int | None = None


class TokenAnswer(Value):
    """What `/oauth/token` gives: an opaque access token, or a launch token where `resource` asked for one."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str = ""
    refresh_token: str = ""
    subject: str = ""
    name: str = ""
    device: str = ""


class Me(Value):
    """Who the service says this is."""

    subject: str
    name: str
    groups: tuple[str, ...]
    device: str
    device_name: str


class RequestView(Value):
    """An access request as its subject sees it. `duration` as people write it (`30d`)."""

    id: str
    tool: str
    subject_name: str
    state: str
    reason: str
    duration: str
    zones: tuple[str, ...]
    url: str
    created_at: int
    ticket: str = ""
    grant: str = ""
    decided_by: str = ""
    decision_reason: str = ""
    place: int | None = None


class GrantView(Value):
    """A grant as its subject sees it."""

    id: str
    tool: str
    subject_name: str
    state: str
    zones: tuple[str, ...]
    starts_at: int
    ends_at: int
    request: str = ""
    ended_by: str = ""
    ended_reason: str = ""


class DeviceView(Value):
    """An enrolled device as its subject sees it."""

    id: str
    name: str
    state: str
    enrolled_at: int
    seen_at: int


class NewRequest(Value):
    """The body of POST /v1/requests."""

    tool: str
    reason: str
    duration: str = ""
    zones: tuple[str, ...] = ()
    ticket: str = ""


def parse_problem(body: bytes, *, status: int) -> Problem:
    """Read an error body. Raises `Malformed` where it isn't ours (a proxy's page, an answer without a code)."""
    members = parse_object(body, max_bytes=MAX_ANSWER_BYTES)
    code = text_of(members, "code", max_chars=8)
    if not (code.startswith("GK") and code[2:].isdigit()):
        raise Malformed("code is no GK code")
    return Problem(
        code=code,
        status=status,
        title=optional_text(members, "title"),
        detail=optional_text(members, "detail") or optional_text(members, "error_description"),
        error=optional_text(members, "error"),
        tool=optional_text(members, "tool"),
        rule=optional_text(members, "rule"),
        request=optional_text(members, "request"),
        request_url=optional_text(members, "request_url"),
        alternatives=texts_of(members, "alternatives"),
        by=optional_text(members, "by"),
        reason=optional_text(members, "reason"),
        ref=optional_text(members, "ref"),
        retry_after=optional_integer(members, "retry_after"),
    )


def render_problem(problem: Problem) -> dict[str, object]:
    """Render the members of a problem; empty ones are left out. `/oauth` adds RFC 6749's two."""
    members: dict[str, object] = {
        "type": f"urn:gatekeeper:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
    }
    if problem.error:
        members = {"error": problem.error, "error_description": problem.detail or problem.title, **members}
    for name in ("detail", "tool", "rule", "request", "request_url", "by", "reason", "ref"):
        if getattr(problem, name):
            members[name] = getattr(problem, name)
    if problem.alternatives:
        members["alternatives"] = list(problem.alternatives)
    if problem.retry_after is not None:
        members["retry_after"] = problem.retry_after
    return members


def parse_token_answer(body: bytes) -> TokenAnswer:
    """Read a token answer (RFC 6749 §5.1). Raises `Malformed`."""
    members = parse_object(body, max_bytes=MAX_ANSWER_BYTES)
    return TokenAnswer(
        access_token=text_of(members, "access_token", max_chars=MAX_CALL_BYTES),
        token_type=text_of(members, "token_type"),
        expires_in=integer_of(members, "expires_in"),
        scope=optional_text(members, "scope"),
        refresh_token=optional_text(members, "refresh_token"),
        subject=optional_text(members, "sub"),
        name=optional_text(members, "name"),
        device=optional_text(members, "device"),
    )


def render_token_answer(answer: TokenAnswer) -> dict[str, object]:
    """Render a token answer; empty members are left out."""
    members: dict[str, object] = {
        "access_token": answer.access_token,
        "token_type": answer.token_type,
        "expires_in": answer.expires_in,
    }
    optional = {
        "scope": answer.scope,
        "refresh_token": answer.refresh_token,
        "sub": answer.subject,
        "name": answer.name,
        "device": answer.device,
    }
    return {**members, **{name: value for name, value in optional.items() if value}}


def parse_me(body: bytes) -> Me:
    """Read the answer of GET /v1/me. Raises `Malformed`."""
    members = parse_object(body, max_bytes=MAX_ANSWER_BYTES)
    return Me(
        subject=text_of(members, "subject"),
        name=text_of(members, "name"),
        groups=texts_of(members, "groups"),
        device=text_of(members, "device"),
        device_name=optional_text(members, "device_name"),
    )


def render_me(me: Me) -> dict[str, object]:
    """Render as `parse_me` reads."""
    return {
        "subject": me.subject,
        "name": me.name,
        "groups": list(me.groups),
        "device": me.device,
        "device_name": me.device_name,
    }


def _parse_request(members: Mapping[str, object]) -> RequestView:
    return RequestView(
        id=text_of(members, "id"),
        tool=text_of(members, "tool"),
        subject_name=text_of(members, "subject_name"),
        state=text_of(members, "state"),
        reason=optional_text(members, "reason"),
        duration=text_of(members, "duration"),
        zones=texts_of(members, "zones"),
        url=optional_text(members, "url"),
        created_at=integer_of(members, "created_at"),
        ticket=optional_text(members, "ticket"),
        grant=optional_text(members, "grant"),
        decided_by=optional_text(members, "decided_by"),
        decision_reason=optional_text(members, "decision_reason"),
        place=optional_integer(members, "place"),
    )


def parse_request(body: bytes) -> RequestView:
    """Read one access request. Raises `Malformed`."""
    return _parse_request(parse_object(body, max_bytes=MAX_ANSWER_BYTES))


def parse_requests(body: bytes) -> tuple[RequestView, ...]:
    """Read a list of access requests. Raises `Malformed`."""
    members = parse_object(body, max_bytes=MAX_ANSWER_BYTES)
    return tuple(_parse_request(item) for item in objects_of(members, "requests"))


def render_request(request: RequestView) -> dict[str, object]:
    """Render as `parse_request` reads."""
    members: dict[str, object] = {
        "id": request.id,
        "tool": request.tool,
        "subject_name": request.subject_name,
        "state": request.state,
        "reason": request.reason,
        "duration": request.duration,
        "zones": list(request.zones),
        "url": request.url,
        "created_at": request.created_at,
    }
    for name in ("ticket", "grant", "decided_by", "decision_reason"):
        if getattr(request, name):
            members[name] = getattr(request, name)
    if request.place is not None:
        members["place"] = request.place
    return members


def parse_grants(body: bytes) -> tuple[GrantView, ...]:
    """Read the answer of GET /v1/grants. Raises `Malformed`."""
    members = parse_object(body, max_bytes=MAX_ANSWER_BYTES)
    return tuple(
        GrantView(
            id=text_of(item, "id"),
            tool=text_of(item, "tool"),
            subject_name=text_of(item, "subject_name"),
            state=text_of(item, "state"),
            zones=texts_of(item, "zones"),
            starts_at=integer_of(item, "starts_at"),
            ends_at=integer_of(item, "ends_at"),
            request=optional_text(item, "request"),
            ended_by=optional_text(item, "ended_by"),
            ended_reason=optional_text(item, "ended_reason"),
        )
        for item in objects_of(members, "grants")
    )


def render_grant(grant: GrantView) -> dict[str, object]:
    """Render one grant as `parse_grants` reads it within `grants`."""
    members: dict[str, object] = {
        "id": grant.id,
        "tool": grant.tool,
        "subject_name": grant.subject_name,
        "state": grant.state,
        "zones": list(grant.zones),
        "starts_at": grant.starts_at,
        "ends_at": grant.ends_at,
    }
    for name in ("request", "ended_by", "ended_reason"):
        if getattr(grant, name):
            members[name] = getattr(grant, name)
    return members


def parse_devices(body: bytes) -> tuple[DeviceView, ...]:
    """Read the answer of GET /v1/devices. Raises `Malformed`."""
    members = parse_object(body, max_bytes=MAX_ANSWER_BYTES)
    return tuple(
        DeviceView(
            id=text_of(item, "id"),
            name=text_of(item, "name"),
            state=text_of(item, "state"),
            enrolled_at=integer_of(item, "enrolled_at"),
            seen_at=integer_of(item, "seen_at"),
        )
        for item in objects_of(members, "devices")
    )


def render_device(device: DeviceView) -> dict[str, object]:
    """Render one device as `parse_devices` reads it within `devices`."""
    return {
        "id": device.id,
        "name": device.name,
        "state": device.state,
        "enrolled_at": device.enrolled_at,
        "seen_at": device.seen_at,
    }


def parse_new_request(body: bytes) -> NewRequest:
    """Read the body of POST /v1/requests; the caller is a person's program and may be hostile.

    Raises:
        Malformed: it is no such body.
        GatekeeperError: GK410, it asks for what this service doesn't offer yet.
    """
    members = parse_object(body, max_bytes=MAX_CALL_BYTES)
    for name in _NOT_YET:
        if name in members:
            raise GatekeeperError("GK410", f"{name} is not offered by this service yet.")
    return NewRequest(
        tool=text_of(members, "tool", max_chars=64),
        reason=optional_text(members, "reason"),
        duration=optional_text(members, "duration", max_chars=16),
        zones=texts_of(members, "zones"),
        ticket=optional_text(members, "ticket", max_chars=128),
    )


def render_new_request(request: NewRequest) -> dict[str, object]:
    """Render as `parse_new_request` reads."""
    members: dict[str, object] = {"tool": request.tool, "reason": request.reason}
    if request.duration:
        members["duration"] = request.duration
    if request.zones:
        members["zones"] = list(request.zones)
    if request.ticket:
        members["ticket"] = request.ticket
    return members
