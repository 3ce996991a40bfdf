"""Access requests on a real database: what may be asked, what stands, who decides, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.service.store.parts import CATALOGUE, DAY, NOW, REASON, code_of, new_store

from gatekeeper.documents.api import NewRequest
from gatekeeper.service.access.asking import scope_key
from gatekeeper.service.access.grants import Grant, get_grant, grants_of
from gatekeeper.service.access.idempotency import sweep_idempotency
from gatekeeper.service.access.requests import (
    AccessRequest,
    approve_request,
    cancel_request,
    create_request,
    deny_request,
    get_request,
    lapse_requests,
    pending_requests,
    requests_of,
)
from gatekeeper.service.audit.log import entries
from gatekeeper.service.notify.outbox import mark_delivered, undelivered
from gatekeeper.service.people.subjects import Subject, ensure_subject
from gatekeeper.service.policy.folder import PolicyFiles, apply_policy, current_policy
from gatekeeper.service.store.tables.access import requests
from gatekeeper.service.store.tables.people import subjects
from gatekeeper.service.store.transactions import Store

WEEK = 7 * DAY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a policy."""
    store = new_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def ada(store: Store) -> Subject:
    """The one who asks."""
    with store.write() as tx:
        return ensure_subject(tx, "ada@acme.example", now=NOW)


@pytest.fixture
def sam(store: Store) -> Subject:
    """The one who decides."""
    with store.write() as tx:
        return ensure_subject(tx, "sam@acme.example", now=NOW)


def _new(**changes: Any) -> NewRequest:
    return NewRequest(**({"tool": "probe", "reason": REASON} | changes))


def _ask(
    store: Store, subject: Subject, *, key: str = "", now: int = NOW, **changes: Any
) -> tuple[AccessRequest, bool]:
    with store.write() as tx:
        policy = current_policy(tx, now=now)
        return create_request(
            tx, policy=policy, subject=subject, new=_new(**changes), idempotency_key=key, now=now
        )


def _approve(
    store: Store, request: str, by: Subject, *, now: int = NOW, **changes: Any
) -> tuple[AccessRequest, Grant]:
    given = {"method": "operator", "duration": "", "zones": None, "reason": "fine"} | changes
    with store.write() as tx:
        reviewed = approve_request(
            tx,
            request,
            policy=current_policy(tx, now=now),
            reviewer=by,
            now=now,
            **given,
        )
    return reviewed.request, reviewed.grants[0]


def _deny(
    store: Store, request: str, by: Subject, *, now: int = NOW, reason: str = "not now"
) -> AccessRequest:
    with store.write() as tx:
        policy = current_policy(tx, now=now)
        return deny_request(
            tx, request, policy=policy, reviewer=by, method="operator", reason=reason, now=now
        )


def _cancel(store: Store, request: str, by: Subject, *, now: int = NOW) -> AccessRequest:
    with store.write() as tx:
        return cancel_request(tx, request, subject=by, now=now)


def _acts(store: Store) -> list[tuple[str, str, str]]:
    with store.read() as tx:
        return [(entry.actor, entry.act, entry.object) for entry in entries(tx)]


def _traces(store: Store) -> tuple[int, int, int]:
    with store.read() as tx:
        stored = tx.execute(select(func.count()).select_from(requests)).scalar_one()
        return stored, len(entries(tx)), len(undelivered(tx, limit=100))


def test_a_request_says_all_that_was_asked(store: Store, ada: Subject) -> None:
    """With the policy's defaults where nothing was said, and one audit entry and one message."""
    request, created = _ask(store, ada, ticket="SEC-12")
    assert created is True
    assert request == AccessRequest(
        id="R-1",
        number=1,
        subject=ada.id,
        tool="probe",
        zones=("none",),
        reason=REASON,
        ticket="SEC-12",
        duration_for=30 * DAY,
        state="pending",
        created_at=NOW,
        lapses_at=NOW + WEEK,
        decided_at=None,
        decided_by="",
        decision_reason="",
        grant="",
    )
    assert _acts(store) == [(ada.id, "request.created", "R-1")]
    with store.read() as tx:
        assert get_request(tx, "R-1", now=NOW) == request
        (message,) = undelivered(tx, limit=9)
        assert (message.kind, dict(message.payload)) == (
            "request.created",
            {"request": "R-1", "subject": ada.id},
        )


