"""What the provisioning interface says of itself: its configuration, resource types and schemas (RFC 7644 §4)."""

from __future__ import annotations

from typing import Any

from scim2_models import (
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    Context,
    ETag,
    Filter,
    Meta,
    Patch,
    Reference,
    Resource,
    ResourceType,
    Schema,
    ServiceProviderConfig,
    Sort,
)

from gatekeeper.service.people.scim_models import EnterpriseUser, Group, Person, User
from gatekeeper.service.people.scim_queries import MAX_COUNT


def configuration(base: str) -> dict[str, Any]:
    """Return the service provider's configuration; `base` is the interface's address."""
    config = ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=MAX_COUNT),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=True),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="Bearer token",
                description="A token that `gatekeeper service scim-token` made.",
                spec_uri=Reference("https://www.rfc-editor.org/rfc/rfc6750"),
                primary=True,
            )
        ],
    )
    return _dumped(config, "ServiceProviderConfig", f"{base}/ServiceProviderConfig")


def resource_types(base: str) -> list[dict[str, Any]]:
    """Return the two kinds of resources."""
    return [
        _dumped(ResourceType.from_resource(kind), "ResourceType", f"{base}/ResourceTypes/{name}")
        for kind, name in ((Person, "User"), (Group, "Group"))
    ]


def schemas(base: str) -> list[dict[str, Any]]:
    """Return the schemas: what is kept, and so what may be provisioned."""
    made: list[Schema] = [User.to_schema(), EnterpriseUser.to_schema(), Group.to_schema()]
    return [_dumped(schema, "Schema", f"{base}/Schemas/{schema.id}") for schema in made]


def _dumped(resource: Resource[Any], kind: str, location: str) -> dict[str, Any]:
    resource.meta = Meta(resource_type=kind, location=location)
    return dict(resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))
