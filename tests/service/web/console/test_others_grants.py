"""Acts on grants by those who review: their own tools and zones alone, and only while the rules let them review."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.access.office import FILES
from tests.service.local import LocalService
from tests.service.store.parts import REASON
from tests.service.web.console.visitor import Visitor

from gatekeeper.documents.api import NewRequest
from gatekeeper.service.access.grants import get_grant
from gatekeeper.service.access.requests import create_request
from gatekeeper.service.people.subjects import ensure_subject
from gatekeeper.service.policy.folder import current_policy

ACTS = ("revoke", "suspend", "resume")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[LocalService]:
    """Give a service where `safety` reviews the zone `frontier`, and `security` every tool; trainees review nothing.

    G-1 is a grant outside every zone, G-2 one in `frontier`.
    """
    made = LocalService(tmp_path / "svc", policy=FILES)
    for number, zones in ((1, ("none",)), (2, ("frontier",))):
        with made.store.write() as tx:
            create_request(
                tx,
                policy=current_policy(tx, now=made.now),
                subject=ensure_subject(tx, "ada@acme.example", groups=("dev",), now=made.now),
                new=NewRequest(tool="probe", reason=REASON, zones=zones),
                idempotency_key="",
                now=made.now,
            )
        assert made.approve(f"R-{number}") == f"G-{number}"
    yield made
    made.close()


def _state(office: LocalService, grant: str) -> str:
    with office.store.read() as tx:
        return get_grant(tx, grant, now=office.now).state


@pytest.mark.parametrize("act", ACTS)
def test_the_reviewers_of_a_zone_act_in_their_zone_alone(office: LocalService, act: str) -> None:
    """A grant outside of it doesn't exist, as far as they hear."""
    eve = Visitor(office, "eve@acme.example", groups=("safety",), method="oidc")
    refused = eve.choose(act, "G-1", reason=REASON)
    assert (refused.status_code, "There is no such grant" in refused.text) == (404, True)
    assert eve.choose(act, "G-2", reason=REASON).status_code == 303


@pytest.mark.parametrize("act", ACTS)
def test_whom_the_rules_forbid_to_review_act_on_nothing(office: LocalService, act: str) -> None:
    """Being in the group isn't all: the action `review` is asked, too."""
    trainee = Visitor(office, "tim@acme.example", groups=("security", "trainee"), method="oidc")
    for grant in ("G-1", "G-2"):
        assert trainee.choose(act, grant, reason=REASON).status_code == 404


def test_what_was_chosen_is_looked_at_again(office: LocalService) -> None:
    """Whoever became a trainee between choosing and confirming revokes nothing."""
    cleo = Visitor(office, "cleo@acme.example", groups=("security",), method="oidc")
    where = cleo.choose("revoke", "G-1", reason=REASON).headers["location"]
    with office.store.write() as tx:
        ensure_subject(tx, "cleo@acme.example", groups=("security", "trainee"), now=office.now)
    cleo.post(where)
    assert _state(office, "G-1") == "active"


def test_the_api_asks_the_same(office: LocalService) -> None:
    """A zone's reviewers, a trainee, and somebody who may."""
    people = {
        "eve": (("safety",), "G-1", 404),
        "tim": (("security", "trainee"), "G-1", 404),
        "dan": (("safety",), "G-2", 200),
        "cleo": (("security",), "G-1", 200),
    }
    for name, (groups, grant, expected) in people.items():
        visitor = Visitor(office, f"{name}@acme.example", groups=groups, method="oidc")
        answer = visitor.call(f"/v1/grants/{grant}/revoke", {"reason": REASON})
        assert (name, answer.status_code) == (name, expected)
        assert _state(office, grant) == ("revoked" if expected == 200 else "active")


def test_an_act_is_offered_where_it_is_allowed(office: LocalService) -> None:
    """The list is wider than what may be done."""
    eve = Visitor(office, "eve@acme.example", groups=("safety",)).get("/grants").text
    assert ">G-1<" in eve
    assert ">G-2<" in eve
    assert ("pick-G-1" in eve, "pick-G-2" in eve) == (False, True)
    trainee = Visitor(office, "tim@acme.example", groups=("security", "trainee")).get("/grants").text
    assert ">G-1<" in trainee
    assert "pick-" not in trainee
    assert "Revoke…" not in trainee
    cleo = Visitor(office, "cleo@acme.example", groups=("security",)).get("/grants").text
    assert ("pick-G-1" in cleo, "pick-G-2" in cleo) == (True, True)
