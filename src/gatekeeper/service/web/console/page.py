"""What a page is: method and address, whom it is for, and who answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from gatekeeper.service.people.roles import Role
from gatekeeper.values import Value

if TYPE_CHECKING:
    from starlette.responses import Response

    from gatekeeper.service.web.console.page_calls import PageCall

Handler = Callable[["PageCall"], Awaitable["Response"]] | Callable[[Any], Awaitable["Response"]]


class Page(Value):
    """One page or form. Any of `roles` opens it; there is no default, so that none is forgotten."""

    id: str
    method: str
    path: str
    roles: tuple[Role, ...]
    handler: Handler
