"""The operations of the provisioning interface, for the table in `routes`."""

from __future__ import annotations

from gatekeeper.service.web import scim_described, scim_groups, scim_people
from gatekeeper.service.web.auth import Auth
from gatekeeper.service.web.bodies import SCIM
from gatekeeper.service.web.operations import Answer, Handler, Operation, Parameter
from gatekeeper.service.web.scim_answers import BASE

_ID = Parameter(name="id", place="path", words="The resource's id.")
_VERSION = Parameter(name="If-Match", place="header", words="Change this version alone.")
_QUERY = (
    Parameter(name="filter", place="query", words='RFC 7644 §3.4.2.2, as `userName eq "ada@acme.example"`.'),
    Parameter(name="startIndex", place="query", words="The first of the page, from 1.", kind="integer"),
    Parameter(name="count", place="query", words="How many on a page, 500 at most.", kind="integer"),
    Parameter(name="attributes", place="query", words="Which attributes to answer."),
    Parameter(name="excludedAttributes", place="query", words="Which attributes to leave out."),
)
_CHANGING = (400, 401, 404, 408, 409, 412, 413, 415, 503)


def _operation(
    id_: str,
    method: str,
    path: str,
    handler: Handler,
    words: str,
    *,
    schema: str = "",
    status: int = 200,
    body: str = "",
    parameters: tuple[Parameter, ...] = (),
    refusals: tuple[int, ...] = (401, 404),
) -> Operation:
    media_type = SCIM if schema else ""
    return Operation(
        id=id_,
        method=method,
        path=BASE + path,
        handler=handler,
        auth=Auth.SCIM,
        words=words,
        body=(SCIM, body) if body else None,
        parameters=parameters,
        answers=(Answer(status=status, words=words, media_type=media_type, schema=schema),),
        refusals=refusals,
    )


def _resource(
    kind: str,
    path: str,
    *,
    find: Handler,
    create: Handler,
    show: Handler,
    replace: Handler,
    patch: Handler,
    remove: Handler,
) -> tuple[Operation, ...]:
    """Return the six operations of a kind of resources."""
    schema, one = f"Scim{kind}", f"{path}/{{id}}"
    version = (_ID, _VERSION)
    return (
        _operation(
            f"find{schema}s",
            "GET",
            path,
            find,
            f"The {kind}s that fit.",
            schema="ScimList",
            parameters=_QUERY,
        ),
        _operation(
            f"create{schema}",
            "POST",
            path,
            create,
            f"A {kind} that was made.",
            schema=schema,
            body=schema,
            status=201,
            refusals=_CHANGING,
        ),
        _operation(f"show{schema}", "GET", one, show, f"One {kind}.", schema=schema, parameters=(_ID,)),
        _operation(
            f"replace{schema}",
            "PUT",
            one,
            replace,
            f"The {kind}, replaced.",
            schema=schema,
            body=schema,
            parameters=version,
            refusals=_CHANGING,
        ),
        _operation(
            f"patch{schema}",
            "PATCH",
            one,
            patch,
            f"The {kind}, changed.",
            schema=schema,
            body="ScimPatch",
            parameters=version,
            refusals=_CHANGING,
        ),
        _operation(
            f"remove{schema}",
            "DELETE",
            one,
            remove,
            f"The {kind} is removed.",
            status=204,
            parameters=version,
            refusals=_CHANGING,
        ),
    )


OPERATIONS: tuple[Operation, ...] = (
    *_resource(
        "User",
        "/Users",
        find=scim_people.find_people,
        create=scim_people.create_person,
        show=scim_people.show_person,
        replace=scim_people.replace_person,
        patch=scim_people.patch_person,
        remove=scim_people.remove_person,
    ),
    *_resource(
        "Group",
        "/Groups",
        find=scim_groups.find_groups,
        create=scim_groups.make_group,
        show=scim_groups.show_group,
        replace=scim_groups.replace_group,
        patch=scim_groups.patch_group,
        remove=scim_groups.drop_group,
    ),
    _operation(
        "scimConfiguration",
        "GET",
        "/ServiceProviderConfig",
        scim_described.configuration,
        "What this interface can do.",
        schema="ScimDescription",
    ),
    _operation(
        "scimResourceTypes",
        "GET",
        "/ResourceTypes",
        scim_described.resource_types,
        "The kinds of resources.",
        schema="ScimList",
    ),
    _operation(
        "scimResourceType",
        "GET",
        "/ResourceTypes/{id}",
        scim_described.resource_type,
        "One kind of resources.",
        schema="ScimDescription",
        parameters=(_ID,),
    ),
    _operation("scimSchemas", "GET", "/Schemas", scim_described.schemas, "What is kept.", schema="ScimList"),
    _operation(
        "scimSchema",
        "GET",
        "/Schemas/{id}",
        scim_described.schema,
        "One schema.",
        schema="ScimDescription",
        parameters=(_ID,),
    ),
)
