"""The state machine, arrow by arrow: every pair of state and act has its outcome in a table here."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import CheckConstraint, Table

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.lifecycle import (
    GRANT_ACTS,
    GRANT_STATES,
    QUESTION,
    REQUEST_ACTS,
    REQUEST_STATES,
    grant_after,
    request_after,
)
from gatekeeper.service.store.tables.access import grants, requests

# As the protocol draws it, written out a second time; what isn't here is refused.
REQUEST = {
    "pending": {
        "approve": "approved",
        "deny": "denied",
        "cancel": "cancelled",
        "lapse": "lapsed",
        "ask": "question",
    },
    "question": {"answer": "pending", "deny": "denied", "cancel": "cancelled"},
    "approved": {},
    "denied": {},
    "cancelled": {},
    "lapsed": {},
}
GRANT = {
    "waitlisted": {"activate": "active", "revoke": "ended", "cancel": "ended", "lapse": "ended"},
    "active": {"suspend": "suspended", "revoke": "revoked", "end": "expired"},
    "suspended": {"resume": "active", "revoke": "revoked", "end": "expired"},
    "revoked": {},
    "expired": {},
    "ended": {},
}


def test_the_tables_name_every_state() -> None:
    """A new state comes with its row here."""
    assert set(REQUEST) == set(REQUEST_STATES)
    assert set(GRANT) == set(GRANT_STATES)


@pytest.mark.parametrize(("state", "act"), list(itertools.product(REQUEST_STATES, REQUEST_ACTS)))
def test_requests(state: str, act: str) -> None:
    """A request goes where the protocol says, or the act comes too late."""
    wanted = REQUEST[state].get(act)
    if wanted is not None:
        assert request_after(state, act) == wanted
        return
    with pytest.raises(GatekeeperError, match=state) as caught:
        request_after(state, act)
    assert caught.value.code == "GK408"


@pytest.mark.parametrize(("state", "act"), list(itertools.product(GRANT_STATES, GRANT_ACTS)))
def test_grants(state: str, act: str) -> None:
    """A grant goes where the protocol says, or the act comes too late."""
    wanted = GRANT[state].get(act)
    if wanted is not None:
        assert grant_after(state, act) == wanted
        return
    with pytest.raises(GatekeeperError, match=state) as caught:
        grant_after(state, act)
    assert caught.value.code == "GK408"


@pytest.mark.parametrize(
    ("state", "act"), [("pending", "activate"), ("ended", "approve"), ("", ""), ("x", "deny")]
)
def test_an_unknown_word_is_a_bug(state: str, act: str) -> None:
    """Never a refusal that a person would be told."""
    with pytest.raises(RuntimeError):
        request_after(state, act)


@pytest.mark.parametrize(
    ("state", "act"), [("active", "approve"), ("pending", "revoke"), ("", ""), ("x", "end")]
)
def test_an_unknown_word_of_grants_is_a_bug(state: str, act: str) -> None:
    """Never a refusal that a person would be told."""
    with pytest.raises(RuntimeError):
        grant_after(state, act)


def _storable(table: Table) -> set[str]:
    (check,) = [c for c in table.constraints if isinstance(c, CheckConstraint)]
    return set(str(check.sqltext).partition("(")[2].rstrip(")").replace("'", "").split(","))


def test_every_state_can_be_stored() -> None:
    """The database accepts the machine's states and no others; a question is stored as pending, with its instant."""
    assert _storable(requests) == set(REQUEST_STATES) - {QUESTION}
    assert _storable(grants) == set(GRANT_STATES)
