"""What an operation is: method and address, whom it asks who they are, how it answers, and its words for the document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from gatekeeper.service.web.auth import Auth
from gatekeeper.values import Value

if TYPE_CHECKING:
    from starlette.responses import Response

# The kind of call that a handler takes follows from `auth`; `dispatch` makes it.
Handler = Callable[[Any], Awaitable["Response"]]


class Answer(Value):
    """A documented answer: its media type, and the name of its schema ("" for signed bytes)."""

    status: int
    words: str
    media_type: str = "application/json"
    schema: str = ""


class Parameter(Value):
    """A documented parameter: `place` is path, query or header."""

    name: str
    place: str
    words: str
    kind: str = "string"


class Operation(Value):
    """One operation. The narrowest way of authentication is the default."""

    id: str
    method: str
    path: str
    handler: Handler
    words: str
    answers: tuple[Answer, ...]
    refusals: tuple[int, ...] = ()
    auth: Auth = Auth.DEVICE
    body: tuple[str, str] | None = None  # media type, name of its schema
    parameters: tuple[Parameter, ...] = ()
    workloads: bool = False  # whether a CI job may call it, too
