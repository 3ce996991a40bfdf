"""Grants on a real database: how they end, who may end them, and what a status list says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from tests.service.access.parts import approve, ask, deny, granted, subject_of, tool_of
from tests.service.store.parts import DAY, NOW, code_of, new_store

from gatekeeper.service.access.grants import (
    Grant,
    expire_grants,
    get_grant,
    grants_of,
    resume_grant,
    revoke_grant,
    suspend_grant,
)
from gatekeeper.service.access.requests import cancel_request
from gatekeeper.service.access.standing import Active, Over, Waiting, standing
from gatekeeper.service.audit.log import entries
from gatekeeper.service.notify.outbox import undelivered
from gatekeeper.service.people.devices import enrol, revoke_device
from gatekeeper.service.people.subjects import Subject
from gatekeeper.service.store.tables.issue import status_entries
from gatekeeper.service.store.transactions import Store

ARROWS = {"revoke": revoke_grant, "suspend": suspend_grant, "resume": resume_grant}
END = NOW + 10 * DAY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a policy."""
    store = new_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def sam(store: Store) -> Subject:
    """The one who decides."""
    return subject_of(store, "sam")


def _act(
    store: Store,
    act: str,
    by: Subject,
    *,
    grant: str = "G-1",
    now: int = NOW,
    method: str = "operator",
    reason: str = "why",
) -> Grant:
    with store.write() as tx:
        return ARROWS[act](tx, grant, by=by, method=method, reason=reason, now=now)


def test_a_revocation_says_by_whom_and_why(store: Store, sam: Subject) -> None:
    """And is recorded as the operator's hand, with one message."""
    granted(store)
    grant = _act(store, "revoke", sam, now=NOW + 5, reason="left the team")
    assert (grant.state, grant.ended_at, grant.ended_by) == ("revoked", NOW + 5, "sam@acme.example")
    assert grant.ended_reason == "left the team"
    with store.read() as tx:
        last = entries(tx)[-1]
        assert (last.actor, last.act, last.object) == ("operator:sam@acme.example", "grant.revoked", "G-1")
        assert "left the team" not in repr(entries(tx))
        assert [m.kind for m in undelivered(tx, limit=99)].count("grant.revoked") == 1


def test_a_suspension_can_be_lifted(store: Store, sam: Subject) -> None:
    """The grant's end stays where it was, and nothing of the suspension stays with it."""
    before = granted(store)
    suspended = _act(store, "suspend", sam, now=NOW + 5)
    assert (suspended.state, suspended.ended_by, suspended.ends_at) == ("suspended", sam.name, before.ends_at)
    assert _act(store, "resume", sam, now=NOW + 9) == before


@pytest.mark.parametrize(
    ("done", "act", "code"),
    [
        ([], "resume", "GK408"),
        (["suspend"], "suspend", "GK408"),
        (["suspend"], "revoke", ""),
        (["revoke"], "revoke", "GK408"),
        (["revoke"], "suspend", "GK408"),
        (["revoke"], "resume", "GK408"),
        (["suspend", "resume"], "suspend", ""),
    ],
)
def test_an_act_that_comes_too_late_leaves_no_trace(
    store: Store, sam: Subject, done: list[str], act: str, code: str
) -> None:
    """What ended stays ended."""
    granted(store)
    for one in done:
        _act(store, one, sam)
    with store.read() as tx:
        before = len(entries(tx))
    assert code_of(lambda: _act(store, act, sam)) == code
    with store.read() as tx:
        assert len(entries(tx)) == before + (0 if code else 1)


@pytest.mark.parametrize("act", ["revoke", "suspend", "resume"])
def test_a_workstation_acts_on_nothing(store: Store, sam: Subject, act: str) -> None:
    """It takes the operator's hand or a step-up, whatever else the method is called."""
    granted(store)
    assert code_of(lambda: _act(store, act, sam, method="device")) == "GK405"


