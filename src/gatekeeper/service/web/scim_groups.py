"""`/scim/v2/Groups`: the directory provisions groups, and says who is in them (RFC 7644)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scim2_models import GroupMember, Reference
from starlette.responses import Response

from gatekeeper.service.audit.log import record
from gatekeeper.service.people.scim_groups import (
    Wanted,
    change_group,
    create_group,
    get_group,
    list_groups,
    remove_group,
)
from gatekeeper.service.people.scim_models import Group, ScimFault, patch, read_group
from gatekeeper.service.people.scim_queries import read_query, read_shown
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
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from gatekeeper.service.people.scim_groups import ManagedGroup
    from gatekeeper.service.web.calls import Call

_MOST_RECORDED = 100  # ids of members in one entry


async def make_group(call: Call) -> Response:
    """Make a group: 201, or 409 where there is one of that name."""
    wanted = _wanted(read_group(await body_of(call)))

    def create(tx: Connection) -> ManagedGroup:
        group_id = create_group(tx, wanted, now=call.now)
        _record_group(tx, call, "group.provisioned", group_id, came=wanted.members)
        return get_group(tx, group_id)

    return _group(call, await call.service.turns.write(create), status=201)


async def show_group(call: Call) -> Response:
    """Answer with one group."""
    return _group(call, await call.service.turns.read(lambda tx: get_group(tx, id_of(call))))


async def find_groups(call: Call) -> Response:
    """Answer with a page of the groups that fit the filter."""
    query = read_query(dict(call.request.query_params), kind="group")
    with_members = query.with_members or query.rest is not None

    def find(tx: Connection) -> tuple[int, list[Group]]:
        return page_of(
            query,
            lambda offset, limit: list_groups(
                tx, query.terms, offset=offset, limit=limit, with_members=with_members
            ),
            lambda group: _group_resource(call, group),
        )

    return answer_list(query, *await call.service.turns.read(find))


async def replace_group(call: Call) -> Response:
    """Let a group be as the body says, its members included."""
    group = read_group(await body_of(call), replacing=True)
    return await _change_group(call, lambda _: group)


async def patch_group(call: Call) -> Response:
    """Let people in and out of a group, or rename it."""
    body = await body_of(call)

    def patched(before: ManagedGroup) -> Group:
        resource = _plain_group(before)
        patch(resource, body)
        return resource

    return await _change_group(call, patched)


async def drop_group(call: Call) -> Response:
    """Remove a group."""

    def remove(tx: Connection) -> None:
        check_version(call, get_group(tx, id_of(call), with_members=False).version)
        went = remove_group(tx, id_of(call))
        _record_group(tx, call, "group.removed", id_of(call), went=went)

    await call.service.turns.write(remove)
    return Response(status_code=204, headers=NO_STORE)


async def _change_group(call: Call, made: Callable[[ManagedGroup], Group]) -> Response:
    def change(tx: Connection) -> ManagedGroup:
        before = get_group(tx, id_of(call))
        check_version(call, before.version)
        came, went = change_group(tx, before, _wanted(made(before)), now=call.now)
        after = get_group(tx, before.id)
        if after.version != before.version:
            _record_group(tx, call, "group.changed", before.id, came=came, went=went)
        return after

    return _group(call, await call.service.turns.write(change))


def _wanted(group: Group) -> Wanted:
    members = [member.value for member in group.members or []]
    if any(not member for member in members) or len(group.external_id or "") > 320:
        raise ScimFault(400, "A member has no value, or externalId is too long.", scim_type="invalidValue")
    return Wanted(
        name=group.display_name or "",
        external_id=group.external_id or None,
        members=frozenset(str(member) for member in members),
    )


def _record_group(
    tx: Connection,
    call: Call,
    act: str,
    group_id: str,
    *,
    came: Iterable[str] = (),
    went: Iterable[str] = (),
) -> None:
    detail: dict[str, object] = {}
    for name, members in (("came", sorted(came)), ("went", sorted(went))):
        detail |= {name: members[:_MOST_RECORDED], f"{name}_count": len(members)}
    record(tx, at=call.now, actor=ACTOR, act=act, object=group_id, detail=detail)


def _group(call: Call, group: ManagedGroup, *, status: int = 200) -> Response:
    shown = read_shown(dict(call.request.query_params), kind="group")
    return answer_resource(_group_resource(call, group), shown, status=status)


def _plain_group(group: ManagedGroup) -> Group:
    members = [GroupMember(value=one, ref=None, type=None) for one in group.members or ()]
    return Group(display_name=group.name, external_id=group.external_id, members=members or None)


def _group_resource(call: Call, group: ManagedGroup) -> Group:
    resource = _plain_group(group)
    for member in resource.members or []:
        member.ref = Reference(f"{base_of(call)}/Users/{member.value}")
        member.type = "User"
    resource.id = group.id
    resource.meta = meta_of(call, "Group", group)
    return resource