def test_an_executable_s_name_asks_for_its_tool(store: Store, ada: Subject) -> None:
    """What is stored is the id."""
    assert _ask(store, ada, tool="probe-ng")[0].tool == "probe"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tool": "nothing"}, "GK302"),
        ({"tool": ""}, "GK302"),
        ({"tool": "../probe"}, "GK302"),
        ({"tool": "shut"}, "GK303"),
        ({"tool": "llama"}, "GK410"),
        ({"reason": ""}, "GK404"),
        ({"reason": "x" * 19}, "GK404"),
        ({"reason": " " * 40}, "GK404"),
        ({"reason": "\u200b" * 40}, "GK404"),
        ({"reason": "x" * 20}, ""),
        ({"reason": "x" * 4000}, ""),
        ({"reason": "x" * 4001}, "GK410"),
        ({"reason": REASON + "\0"}, "GK100"),
        ({"reason": REASON + "\ud800"}, "GK100"),
        ({"duration": "60d"}, ""),
        ({"duration": "61d"}, "GK410"),
        ({"duration": "1441h"}, "GK410"),
        ({"duration": "0d"}, "GK410"),
        ({"duration": "-1d"}, "GK410"),
        ({"duration": "for ever"}, "GK410"),
        ({"zones": ("frontier-models",)}, ""),
        ({"zones": ("none", "frontier-models")}, ""),
        ({"zones": ("nowhere",)}, "GK410"),
        ({"zones": ("",)}, "GK410"),
        ({"ticket": "a\nb"}, "GK100"),
        ({"ticket": "x" * 129}, "GK100"),
    ],
)
def test_what_may_be_asked(store: Store, ada: Subject, changes: dict[str, Any], code: str) -> None:
    """Everything else is refused with its own code, and leaves nothing behind."""
    assert code_of(lambda: _ask(store, ada, **changes)) == code
    assert _traces(store) == ((0, 0, 0) if code else (1, 1, 1))


def test_a_reason_is_kept_as_it_is(store: Store, ada: Subject) -> None:
    """Markup, control characters, quotes: stored as written, and never in the audit log."""
    reason = "<script>alert(1)</script> \x1b[31m'; DROP TABLE requests; --\n"
    assert _ask(store, ada, reason=reason)[0].reason == reason
    with store.read() as tx:
        assert "script" not in repr(entries(tx))


def test_the_same_again_is_the_one_that_is_pending(store: Store, ada: Subject, sam: Subject) -> None:
    """Tool, zones and subject make the scope; other words and durations don't make a second request."""
    first, _ = _ask(store, ada, zones=("frontier-models", "none"))
    again, created = _ask(
        store, ada, zones=("none", "frontier-models", "none"), reason=REASON * 2, duration="1d"
    )
    assert (again, created) == (first, False)
    assert _ask(store, ada)[1] is True
    assert _ask(store, sam)[1] is True
    assert _traces(store) == (3, 3, 3)


def test_after_an_answer_one_may_ask_again(store: Store, ada: Subject, sam: Subject) -> None:
    """Cancelled, denied or approved: the place is free."""
    _cancel(store, _ask(store, ada)[0].id, ada)
    _deny(store, _ask(store, ada)[0].id, sam)
    _approve(store, _ask(store, ada)[0].id, sam)
    assert _ask(store, ada)[0].id == "R-4"


def test_a_key_gives_the_same_request(store: Store, ada: Subject, sam: Subject) -> None:
    """Whatever became of it, for 24 hours, to that subject alone."""
    first, _ = _ask(store, ada, key="k")
    _cancel(store, first.id, ada)
    again, created = _ask(store, ada, key="k", now=NOW + DAY - 1)
    assert (again.id, again.state, created) == (first.id, "cancelled", False)
    assert _ask(store, sam, key="k")[0].id != first.id
    later, created = _ask(store, ada, key="k", now=NOW + DAY)
    assert (later.id, created) == ("R-3", True)


