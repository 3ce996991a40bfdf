"""From a call to a page and back: whether the person may open it, and every error as a page.

Who is signed in, the form's token and its origin were checked by `dispatch` before anything here runs. A page
that somebody may not open doesn't exist, as far as they hear: the address of another's request and one that
never was give the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.roles import roles_of
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.web.auth import Auth
from gatekeeper.service.web.console.page_calls import PageCall
from gatekeeper.service.web.console.render import HEADERS, as_page, render_problem_page
from gatekeeper.service.web.console.reviewers import count_waiting
from gatekeeper.service.web.console.static_files import PATH, serve_asset
from gatekeeper.service.web.dispatch import Endpoint
from gatekeeper.service.web.operations import Operation
from gatekeeper.service.web.problems import HttpFault, answer_error, problem_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from sqlalchemy import Connection
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gatekeeper.service.policy.catalogue import Policy
    from gatekeeper.service.web.calls import Service, SessionCall
    from gatekeeper.service.web.console.page import Page

_FOR_PROGRAMS = ("/v1/", "/oauth/token", "/oauth/revoke", "/scim/", "/.well-known/", "/status/")
_NOWHERE = "There is no such page, or it is not for you."


def routes_of_pages(service: Service, pages: Iterable[Page]) -> list[Route]:
    """Return the routes of the pages, one for each address, and that of their files."""
    by_path: dict[str, dict[str, Operation]] = {}
    for page in pages:
        operation = Operation(
            id=page.id,
            method=page.method,
            path=page.path,
            handler=_handler_of(page),
            words="",
            answers=(),
            auth=Auth.SESSION,
        )
        by_path.setdefault(page.path, {})[page.method] = operation
    files = Operation(
        id="asset", method="GET", path=PATH, handler=serve_asset, words="", answers=(), auth=Auth.PUBLIC
    )
    by_path[PATH] = {"GET": files}
    return [Route(path, Endpoint(service, operations)) for path, operations in by_path.items()]


class PagesForPeople:
    """Answer a browser's errors with a page. Inside the envelope, which answers everybody else's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on; what is raised before an answer began becomes a page, where a person asked for one."""
        if scope["type"] != "http" or not _wants_page(scope):
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if started:
                raise
            await as_page(answer_error(error, path=scope["path"]))(scope, receive, send)


def _wants_page(scope: Scope) -> bool:
    accepted = [value for name, value in scope["headers"] if name == b"accept"]
    return not scope["path"].startswith(_FOR_PROGRAMS) and any(b"text/html" in value for value in accepted)


def see(path: str) -> Response:
    """Answer a form with the page to look at (303), so that reloading sends nothing again."""
    return RedirectResponse(path, status_code=303, headers=HEADERS)


def _handler_of(page: Page) -> Callable[[SessionCall], Awaitable[Response]]:
    async def handle(call: SessionCall) -> Response:
        try:
            return await page.handler(await _opened(page, call))
        except GatekeeperError as error:
            problem = problem_of(error, oauth=False)
            if problem.status >= 500:
                raise
            return render_problem_page(
                code=error.code, detail=error.detail, remedy=error.remedy, status=problem.status
            )

    return handle


async def _opened(page: Page, call: SessionCall) -> PageCall:
    """Return the call as the page's handler takes it.

    Raises:
        HttpFault: 404, the page is for other roles.
    """
    subject = call.session.subject

    def look(tx: Connection) -> tuple[Policy, int | None]:
        policy = current_policy(tx, now=call.now)
        return policy, count_waiting(tx, policy, subject, now=call.now)

    policy, waiting = await call.service.turns.read(look)
    roles = roles_of(call.service.console, subject.groups, approves=waiting is not None)
    if not roles & set(page.roles):
        raise HttpFault(404, _NOWHERE)
    return PageCall(
        service=call.service,
        request=call.request,
        now=call.now,
        session=call.session,
        roles=roles,
        policy=policy,
        waiting=waiting or 0,
    )
