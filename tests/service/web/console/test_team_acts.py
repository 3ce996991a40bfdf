"""Confirming what is for others: the page names them, and the signature stands for exactly them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.service.local import REASON, LocalService
from tests.service.web.console.visitor import Visitor, options_of

from gatekeeper.documents.api import NewRequest
from gatekeeper.service.access.requests import create_request
from gatekeeper.service.people.challenges import find_challenge
from gatekeeper.service.people.subjects import WORKLOAD, ensure_subject
from gatekeeper.service.policy.folder import current_policy

TEAM = [f"p{number:02}@acme.example" for number in range(12)]


def _ask(local: LocalService, **whom: Any) -> str:
    with local.store.write() as tx:
        request, _ = create_request(
            tx,
            policy=current_policy(tx, now=local.now),
            subject=ensure_subject(tx, "ada@acme.example", groups=("dev",), now=local.now),
            new=NewRequest(**({"tool": "claude", "reason": REASON} | whom)),
            idempotency_key="",
            now=local.now,
        )
    return request.id


@pytest.fixture
def sam(local: LocalService) -> Visitor:
    """An approver, and a team of twelve."""
    with local.store.write() as tx:
        for name in TEAM:
            ensure_subject(tx, name, groups=("web",), now=local.now)
    made = Visitor(local, "sam@acme.example", groups=("ai-security",), method="oidc")
    made.register()
    return made


@pytest.mark.parametrize("act", ["approve", "deny"])
def test_a_team_is_shown_as_one(local: LocalService, sam: Visitor, act: str) -> None:
    """Its name, the first ten by name, how many there are, and who asks."""
    request = _ask(local, group="web")
    page = sam.get(sam.choose(act, request, reason=REASON).headers["location"]).text
    assert "Team web" in page
    assert "12 people: " + ", ".join(TEAM[:10]) + " and 2 more" in page
    assert TEAM[10] not in page
    assert "Asked for by ada@acme.example" in page


def test_what_is_signed_stands_for_every_member(local: LocalService, sam: Visitor) -> None:
    """Also for those beyond the first ten: another list of as many people is another hash."""
    items = []
    for people in (TEAM[:11], [*TEAM[:10], TEAM[11]]):
        where = sam.choose("approve", _ask(local, subjects=tuple(people))).headers["location"]
        page = sam.get(where)
        assert "A list of people" in page.text
        with local.store.read() as tx:
            challenge = find_challenge(tx, where.rpartition("/")[2], session=sam.session.id)
        assert options_of(page)["challenge"]
        items.append(dict(challenge.items[0]))
        assert (items[-1]["members"], items[-1]["member_names"]) == (11, TEAM[:10])
    assert items[0]["members_sha256"] != items[1]["members_sha256"]
    assert {name for name in items[0] if items[0][name] != items[1][name]} == {"object", "members_sha256"}


def test_of_a_workload_the_page_says_who_asks(local: LocalService, sam: Visitor) -> None:
    """And of what somebody asks for themselves, nothing more than the name."""
    with local.store.write() as tx:
        ensure_subject(tx, "ci:acme/web", kind=WORKLOAD, now=local.now)
    page = sam.get(sam.choose("approve", _ask(local, workload="ci:acme/web")).headers["location"]).text
    assert "ci:acme/web" in page
    assert "Asked for by ada@acme.example" in page
    page = sam.get(sam.choose("approve", _ask(local)).headers["location"]).text
    assert "ada@acme.example" in page
    assert "Asked for by" not in page