def test_a_key_with_another_body_is_refused(store: Store, ada: Subject) -> None:
    """GK411, and nothing is made."""
    _ask(store, ada, key="k")
    assert code_of(lambda: _ask(store, ada, key="k", duration="1d")) == "GK411"
    assert _traces(store) == (1, 1, 1)


def test_a_key_of_a_repeated_request_is_kept_too(store: Store, ada: Subject) -> None:
    """The second call found the pending one; its own retry finds the same."""
    first, _ = _ask(store, ada)
    assert _ask(store, ada, key="k", duration="1d") == (first, False)
    _cancel(store, first.id, ada)
    assert _ask(store, ada, key="k", duration="1d")[0].id == first.id


@pytest.mark.parametrize("key", ["a b", "a\n", "ä", "x" * 129])
def test_a_hostile_key_is_refused(store: Store, ada: Subject, key: str) -> None:
    """Keys are visible ASCII, up to 128."""
    assert code_of(lambda: _ask(store, ada, key=key)) == "GK100"


def test_old_keys_are_forgotten(store: Store, ada: Subject) -> None:
    """After 24 hours."""
    _ask(store, ada, key="k")
    with store.write() as tx:
        assert sweep_idempotency(tx, NOW + DAY - 1) == 0
        assert sweep_idempotency(tx, NOW + DAY) == 1


@pytest.mark.parametrize(
    "request_id", ["R-2", "R-0", "R-01", "r-1", "1", "", "G-1", "R-1 ", "R-99999999999999", "R-1\n"]
)
def test_an_unknown_id_is_said_so(store: Store, ada: Subject, request_id: str) -> None:
    """GK409, however hostile it is."""
    _ask(store, ada)
    with store.read() as tx:
        assert code_of(lambda: get_request(tx, request_id, now=NOW)) == "GK409"


def test_nobody_cancels_another_s(store: Store, ada: Subject, sam: Subject) -> None:
    """It isn't even visible."""
    request, _ = _ask(store, ada)
    assert code_of(lambda: _cancel(store, request.id, sam)) == "GK409"
    assert _cancel(store, request.id, ada).state == "cancelled"
    assert _acts(store)[-1] == (ada.id, "request.cancelled", "R-1")


def test_an_approval_makes_one_grant(store: Store, ada: Subject, sam: Subject) -> None:
    """As asked, from now on, recorded as the operator's hand."""
    asked, _ = _ask(store, ada, zones=("none", "frontier-models"), duration="10d")
    request, grant = _approve(store, asked.id, sam, now=NOW + 60)
    assert (request.state, request.decided_by, request.decision_reason) == ("approved", sam.name, "fine")
    assert (request.decided_at, request.grant) == (NOW + 60, "G-1")
    assert grant == Grant(
        id="G-1",
        number=1,
        request="R-1",
        subject=ada.id,
        tool="probe",
        zones=("frontier-models", "none"),
        state="active",
        starts_at=NOW + 60,
        ends_at=NOW + 60 + 10 * DAY,
        ended_at=None,
        ended_by="",
        ended_reason="",
        duration_for=10 * DAY,
    )
    assert _acts(store)[1:] == [
        ("operator:sam@acme.example", "request.approved", "R-1"),
        ("operator:sam@acme.example", "grant.created", "G-1"),
    ]
    with store.read() as tx:
        assert [message.kind for message in undelivered(tx, limit=9)] == [
            "request.created",
            "request.approved",
            "grant.created",
        ]