def test_nobody_lifts_their_own_suspension(store: Store, sam: Subject) -> None:
    """But everybody may give up what is theirs."""
    granted(store)
    _act(store, "suspend", sam)
    ada = subject_of(store, "ada")
    assert code_of(lambda: _act(store, "resume", ada)) == "GK405"
    assert _act(store, "revoke", ada).state == "revoked"


def test_a_grant_ends_by_itself(store: Store, sam: Subject) -> None:
    """At its second, whether or not the worker came by, and nothing wakes it again."""
    grant = granted(store)
    assert grant.ends_at == END
    with store.read() as tx:
        assert get_grant(tx, "G-1", now=END - 1).state == "active"
        assert get_grant(tx, "G-1", now=END).state == "expired"
        assert grants_of(tx, grant.subject, now=END)[0].state == "expired"
    for act in ARROWS:
        assert code_of(lambda a=act: _act(store, a, sam, now=END)) == "GK408"  # type: ignore[misc]


def test_a_suspended_grant_ends_as_well(store: Store, sam: Subject) -> None:
    """Being suspended stops no clock."""
    granted(store)
    _act(store, "suspend", sam)
    assert code_of(lambda: _act(store, "resume", sam, now=END)) == "GK408"
    with store.read() as tx:
        over = get_grant(tx, "G-1", now=END)
    assert (over.state, over.ended_by, over.ended_reason) == ("expired", "", "")


def test_the_worker_writes_the_end_down_once(store: Store) -> None:
    """With its entry and message, by nobody but time; what is read stays the same."""
    grant = granted(store)
    with store.write() as tx:
        read = get_grant(tx, grant.id, now=END + 7)
        assert expire_grants(tx, END - 1) == 0
        assert expire_grants(tx, END + 7) == 1
        assert expire_grants(tx, END + 7) == 0
        assert get_grant(tx, grant.id, now=END + 7) == read
        last = entries(tx)[-1]
    assert (last.actor, last.act) == ("service", "grant.expired")


def _status_after(store: Store, *acts: Callable[[], object]) -> list[int]:
    ada = subject_of(store, "ada")
    with store.write() as tx:
        for index, key in enumerate(("A" * 43, "B" * 43)):
            device = enrol(tx, subject=ada, name="laptop", jkt=key, now=NOW)
            tx.execute(
                insert(status_entries).values(
                    list=0, index=index, device=device.id, grant=1, tool="probe", last_exp=END, status=0
                )
            )
    for act in acts:
        act()
    with store.read() as tx:
        query = select(status_entries.c.status).order_by(status_entries.c.index)
        return list(tx.execute(query).scalars())


@pytest.mark.parametrize(
    ("acts", "statuses"),
    [
        ([], [0, 0]),
        (["revoke"], [1, 1]),
        (["suspend"], [2, 2]),
        (["suspend", "resume"], [0, 0]),
        (["suspend", "revoke"], [1, 1]),
        (["expire"], [1, 1]),
        (["lose", "suspend"], [1, 2]),
        (["suspend", "lose", "resume"], [1, 0]),
    ],
)
def test_the_status_list_follows(store: Store, sam: Subject, acts: list[str], statuses: list[int]) -> None:
    """Suspended is 2, ended is 1, and 1 is for ever: a revoked device wakes with no grant."""
    granted(store)

    def expire() -> None:
        with store.write() as tx:
            expire_grants(tx, END)

    def lose() -> None:
        with store.write() as tx:
            query = select(status_entries.c.device).where(status_entries.c.index == 0)
            revoke_device(tx, tx.execute(query).scalar_one(), by=sam.name, now=NOW)

    ways: dict[str, Callable[[], object]] = {
        "expire": expire,
        "lose": lose,
        **{name: (lambda n=name: _act(store, n, sam)) for name in ARROWS},  # type: ignore[misc]
    }
    assert _status_after(store, *(ways[act] for act in acts)) == statuses


# Where a subject stands. Each case is what was done, in order, and the outcome.


def _stand(store: Store, *, now: int = NOW) -> object:
    ada = subject_of(store, "ada")
    with store.read() as tx:
        return standing(tx, ada.id, tool_of(tx, "probe"), now=now)


