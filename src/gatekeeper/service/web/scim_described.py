"""What the provisioning interface says of itself (RFC 7644 §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.service.people import scim_described
from gatekeeper.service.people.scim_models import ScimFault
from gatekeeper.service.web.scim_answers import answer_described, answer_scim, base_of, id_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from gatekeeper.service.web.calls import Call


async def configuration(call: Call) -> Response:
    """Answer with what this interface can do."""
    return answer_scim(scim_described.configuration(base_of(call)))


async def resource_types(call: Call) -> Response:
    """Answer with the kinds of resources."""
    return answer_described(scim_described.resource_types(base_of(call)))


async def resource_type(call: Call) -> Response:
    """Answer with one kind of resources."""
    return _one_of(scim_described.resource_types(base_of(call)), id_of(call))


async def schemas(call: Call) -> Response:
    """Answer with what is kept of people and groups."""
    return answer_described(scim_described.schemas(base_of(call)))


async def schema(call: Call) -> Response:
    """Answer with one schema."""
    return _one_of(scim_described.schemas(base_of(call)), id_of(call))


def _one_of(members: list[dict[str, Any]], wanted: str) -> Response:
    found = next((one for one in members if str(one["id"]).lower() == wanted.lower()), None)
    if found is None:
        raise ScimFault(404, "There is nothing of this id.")
    return answer_scim(found)
