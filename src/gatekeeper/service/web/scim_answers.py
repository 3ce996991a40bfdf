"""Calls and answers of the provisioning interface: bodies, versions, pages, resources (RFC 7644 §3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scim2_models import Context, Meta
from starlette.responses import Response

from gatekeeper.service.people.scim_models import MAX_BODY_BYTES, ScimFault
from gatekeeper.service.people.scim_queries import MOST_SCANNED, Query, fits
from gatekeeper.service.web.answers import NO_STORE
from gatekeeper.service.web.bodies import JSON, SCIM, one_header, read_body
from gatekeeper.service.web.problems import HttpFault
from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.service.people.scim_groups import ManagedGroup
    from gatekeeper.service.people.scim_models import Group, User
    from gatekeeper.service.people.scim_users import Managed
    from gatekeeper.service.web.calls import Call

BASE = "/scim/v2"
ACTOR = "directory"  # on record: whoever holds the token
_LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


async def body_of(call: Call) -> bytes:
    """Read a hostile body of SCIM. HttpFault as `read_body`."""
    return await read_body(call.request, media_type=(SCIM, JSON), max_bytes=MAX_BODY_BYTES)


def id_of(call: Call) -> str:
    """Return the id in the address, which is hostile."""
    return str(call.request.path_params["id"])


def base_of(call: Call) -> str:
    """Return the address of the interface."""
    return call.service.issuer + BASE


def check_version(call: Call, version: int) -> None:
    """Refuse a change of another version than the caller has (RFC 7644 §3.14)."""
    given = one_header(call.request, "if-match").strip()
    if given not in ("", "*") and given.removeprefix("W/") != f'"{version}"':
        raise HttpFault(412, "It was changed meanwhile.")


def page_of(
    query: Query,
    select: Callable[[int, int | None], tuple[int, list[Any]]],
    resource: Callable[[Any], Any],
) -> tuple[int, list[Any]]:
    """Return how many resources fit, and one page of them."""
    if query.rest is None:
        total, found = select(query.offset, query.count)
        return total, [resource(one) for one in found]
    total, found = select(0, MOST_SCANNED + 1)
    if total > MOST_SCANNED:
        raise ScimFault(400, "The filter is not on what is indexed, of too many.", scim_type="tooMany")
    fitting = [one for one in map(resource, found) if fits(query, one)]
    return len(fitting), fitting[query.offset : query.offset + query.count]


def meta_of(call: Call, kind: str, managed: Managed | ManagedGroup) -> Meta:
    """Return what is said of a resource beside it (RFC 7643 §3.1)."""
    return Meta(
        resource_type=kind,
        created=datetime.fromtimestamp(managed.created_at, UTC),
        last_modified=datetime.fromtimestamp(managed.changed_at, UTC),
        location=f"{base_of(call)}/{kind}s/{managed.id}",
        version=f'W/"{managed.version}"',
    )


def answer_resource(resource: User | Group, shown: Any, *, status: int) -> Response:
    """Answer with one resource, as far as it was asked for."""
    meta = resource.meta
    headers = {**NO_STORE, "location": str(meta.location), "etag": str(meta.version)} if meta else NO_STORE
    context = Context.RESOURCE_CREATION_RESPONSE if status == 201 else Context.RESOURCE_QUERY_RESPONSE
    members = resource.model_dump(scim_ctx=context, response_parameters=shown)
    return Response(render_json(members), status_code=status, headers=headers, media_type=SCIM)


def answer_list(query: Query, total: int, found: list[Any]) -> Response:
    """Answer with one page (RFC 7644 §3.4.2)."""
    dumped = [
        one.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=query.shown)
        for one in found
    ]
    return answer_scim(
        {
            "schemas": [_LIST],
            "totalResults": total,
            "startIndex": query.offset + 1,
            "itemsPerPage": len(dumped),
            "Resources": dumped,
        }
    )


def answer_described(members: list[dict[str, Any]]) -> Response:
    """Answer with all of a few resources."""
    return answer_scim(
        {
            "schemas": [_LIST],
            "totalResults": len(members),
            "startIndex": 1,
            "itemsPerPage": len(members),
            "Resources": members,
        }
    )


def answer_scim(members: dict[str, Any]) -> Response:
    """Answer with one JSON object of SCIM."""
    return Response(render_json(members), headers=NO_STORE, media_type=SCIM)
