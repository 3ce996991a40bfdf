"""What a directory asks for: a filter, a page, and which attributes (RFC 7644 §3.4.2). All of it is hostile.

A filter of equalities on what is indexed (ids, names, members), joined by "and", is answered from the
database, however large the directory. Any other is tried on each resource, and refused where there are many.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scim2_models import Resource, ResponseParameters, SCIMException, ScimFilter
from scim2_models.path.expressions import (
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    LogicalOperator,
    ValuePath,
)

from gatekeeper.service.people.scim_models import Group, Person, ScimFault
from gatekeeper.values import Value

MOST_SCANNED = 2_000
DEFAULT_COUNT = 100
MAX_COUNT = 500
_MAX_FILTER = 1_000
_INDEXED = {
    "user": ("id", "username", "externalid"),
    "group": ("id", "displayname", "externalid", "members"),
}
_KINDS: Mapping[str, Any] = {"user": Person, "group": Group}
_FILTER: Any = ScimFilter  # subscripted by what a call asks for
_SHOWN: Any = ResponseParameters


class Query(Value):
    """One query. `terms` must all hold, and so must `rest`, where there is one; `offset` counts from 0."""

    terms: Mapping[str, str]
    rest: ScimFilter[Any] | None
    offset: int
    count: int
    shown: ResponseParameters[Any]
    with_members: bool


def read_query(parameters: Mapping[str, str], *, kind: str) -> Query:
    """Read the query of a list of `kind`, user or group. Raises `ScimFault`."""
    shown = read_shown(parameters, kind=kind)
    text = parameters.get("filter", "")
    if len(text) > _MAX_FILTER:
        raise ScimFault(400, "The filter is too long.", scim_type="invalidFilter")
    try:
        rest = _FILTER[_KINDS[kind]](text) if text else None
        terms, is_whole = ({}, True) if rest is None else _terms(rest.ast, kind)
    except SCIMException as error:
        raise ScimFault(400, error.detail, scim_type="invalidFilter") from error
    return Query(
        terms=terms,
        rest=None if is_whole else rest,
        offset=max(_number(parameters, "startIndex", 1) - 1, 0),
        count=min(max(_number(parameters, "count", DEFAULT_COUNT), 0), MAX_COUNT),
        shown=shown,
        with_members=_shows_members(parameters),
    )


def read_shown(parameters: Mapping[str, str], *, kind: str) -> ResponseParameters[Any]:
    """Read which attributes of `kind` shall be answered (RFC 7644 §3.9). Raises `ScimFault`."""
    given = {name: parameters[name] for name in ("attributes", "excludedAttributes") if parameters.get(name)}
    try:
        shown: ResponseParameters[Any] = _SHOWN[_KINDS[kind]].model_validate(given)
    except (SCIMException, ValueError) as error:
        raise ScimFault(400, "The attributes asked for can't be read.", scim_type="invalidPath") from error
    return shown


def fits(query: Query, resource: Resource[Any]) -> bool:
    """Say whether a resource fits the rest of a query's filter."""
    try:
        # Strictly: an unknown attribute would match nobody, and a directory then makes everybody anew.
        return query.rest is None or query.rest.match(resource, strict=True)
    except SCIMException as error:
        raise ScimFault(400, error.detail, scim_type="invalidFilter") from error


def _terms(node: FilterNode, kind: str) -> tuple[dict[str, str], bool]:
    """Return the equalities on indexed attributes that must all hold, and whether they are the whole filter."""
    nodes = node.terms if isinstance(node, LogicalExpr) and node.op is LogicalOperator.and_ else (node,)
    terms: dict[str, str] = {}
    for one in nodes:
        name, value = _equality(one)
        if name in _INDEXED[kind] and isinstance(value, str):
            terms.setdefault(name, value)
    return terms, len(terms) == len(nodes)


def _equality(node: FilterNode) -> tuple[str, object]:
    if isinstance(node, ValuePath) and node.sub_attr is None:
        # members[value eq "…"], as Entra asks whether somebody is in a group
        name, value = _equality(node.val_filter)
        return (node.attr_path.attr.lower(), value) if name == "value" else ("", None)
    if not isinstance(node, Comparison) or node.op is not CompareOperator.eq:
        return "", None
    path = node.attr_path
    if path.sub_attr is not None and (path.attr.lower(), path.sub_attr.lower()) != ("members", "value"):
        return "", None
    return path.attr.lower(), node.value


def _shows_members(parameters: Mapping[str, str]) -> bool:
    excluded = parameters.get("excludedAttributes", "").lower().replace(" ", "").split(",")
    return "members" not in excluded


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = None
    if number is None or not -(10**9) < number < 10**9:
        raise ScimFault(400, f"{name} is no whole number.", scim_type="invalidValue")
    return number
