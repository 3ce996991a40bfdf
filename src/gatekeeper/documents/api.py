"""The bodies of the service's API, one class each, read and written by both sides from this file.

`parse_` reads bytes that may be hostile (the other side may lie); `render_` gives JSON types. Members
that are not known are ignored. Times are Unix seconds in these classes and RFC 3339 UTC on the wire only
where a person reads them (`documents.verdict`).
"""

from __future__ import annotations

from gatekeeper.errors import Malformed
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

# Members of a request that are texts and left out where they are empty.
_REQUEST_WORDS = (
    "requester_name",
    "question",
    "question_by",
    "verdict",
    "claimed_by",
    "device",
    "precedent",
)

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
    """What `/oauth/token` gives: an opaque access token, or a launch token where `resource` asked for one.

    `issued_token_type` stands in the answer to a token exchange alone (RFC 8693 §2.2.1).
    """

    access_token: str
    token_type: str
    expires_in: int
    issued_token_type: str = ""
    scope: str = ""
    refresh_token: str = ""
    subject: str = ""
    name: str = ""
    device: str = ""
    checkpoint: str = ""  # the audit log's newest signed head


class Me(Value):
    """Who the service says this is."""

    subject: str
    name: str
    groups: tuple[str, ...]
    device: str
    device_name: str


class RequestView(Value):
    """An access request as its subject or a reviewer sees it. `duration` as people write it (`30d`).

    `subject_name` is whom it is for: a person, a workload, `group:NAME`, or `N people`. `waits_for` says in words
    which reviews are still needed, `question` is the one that waits for an answer, `place` counts from 1. From
    `verdict` on it is for reviewers.
    """

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
    requester_name: str = ""
    members: tuple[str, ...] = ()
    question: str = ""
    question_by: str = ""
    waits_for: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    terms_needed: bool = False
    break_glass: bool = False
    verdict: str = ""
    claimed_by: str = ""
    device: str = ""
    groups: tuple[str, ...] = ()
    precedent: str = ""


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
    kind: str = ""
    place: int | None = None


class DeviceView(Value):
    """An enrolled device as its subject sees it."""

    id: str
    name: str
    state: str
    enrolled_at: int
    seen_at: int


class NewRequest(Value):
    """The body of POST /v1/requests. At most one of `group`, `subjects` and `workload` says for whom else it is.

    `terms` is the device's signed statement that the tool's terms are accepted.
    """

    tool: str
    reason: str
    duration: str = ""
    zones: tuple[str, ...] = ()
    ticket: str = ""
    workload: str = ""
    group: str = ""
    subjects: tuple[str, ...] = ()
    terms: str = ""


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
        issued_token_type=optional_text(members, "issued_token_type"),
        scope=optional_text(members, "scope"),
        refresh_token=optional_text(members, "refresh_token"),
        subject=optional_text(members, "sub"),
        name=optional_text(members, "name"),
        device=optional_text(members, "device"),
        checkpoint=optional_text(members, "checkpoint", max_chars=MAX_CALL_BYTES),
    )


def render_token_answer(answer: TokenAnswer) -> dict[str, object]:
    """Render a token answer; empty members are left out."""
    members: dict[str, object] = {
        "access_token": answer.access_token,
        "token_type": answer.token_type,
        "expires_in": answer.expires_in,
    }
    optional = {
        "issued_token_type": answer.issued_token_type,
        "scope": answer.scope,
        "refresh_token": answer.refresh_token,
        "sub": answer.subject,
        "name": answer.name,
        "device": answer.device,
        "checkpoint": answer.checkpoint,
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
        members=texts_of(members, "members"),
        waits_for=texts_of(members, "waits_for"),
        notes=texts_of(members, "notes"),
        groups=texts_of(members, "groups"),
        terms_needed=members.get("terms_needed") is True,
        break_glass=members.get("break_glass") is True,
        **{name: optional_text(members, name) for name in _REQUEST_WORDS},
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
    for name in ("ticket", "grant", "decided_by", "decision_reason", *_REQUEST_WORDS):
        if getattr(request, name):
            members[name] = getattr(request, name)
    for name in ("members", "waits_for", "notes", "groups"):
        if getattr(request, name):
            members[name] = list(getattr(request, name))
    for name in ("terms_needed", "break_glass"):
        if getattr(request, name):
            members[name] = True
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
            kind=optional_text(item, "kind"),
            place=optional_integer(item, "place"),
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
    for name in ("request", "ended_by", "ended_reason", "kind"):
        if getattr(grant, name):
            members[name] = getattr(grant, name)
    if grant.place is not None:
        members["place"] = grant.place
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
    """Read the body of POST /v1/requests; the caller is a person's program and may be hostile. Raises `Malformed`."""
    members = parse_object(body, max_bytes=MAX_CALL_BYTES)
    return NewRequest(
        tool=text_of(members, "tool", max_chars=64),
        reason=optional_text(members, "reason"),
        duration=optional_text(members, "duration", max_chars=16),
        zones=texts_of(members, "zones"),
        ticket=optional_text(members, "ticket", max_chars=128),
        workload=optional_text(members, "workload", max_chars=320),
        group=optional_text(members, "group", max_chars=128),
        subjects=texts_of(members, "subjects"),
        terms=optional_text(members, "terms", max_chars=4096),
    )


def render_new_request(request: NewRequest) -> dict[str, object]:
    """Render as `parse_new_request` reads."""
    members: dict[str, object] = {"tool": request.tool, "reason": request.reason}
    if request.duration:
        members["duration"] = request.duration
    if request.zones:
        members["zones"] = list(request.zones)
    for name in ("ticket", "workload", "group", "terms"):
        if getattr(request, name):
            members[name] = getattr(request, name)
    if request.subjects:
        members["subjects"] = list(request.subjects)
    return members
