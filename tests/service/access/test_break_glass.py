"""Breaking the glass: at once, for four hours, by one's own step-up, reviewed afterwards without fail."""

from __future__ import annotations

import pytest
from tests.service.access.office import HOUR, Office
from tests.service.store.parts import code_of

from gatekeeper.service.access.requests import lapse_requests


@pytest.fixture
def oncall(office: Office) -> Office:
    """Give an office where Ada is on call."""
    office.person("ada", "oncall", manager="ben@acme.example")
    return office


def test_it_grants_at_once_and_tells_two(oncall: Office) -> None:
    """Four hours, kind break-glass, a request that waits for its review, two messages."""
    request, grant = oncall.emergency()
    assert (grant.kind, grant.state, grant.ends_at - grant.starts_at) == ("break-glass", "active", 4 * HOUR)
    assert (request.kind, oncall.look(request).state) == ("break-glass", "pending")
    told = oncall.messages()
    assert told.count("break_glass.used") == told.count("break_glass.escalated") == 1
    assert ("break_glass.used", request.id) in oncall.acts()
    (item,) = oncall.inbox("cleo")
    assert "emergency" in item.notes[0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"method": "operator"}, "GK405"),
        ({"method": "device"}, "GK405"),
        ({"name": "ben"}, "GK310"),
        ({"reason": "short"}, "GK404"),
        ({"tool": "nothing"}, "GK302"),
        ({"group": "oncall"}, "GK410"),
        ({"zones": ("nowhere",)}, "GK410"),
    ],
)
def test_who_may_and_how(oncall: Office, change: dict[str, object], code: str) -> None:
    """The policy's action, the requester's own step-up, a reason; nothing is left of a refusal."""
    before = oncall.acts()
    assert code_of(lambda: oncall.emergency(**change)) == code  # type: ignore[arg-type]
    assert oncall.acts() == before


def test_one_at_a_time_and_none_while_a_review_is_due(oncall: Office) -> None:
    """However long ago it was: the review doesn't lapse."""
    request, _ = oncall.emergency()
    assert code_of(oncall.emergency) == "GK408"
    assert code_of(lambda: oncall.emergency(tool="managed")) == "GK408"
    oncall.days(30)
    with oncall.store.write() as tx:
        assert lapse_requests(tx, oncall.now) == 0
    assert oncall.look(request).state == "pending"
    assert oncall.grants("ada")[0].state == "expired"
    assert code_of(oncall.emergency) == "GK408"
    reviewed = oncall.approve(request)
    assert (reviewed.complete, len(oncall.grants("ada"))) == (True, 1)
    assert oncall.emergency()[1].state == "active"


def test_a_review_that_says_no_ends_the_grant(oncall: Office) -> None:
    """If it still stands."""
    request, _ = oncall.emergency()
    oncall.deny(request)
    assert oncall.grants("ada")[0].state == "revoked"
    assert oncall.look(request).state == "denied"


def test_it_can_t_be_taken_back_or_reviewed_by_oneself(oncall: Office) -> None:
    """Nor does it stand in the way of an ordinary request."""
    request, _ = oncall.emergency()
    assert code_of(lambda: oncall.cancel(request)) == "GK408"
    oncall.person("ada", "oncall", "security")
    assert code_of(lambda: oncall.approve(request, "ada")) == "GK405"
    ordinary = oncall.ask()
    assert ordinary.id != request.id
    assert oncall.approve(ordinary).complete
