"""What an answer of the service means. Pure: no network, no disk.

Three outcomes, by `protocol.md`: an answer that can be used, a refusal (it has a code of ours), and
*unreachable* (429, 5xx, no code in it or none that is known, a page of somebody else). Only a refusal may cost
a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.client.service_errors import ServiceRefused, ServiceUnreachable
from gatekeeper.codes import CODES
from gatekeeper.documents.api import parse_problem
from gatekeeper.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from gatekeeper.client.http import Reply
    from gatekeeper.documents.api import Problem

    Parsed = TypeVar("Parsed")

OK_STATUSES = range(200, 300)
NOT_MODIFIED = 304
TOO_MANY = 429
_REFUSALS = ("GK2", "GK3", "GK4")


def check_reply(reply: Reply, *, service: str) -> Reply:
    """Return an answer that can be used: 2xx or 304.

    Raises:
        ServiceRefused: the service answered with a code; `facts["problem"]` is the problem.
        ServiceUnreachable: GK601 it fails, GK602 the answer isn't the service's, GK603 it asks to wait; where
            the answer has a problem, `facts["problem"]` is that.
    """
    if reply.status in OK_STATUSES or reply.status == NOT_MODIFIED:
        return reply
    problem = problem_of(reply)
    facts: dict[str, object] = {} if problem is None else {"problem": problem}
    if reply.status == TOO_MANY:
        raise ServiceUnreachable("GK603", f"{service} asks to wait before the next call.", facts=facts)
    if reply.status >= 500:
        raise ServiceUnreachable("GK601", f"{service} fails: it answers {reply.status}.", facts=facts)
    if problem is None or reply.status < 400:
        raise unreadable(service, f"it is {reply.status}, without a code")
    # A refusal of a later version stays one: read as unreachable, it would leave a token that was revoked in use.
    if problem.code not in CODES and not is_refusal(problem.code):
        raise unreadable(service, f"this version of gatekeeper doesn't know its code {problem.code}")
    raise ServiceRefused(problem.code, problem.detail or problem.title, facts=facts)


def problem_of(reply: Reply) -> Problem | None:
    """Return the problem that an error answer holds, or None where it isn't the service's."""
    try:
        return parse_problem(reply.body, status=reply.status)
    except Malformed:
        return None


def is_refusal(code: str) -> bool:
    """Say whether a code of the service concerns the person's sign-in, approval or request: such answers delete tokens."""
    return code.startswith(_REFUSALS)


def wants_nonce(reply: Reply) -> bool:
    """Say whether the service asks for the same call with the nonce of this answer (RFC 9449 §8, §9)."""
    if reply.status not in (400, 401) or not new_nonce(reply):
        return False
    problem = problem_of(reply)
    challenge = reply.headers.get("www-authenticate", "")
    return "use_dpop_nonce" in challenge or (problem is not None and problem.error == "use_dpop_nonce")


def new_nonce(reply: Reply) -> str:
    """Return the nonce that an answer carries, "" where there is none that could be sent back (RFC 9449 §8.1)."""
    nonce = reply.headers.get("dpop-nonce", "")
    return nonce if nonce.isascii() and nonce.isprintable() and len(nonce) <= 256 else ""


def read_body(reply: Reply, parse: Callable[[bytes], Parsed], *, service: str) -> Parsed:
    """Parse the body of an answer. ServiceUnreachable GK602 where it isn't what the service sends (HTML, another API)."""
    try:
        return parse(reply.body)
    except Malformed as error:
        raise unreadable(service, error.reason) from error


def unreadable(service: str, reason: str) -> ServiceUnreachable:
    """Say that what answered isn't the service."""
    return ServiceUnreachable("GK602", f"What answers at {service} can't be read: {reason}.")
