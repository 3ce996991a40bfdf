"""`/scim/v2/Users`: the directory provisions people (RFC 7644).

The directory's client is known by a bearer token (`web.auth`); what it may say is read in `people.scim_models`.
Each call becomes one transaction with its entry in the record, and its answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scim2_models import GroupMembership, Reference
from starlette.responses import Response

from gatekeeper.service.access.leaving import end_access_of
from gatekeeper.service.audit.log import record
from gatekeeper.service.people.scim_models import User, patch, read_user
from gatekeeper.service.people.scim_queries import read_query, read_shown
from gatekeeper.service.people.scim_users import change_user, create_user, get_user, list_users, remove_user
from gatekeeper.service.people.subjects import get_subject
from gatekeeper.service.web.answers import NO_STORE
from gatekeeper.service.web.scim_answers import (
    ACTOR,
    answer_list,
    answer_resource,
    base_of,
    body_of,
    check_version,
    id_of,
    meta_of,
    page_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from gatekeeper.service.people.scim_users import Change, Managed
    from gatekeeper.service.web.calls import Call

REMOVED = "Removed from the company's directory."


async def create_person(call: Call) -> Response:
    """Take a person under management: 201, or 409 where the name is managed already."""
    user = read_user(await body_of(call))

    def create(tx: Connection) -> Managed:
        subject_id, change = create_user(tx, user, now=call.now)
        _record_person(tx, call, subject_id, change)
        return get_user(tx, subject_id)

    return _person(call, await call.service.turns.write(create), status=201)


async def show_person(call: Call) -> Response:
    """Answer with one managed person."""
    return _person(call, await call.service.turns.read(lambda tx: get_user(tx, id_of(call))))


async def find_people(call: Call) -> Response:
    """Answer with a page of the managed people that fit the filter."""
    query = read_query(dict(call.request.query_params), kind="user")

    def find(tx: Connection) -> tuple[int, list[User]]:
        return page_of(
            query,
            lambda offset, limit: list_users(tx, query.terms, offset=offset, limit=limit),
            lambda managed: _user_resource(call, managed),
        )

    return answer_list(query, *await call.service.turns.read(find))


async def replace_person(call: Call) -> Response:
    """Let the body be what the directory says of a person."""
    user = read_user(await body_of(call), replacing=True)
    return await _change_person(call, lambda _: user)


async def patch_person(call: Call) -> Response:
    """Change single attributes of a person."""
    body = await body_of(call)

    def patched(before: Managed) -> User:
        user: User = before.user.model_copy(deep=True)
        patch(user, body)
        return user

    return await _change_person(call, patched)


async def remove_person(call: Call) -> Response:
    """Remove a person: deactivated for good, and their grants are revoked."""

    def remove(tx: Connection) -> None:
        before = get_user(tx, id_of(call))
        check_version(call, before.version)
        remove_user(tx, before.id, now=call.now)
        subject = get_subject(tx, before.id)
        ended = end_access_of(tx, subject, by=ACTOR, reason=REMOVED, now=call.now)
        detail = {"ended": ended}
        record(tx, at=call.now, actor=ACTOR, act="subject.removed", object=before.id, detail=detail)

    await call.service.turns.write(remove)
    return Response(status_code=204, headers=NO_STORE)


async def _change_person(call: Call, made: Callable[[Managed], User]) -> Response:
    def change(tx: Connection) -> Managed:
        before = get_user(tx, id_of(call))
        check_version(call, before.version)
        changed = change_user(tx, before, made(before), now=call.now)
        _record_person(tx, call, before.id, changed)
        return get_user(tx, before.id)

    return _person(call, await call.service.turns.write(change))


def _record_person(tx: Connection, call: Call, subject_id: str, change: Change) -> None:
    for act in change.acts:
        record(tx, at=call.now, actor=ACTOR, act=act, object=subject_id, detail={})


def _person(call: Call, managed: Managed, *, status: int = 200) -> Response:
    shown = read_shown(dict(call.request.query_params), kind="user")
    return answer_resource(_user_resource(call, managed), shown, status=status)


def _user_resource(call: Call, managed: Managed) -> User:
    user: User = managed.user.model_copy(deep=True)
    user.id = managed.id
    user.groups = [
        GroupMembership(
            value=group, display=name, ref=Reference(f"{base_of(call)}/Groups/{group}"), type="direct"
        )
        for group, name in managed.groups
    ] or None
    user.meta = meta_of(call, "User", managed)
    return user
