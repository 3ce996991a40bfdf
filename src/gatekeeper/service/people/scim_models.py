"""The resources that a directory provisions (RFC 7643), and what it says of them read as it is meant.

Of a person only what policy, reviews and messages need is kept; the rest is dropped unread. Directories depart
from the RFC, each in its way: Entra writes "False" for false, capital operations, a bare text for a manager, a
value beside a removal; Okta repeats the id in a pathless replacement. What can mean one thing only is taken so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field, ValidationError
from scim2_models import (
    URN,
    CaseExact,
    ComplexAttribute,
    Context,
    Error,
    Extension,
    GroupMembership,
    Mutability,
    PatchOp,
    Reference,
    Required,
    Resource,
    Returned,
    SCIMException,
    ScimPolicy,
    Uniqueness,
)
from scim2_models import Group as ScimGroup

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import parse_object

MAX_BODY_BYTES = 1024 * 1024
USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_SCHEMA = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_MANAGER = "manager"
_READ_ONLY = ("id", "meta", "schemas")

TOLERANT = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)


class ScimFault(GatekeeperError):
    """A call of the directory that can't be done (RFC 7644 §3.12): its HTTP status and `scimType`."""

    def __init__(self, status: int, detail: str, *, scim_type: str = "") -> None:
        super().__init__("GK604", detail, facts={"status": status, "scim_type": scim_type})


class Name(ComplexAttribute):
    """A person's name."""

    formatted: str | None = None
    family_name: str | None = None
    given_name: str | None = None


class Email(ComplexAttribute):
    """A mail address. Not checked for form: companies have addresses that no registry knows."""

    value: str | None = None
    type: str | None = None
    primary: bool | None = None


class Address(ComplexAttribute):
    """Of a postal address, the country."""

    country: str | None = None
    type: str | None = None
    primary: bool | None = None


class Manager(ComplexAttribute):
    """Whom a person reports to: the id of a person, as this service gave it."""

    value: Annotated[str | None, CaseExact.true] = None
    ref: Annotated[Reference[Any] | None, Mutability.read_only] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    display_name: Annotated[str | None, Mutability.read_only] = None


class EnterpriseUser(Extension):
    """What the enterprise extension says of a person (RFC 7643 §4.3)."""

    __schema__ = URN(ENTERPRISE_SCHEMA)

    employee_number: str | None = None
    cost_center: str | None = None
    organization: str | None = None
    division: str | None = None
    department: str | None = None
    manager: Manager | None = None


class User(Resource[EnterpriseUser]):
    """A person, as far as the service keeps what the directory says."""

    __schema__ = URN(USER_SCHEMA)

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    display_name: str | None = None
    name: Name | None = None
    user_type: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    addresses: list[Address] | None = None
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None
    password: Annotated[str | None, Mutability.write_only, Returned.never] = (
        None  # dropped: nobody signs in by it
    )


Person = User[EnterpriseUser]  # type: ignore[type-arg]  # the extension becomes an attribute of it
Group = ScimGroup


def read_user(body: bytes, *, replacing: bool = False) -> User:
    """Read a hostile body that creates or replaces a person. Raises `ScimFault`."""
    members = _mended(_object(body))
    context = Context.RESOURCE_REPLACEMENT_REQUEST if replacing else Context.RESOURCE_CREATION_REQUEST
    with _translated():
        user: User = Person.model_validate(members, scim_ctx=context, scim_policy=TOLERANT)
    return user


def read_group(body: bytes, *, replacing: bool = False) -> Group:
    """Read a hostile body that creates or replaces a group. Raises `ScimFault`."""
    context = Context.RESOURCE_REPLACEMENT_REQUEST if replacing else Context.RESOURCE_CREATION_REQUEST
    with _translated():
        return Group.model_validate(_object(body), scim_ctx=context, scim_policy=TOLERANT)


def patch(resource: Resource[Any], body: bytes) -> None:
    """Change `resource` as a hostile PATCH says (RFC 7644 §3.5.2), wholly or not at all. Raises `ScimFault`."""
    members = _mended_patch(_object(body))
    kind: Any = PatchOp[Person] if isinstance(resource, User) else PatchOp[Group]
    with _translated(), TOLERANT:
        kind.model_validate(members, scim_ctx=Context.RESOURCE_PATCH_REQUEST).patch(resource)


def stored(user: User) -> dict[str, Any]:
    """Return what is kept of a person: the resource but for what the service itself knows."""
    dumped = user.model_dump(scim_ctx=Context.DEFAULT, exclude={"id", "meta", "groups", "password"})
    return dict(dumped)


def restored(document: Mapping[str, Any]) -> User:
    """Return the person that `stored` kept."""
    user: User = Person.model_validate(dict(document), scim_policy=TOLERANT)
    return user


def _object(body: bytes) -> dict[str, Any]:
    try:
        return dict(parse_object(body, max_bytes=MAX_BODY_BYTES))
    except Malformed as error:
        raise ScimFault(400, f"The body can't be read: {error.reason}.", scim_type="invalidSyntax") from error


def _mended(members: dict[str, Any]) -> dict[str, Any]:
    """Return a person's members with a manager of Entra's forms put right."""
    for name, value in members.items():
        if name.lower() == ENTERPRISE_SCHEMA.lower() and isinstance(value, dict):
            members[name] = {
                key: _manager(one) if key.lower() == _MANAGER else one for key, one in value.items()
            }
        elif name.lower() == f"{ENTERPRISE_SCHEMA}:{_MANAGER}".lower():
            members[name] = _manager(value)
    return members


def _manager(value: Any) -> Any:
    """Return a manager as an object: Entra sends its id alone, or a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return {"value": value} if value else None
    return value


def _mended_patch(members: dict[str, Any]) -> dict[str, Any]:
    operations = next((value for name, value in members.items() if name.lower() == "operations"), None)
    if not isinstance(operations, list):
        return members
    for operation in operations:
        if isinstance(operation, dict):
            _mend_operation(operation)
    return members


def _mend_operation(operation: dict[str, Any]) -> None:
    value, path = operation.get("value"), operation.get("path")
    if isinstance(path, str) and path.lower() in (_MANAGER, f"{ENTERPRISE_SCHEMA}:{_MANAGER}".lower()):
        operation["value"] = _manager(value)
        if operation["value"] is None:  # an empty manager is none
            operation["op"] = "remove"
            operation.pop("value")
    elif not path and isinstance(value, dict):
        operation["value"] = _mended({k: v for k, v in value.items() if k.lower() not in _READ_ONLY})


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the library's refusals into ours; they name attributes, and never a value."""
    try:
        yield
    except SCIMException as error:
        raise ScimFault(error.status, _plain(error.detail), scim_type=error.scim_type) from error
    except ValidationError as error:
        first = Error.from_validation_errors(error)[0]
        raise ScimFault(
            first.status or 400, _plain(first.detail or ""), scim_type=first.scim_type or "invalidValue"
        ) from error


def _plain(detail: str) -> str:
    """Return a library's words as one line, without the address of its own pages."""
    lines = [line.strip() for line in detail.splitlines() if "errors.pydantic.dev" not in line]
    return " ".join(lines)[:500] or "It can't be read."