def test_a_review_may_narrow(store: Store, ada: Subject, sam: Subject) -> None:
    """Duration and zones."""
    asked, _ = _ask(store, ada, zones=("none", "frontier-models"), duration="10d")
    _, grant = _approve(store, asked.id, sam, duration="12h", zones=("frontier-models",))
    assert (grant.ends_at - grant.starts_at, grant.zones) == (DAY // 2, ("frontier-models",))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"duration": "11d"}, "GK410"),
        ({"duration": "x"}, "GK410"),
        ({"zones": ("frontier-models",)}, "GK410"),
        ({"zones": ()}, "GK410"),
        ({"method": "step-up"}, "GK405"),
        ({"method": "device"}, "GK405"),
        ({"reason": "x" * 4001}, "GK410"),
    ],
)
def test_a_review_that_may_not_be_leaves_no_trace(
    store: Store, ada: Subject, sam: Subject, changes: dict[str, Any], code: str
) -> None:
    """Never wider, never by another way; the request stays pending."""
    asked, _ = _ask(store, ada, duration="10d")
    before = _traces(store)
    assert code_of(lambda: _approve(store, asked.id, sam, **changes)) == code
    assert _traces(store) == before
    with store.read() as tx:
        assert get_request(tx, asked.id, now=NOW) == asked
        assert grants_of(tx, ada.id, now=NOW) == []


def test_nobody_decides_about_their_own(store: Store, ada: Subject) -> None:
    """Neither approving nor denying."""
    asked, _ = _ask(store, ada)
    assert code_of(lambda: _approve(store, asked.id, ada)) == "GK405"
    assert code_of(lambda: _deny(store, asked.id, ada)) == "GK405"


def test_a_deactivated_reviewer_decides_nothing(store: Store, ada: Subject, sam: Subject) -> None:
    """Whatever the operator types."""
    asked, _ = _ask(store, ada)
    with store.write() as tx:
        tx.execute(update(subjects).where(subjects.c.id == sam.id).values(state="deactivated"))
    assert code_of(lambda: _approve(store, asked.id, sam.replace(active=False))) == "GK405"


def test_a_denial_carries_its_reason(store: Store, ada: Subject, sam: Subject) -> None:
    """The person who asked reads it; without one there is no denial."""
    asked, _ = _ask(store, ada)
    assert code_of(lambda: _deny(store, asked.id, sam, reason=" \n")) == "GK404"
    denied = _deny(store, asked.id, sam, reason="use llama")
    assert (denied.state, denied.decided_by, denied.decision_reason) == ("denied", sam.name, "use llama")
    assert denied.grant == ""


@pytest.mark.parametrize("first", ["approve", "deny", "cancel"])
@pytest.mark.parametrize("second", ["approve", "deny", "cancel"])
def test_what_was_decided_stays(store: Store, ada: Subject, sam: Subject, first: str, second: str) -> None:
    """A second act of any kind comes too late, and leaves no trace."""
    asked, _ = _ask(store, ada)
    acts: dict[str, Callable[[], object]] = {
        "approve": lambda: _approve(store, asked.id, sam),
        "deny": lambda: _deny(store, asked.id, sam),
        "cancel": lambda: _cancel(store, asked.id, ada),
    }
    acts[first]()
    before = _traces(store)
    assert code_of(acts[second]) == "GK408"
    assert _traces(store) == before


def test_policy_of_today_bounds_an_old_request(store: Store, ada: Subject, sam: Subject) -> None:
    """A limit that was lowered while the request waited holds, and so does a tool that was taken away."""
    asked, _ = _ask(store, ada, duration="50d")
    for change, code in (
        (CATALOGUE.replace("[tools.probe]", '[tools.probe]\naccess = "closed"'), "GK303"),
        (CATALOGUE.replace("[tools.probe]", '[tools.probe]\naccess = "open"'), "GK410"),
        (CATALOGUE.replace("[tools.probe]", "[tools.other]"), "GK302"),
        (CATALOGUE.replace('"60d"', '"5d"'), ""),
    ):
        with store.write() as tx:
            apply_policy(tx, PolicyFiles(catalogue=change), by="operator", now=NOW, effective_at=NOW)
        assert code_of(lambda: _approve(store, asked.id, sam)) == code, change
    with store.read() as tx:
        (grant,) = grants_of(tx, ada.id, now=NOW)
    assert grant.ends_at - grant.starts_at == 5 * DAY


