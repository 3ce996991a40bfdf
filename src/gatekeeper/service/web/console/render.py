"""From a template to an answer: the one importer of Jinja. Everything is escaped, and nothing inline is allowed.

The policy of the pages names 'self' and nothing else: a script or style that somebody smuggled into a reason or a
name would have to be a file of ours to run. `same-origin` as referrer, because `no-referrer` makes a browser send
`Origin: null` with a form, which is exactly what a forged one sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from gatekeeper.codes import CODES
from gatekeeper.service.policy.durations import render_duration
from gatekeeper.service.web.console import words
from gatekeeper.service.web.console.navigation import navigation_for, role_words
from gatekeeper.service.web.console.static_files import asset
from gatekeeper.strict import parse_object

if TYPE_CHECKING:
    from starlette.responses import Response

    from gatekeeper.service.web.console.page_calls import PageCall

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("gatekeeper.service.web.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "moment": words.moment,
        "day": words.day,
        "ago": words.ago,
        "span": words.span,
        "state": words.state,
        "place": words.place,
        "listed": words.listed,
        "duration": render_duration,
    }
    made.globals |= {"asset": asset, "counted": words.count}
    return made


_TEMPLATES = _environment()


def render_alone(template: str, *, status: int = 200, **context: Any) -> Response:
    """Answer with a page outside the frame, which says nothing of anyone who is signed in."""
    html = _TEMPLATES.get_template(template).render(**context)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def render_sign_in(
    *,
    next_path: str,
    problem: str = "",
    provider: str = "",
    organisation: str = "",
    csrf: str = "",
    status: int = 200,
) -> Response:
    """Answer with the sign-in page. `provider` is its name for the button, "" where none is set up."""
    return render_alone(
        "sign_in.html",
        status=status,
        title="Sign in",
        next=next_path,
        problem=problem,
        provider=provider,
        organisation=organisation,
        csrf=csrf,
    )


def render_problem_page(*, code: str, detail: str, remedy: str, status: int) -> Response:
    """Answer with what went wrong, for people."""
    return render_alone(
        "problem.html",
        status=status,
        title=CODES[code].title,
        code=code,
        code_title=CODES[code].title,
        detail=detail,
        remedy=remedy,
    )


def as_page(answer: Response) -> Response:
    """Return an error that was answered with a problem document as a page, with its status and its headers."""
    members = parse_object(bytes(answer.body), max_bytes=64 * 1024)
    code = str(members.get("code", "GK901"))
    reference = f" Reference: {members['ref']}." if members.get("ref") else ""
    page = render_problem_page(
        code=code,
        detail=str(members.get("detail", "")) + reference,
        remedy="",
        status=answer.status_code,
    )
    kept = {
        name: value
        for name, value in answer.headers.items()
        if name in {"retry-after", "allow", "connection"}
    }
    page.headers.update(kept)
    return page


def render_page(call: PageCall, template: str, *, title: str, status: int = 200, **context: Any) -> Response:
    """Answer with a page in the frame."""
    html = _TEMPLATES.get_template(template).render(
        title=title,
        now=call.now,
        csrf=call.session.csrf,
        me=call.session.subject,
        roles={role.value for role in call.roles},
        role_words=role_words(call.roles),
        organisation=call.policy.organisation,
        policy=call.policy,
        path=call.request.url.path,
        navigation=navigation_for(call.roles, path=call.request.url.path, waiting=call.waiting),
        **context,
    )
    return HTMLResponse(html, status_code=status, headers=HEADERS)
