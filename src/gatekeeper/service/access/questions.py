"""Questions about a request and their answers. While one waits, the clock of the lapse stands still."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.deciding import RULES, check_reviewer
from gatekeeper.service.access.grants import actor_of
from gatekeeper.service.access.lifecycle import ANSWER, ASK
from gatekeeper.service.access.members import members_of
from gatekeeper.service.access.request_rows import AccessRequest, get_request, move
from gatekeeper.service.people.names import check_free_text, visible_length
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.policy.rules import Rules
from gatekeeper.service.store.tables.access import request_messages
from gatekeeper.service.store.tables.people import subjects
from gatekeeper.values import Value

ASKED = "question"
ANSWERED = "answer"
_MOST_MESSAGES = 50


class Message(Value):
    """One question or answer. `author` is a name, `kind` is `question` or `answer`."""

    author: str
    kind: str
    text: str
    at: int


def ask_question(
    tx: Connection,
    request_id: str,
    *,
    reviewer: Subject,
    method: str,
    text: str,
    now: int,
    rules: Rules = RULES,
) -> AccessRequest:
    """Ask whoever asked something, before deciding.

    Raises:
        GatekeeperError: GK409, there is no such request; GK408, it isn't pending; GK405, the reviewer may not decide
            about it; GK404, nothing is asked; GK410, the text or the talk is too long.
    """
    request = get_request(tx, request_id, now=now)
    policy = current_policy(tx, now=now)
    check_reviewer(
        tx,
        policy,
        policy.tool_of_id(request.tool),
        request,
        members=members_of(tx, request),
        reviewer=reviewer,
        method=method,
        rules=rules,
        now=now,
    )
    moved = move(
        tx, request, ASK, actor=actor_of(reviewer, method=method), now=now, changes={"question_at": now}
    )
    _keep(tx, request, reviewer, ASKED, text, now=now)
    return moved


def reply(tx: Connection, request_id: str, *, subject: Subject, text: str, now: int) -> AccessRequest:
    """Answer the question about one's own request; it is pending again, and has as much time left as it had.

    Raises:
        GatekeeperError: GK409, there is no such request, or it is another's; GK408, no question waits; GK404, the
            answer is empty; GK410, too long.
    """
    request = get_request(tx, request_id, now=now)
    if request.asked_by != subject.id:
        raise GatekeeperError("GK409", "There is no such request.")
    stood_for = 0 if request.question_at is None else max(0, now - request.question_at)
    changes = {"question_at": None, "lapses_at": request.lapses_at + stood_for}
    moved = move(tx, request, ANSWER, actor=subject.id, now=now, changes=changes)
    _keep(tx, request, subject, ANSWERED, text, now=now)
    return moved


def messages_of(tx: Connection, request: AccessRequest) -> list[Message]:
    """Return the questions and answers, the oldest first."""
    query = (
        select(request_messages, subjects.c.name)
        .join(subjects, subjects.c.id == request_messages.c.author)
        .where(request_messages.c.request == request.number)
        .order_by(request_messages.c.id)
    )
    return [Message(author=row.name, kind=row.kind, text=row.text, at=row.at) for row in tx.execute(query)]


def _keep(tx: Connection, request: AccessRequest, author: Subject, kind: str, text: str, *, now: int) -> None:
    if visible_length(text) == 0:
        raise GatekeeperError("GK404", f"The {kind} is empty.")
    if len(messages_of(tx, request)) >= _MOST_MESSAGES:
        raise GatekeeperError(
            "GK410", f"There are {_MOST_MESSAGES} questions and answers already. Talk to each other."
        )
    row = {"author": author.id, "kind": kind, "text": check_free_text(text, what=kind), "at": now}
    tx.execute(insert(request_messages).values(request=request.number, **row))