def test_an_unanswered_request_lapses_by_itself(store: Store, ada: Subject, sam: Subject) -> None:
    """From that second on it reads as lapsed and can't be decided, whether or not the worker came by."""
    asked, _ = _ask(store, ada)
    with store.read() as tx:
        assert get_request(tx, asked.id, now=NOW + WEEK - 1).state == "pending"
        assert get_request(tx, asked.id, now=NOW + WEEK).state == "lapsed"
        assert requests_of(tx, ada.id, now=NOW + WEEK)[0].state == "lapsed"
        assert pending_requests(tx, now=NOW + WEEK) == []
        assert [request.id for request in pending_requests(tx, now=NOW + WEEK - 1)] == [asked.id]
    for act in (
        lambda: _approve(store, asked.id, sam, now=NOW + WEEK),
        lambda: _deny(store, asked.id, sam, now=NOW + WEEK),
        lambda: _cancel(store, asked.id, ada, now=NOW + WEEK),
    ):
        assert code_of(act) == "GK408"


def test_the_worker_writes_the_lapse_down_once(store: Store, ada: Subject) -> None:
    """With its entry and message, by nobody but time."""
    asked, _ = _ask(store, ada)
    with store.write() as tx:
        assert lapse_requests(tx, NOW + WEEK - 1) == 0
        assert lapse_requests(tx, NOW + WEEK) == 1
        assert lapse_requests(tx, NOW + WEEK) == 0
        assert get_request(tx, asked.id, now=NOW).state == "lapsed"
    assert _acts(store)[-1] == ("service", "request.lapsed", asked.id)


def test_a_lapsed_request_holds_no_place(store: Store, ada: Subject) -> None:
    """Asking again makes a new one even before the worker came by, and writes the lapse down."""
    asked, _ = _ask(store, ada)
    again, created = _ask(store, ada, now=NOW + WEEK)
    assert (again.id, created) == ("R-2", True)
    assert _acts(store)[-2:] == [("service", "request.lapsed", asked.id), (ada.id, "request.created", "R-2")]


def test_listings_are_in_order(store: Store, ada: Subject, sam: Subject) -> None:
    """One's own newest first; everybody's oldest first."""
    _ask(store, ada)
    _ask(store, sam)
    _ask(store, ada, zones=("frontier-models",))
    with store.read() as tx:
        assert [request.id for request in requests_of(tx, ada.id, now=NOW)] == ["R-3", "R-1"]
        assert [request.id for request in requests_of(tx, ada.id, tool="llama", now=NOW)] == []
        assert [request.id for request in pending_requests(tx, now=NOW)] == ["R-1", "R-2", "R-3"]


def test_a_message_is_delivered_once(store: Store, ada: Subject) -> None:
    """The second to deliver it is told."""
    _ask(store, ada)
    with store.write() as tx:
        (message,) = undelivered(tx, limit=9)
        assert mark_delivered(tx, message.id, now=NOW) is True
        assert mark_delivered(tx, message.id, now=NOW) is False
        assert undelivered(tx, limit=9) == []


def test_a_scope_of_many_zones_has_a_key_of_its_own() -> None:
    """Long scopes are digested: never cut off, never mixed up."""
    zones = tuple(f"zone-{n:03}" for n in range(100))
    assert len(scope_key("probe", zones)) <= 512
    assert scope_key("probe", zones) != scope_key("probe", zones[:-1])
    assert scope_key("probe", ("a",)) != scope_key("probe", ("b",))


def test_a_grant_is_found_by_its_id_only(store: Store, ada: Subject, sam: Subject) -> None:
    """GK409 for everything else."""
    _approve(store, _ask(store, ada)[0].id, sam)
    with store.read() as tx:
        assert get_grant(tx, "G-1", now=NOW).subject == ada.id
        for wrong in ("G-2", "R-1", "", "G-1\n", "g-1", "G-99999999999999"):
            assert code_of(lambda w=wrong: get_grant(tx, w, now=NOW)) == "GK409"  # type: ignore[misc]