def test_nobody_asked(store: Store) -> None:
    """Nothing stands: GK301."""
    assert _stand(store) == Over(code="GK301", grant=None, request=None, by="", reason="")


def test_a_request_waits(store: Store) -> None:
    """It is named."""
    request = ask(store)
    assert _stand(store) == Waiting(code="GK401", request=request)


def test_a_grant_stands(store: Store) -> None:
    """The one that ends last comes first."""
    short, long = granted(store, duration="1d"), granted(store, duration="5d")
    assert _stand(store) == Active(grants=(long, short))


def test_a_grant_stands_while_its_renewal_waits_or_is_denied(store: Store, sam: Subject) -> None:
    """Asking for more takes nothing away."""
    grant = granted(store)
    again = ask(store)
    assert _stand(store) == Active(grants=(grant,))
    with store.write() as tx:
        deny(tx, again.id, sam)
    assert _stand(store) == Active(grants=(grant,))


@pytest.mark.parametrize(("act", "code"), [("revoke", "GK307"), ("suspend", "GK403")])
def test_what_somebody_ended_is_said_with_their_words(
    store: Store, sam: Subject, act: str, code: str
) -> None:
    """By whom, and why."""
    granted(store)
    grant = _act(store, act, sam, reason="because")
    assert _stand(store) == Over(code=code, grant=grant, request=None, by=sam.name, reason="because")


def test_what_time_ended_is_said(store: Store) -> None:
    """GK308, before and after the worker came by."""
    granted(store)
    first = _stand(store, now=END)
    assert isinstance(first, Over)
    assert first.code == "GK308"
    with store.write() as tx:
        expire_grants(tx, END)
    assert _stand(store, now=END) == first


def test_a_denial_is_said(store: Store, sam: Subject) -> None:
    """With its words."""
    request = ask(store)
    with store.write() as tx:
        denied = deny(tx, request.id, sam, reason="use llama")
    assert _stand(store) == Over(code="GK309", grant=None, request=denied, by=sam.name, reason="use llama")


def test_a_new_request_waits_whatever_was(store: Store, sam: Subject) -> None:
    """After a revocation one may ask again, and is then told to wait."""
    granted(store)
    _act(store, "revoke", sam)
    again = ask(store)
    assert _stand(store) == Waiting(code="GK401", request=again)


def test_the_last_thing_that_happened_is_told(store: Store, sam: Subject) -> None:
    """A revocation after a denial, a denial after a revocation; in one second, the revocation."""
    granted(store)
    again = ask(store)
    with store.write() as tx:
        deny(tx, again.id, sam, now=NOW + 5)
    _act(store, "revoke", sam, now=NOW + 5)
    assert _over(store) == "GK307"
    third = ask(store, now=NOW + 6)
    with store.write() as tx:
        deny(tx, third.id, sam, now=NOW + 6)
    assert _over(store) == "GK309"


def _over(store: Store) -> str:
    stand = _stand(store)
    assert isinstance(stand, Over)
    return stand.code


def test_what_came_to_nothing_is_nothing(store: Store) -> None:
    """Cancelled and lapsed requests leave GK301."""
    request = ask(store)
    ada = subject_of(store, "ada")
    with store.write() as tx:
        cancel_request(tx, request.id, subject=ada, now=NOW)
    assert _over(store) == "GK301"
    ask(store)
    stand = _stand(store, now=NOW + 7 * DAY)
    assert isinstance(stand, Over)
    assert stand.code == "GK301"


def test_another_tool_and_another_person_stand_for_themselves(store: Store) -> None:
    """A grant says nothing of anything else."""
    grant = granted(store)
    sam = subject_of(store, "sam")
    with store.read() as tx:
        assert isinstance(standing(tx, grant.subject, tool_of(tx, "llama"), now=NOW), Over)
        assert isinstance(standing(tx, sam.id, tool_of(tx, "probe"), now=NOW), Over)


def test_an_approved_request_reads_with_its_grant(store: Store) -> None:
    """The subject finds one from the other."""
    request = ask(store)
    assert approve(store, request.id).request == request.id
