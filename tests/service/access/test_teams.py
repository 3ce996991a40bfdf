"""Requests for teams and workloads: members frozen, reviewed once, a grant each; nobody decides for themselves."""

from __future__ import annotations

import pytest
from sqlalchemy import update
from tests.service.access.office import Office
from tests.service.store.parts import NOW, code_of

from gatekeeper.service.access.grants import get_grant
from gatekeeper.service.people.subjects import ensure_subject
from gatekeeper.service.store.tables.people import subjects


@pytest.fixture
def team(office: Office) -> Office:
    """Give an office whose web team is managed by ben."""
    for name in ("gus", "hal", "ida"):
        office.person(name, "web", manager="ben@acme.example")
    return office


def test_a_group_is_frozen_and_reviewed_once(team: Office) -> None:
    """A grant for each who was in it when it was asked, each revocable by itself."""
    request = team.ask("ben", group="web")
    team.person("jan", "web")
    team.person("ida")
    reviewed = team.approve(request)
    assert reviewed.complete
    assert sorted(one.subject for one in reviewed.grants) == sorted(
        team.people[n].id for n in ("gus", "hal", "ida")
    )
    team.revoke(reviewed.grants[0])
    with team.store.read() as tx:
        states = [get_grant(tx, one.id, now=NOW).state for one in reviewed.grants]
    assert states == ["revoked", "active", "active"]


def test_a_list_of_people(team: Office) -> None:
    """By name, each once; somebody whom the service doesn't know is named."""
    request = team.ask("ada", subjects=("gus@acme.example", "HAL@acme.example", "gus@acme.example"))
    assert len(team.approve(request).grants) == 2
    assert code_of(lambda: team.ask("ada", subjects=("nobody@acme.example",))) == "GK410"
    assert code_of(lambda: team.ask("ada", group="nobody")) == "GK410"


def test_whoever_asks_has_nothing_of_it(team: Office) -> None:
    """Asking for a team is no request of one's own."""
    request = team.ask("ada", group="web")
    assert team.stand("ada", "probe").code == "GK301"
    assert team.stand("gus", "probe").code == "GK401"
    team.approve(request)
    assert team.stand("ada", "probe").code == "GK301"
    assert team.grants("ada") == []


def test_the_manager_who_asks_meets_the_manager_s_entry(team: Office) -> None:
    """By a step-up of their own; security is still needed, and the manager can't be both."""
    team.person("ben", "security")
    request = team.ask("ben", "managed", group="web")
    assert not team.approve(request, "ben").complete
    assert team.approve(request, "cleo").complete


def test_never_for_themselves(team: Office) -> None:
    """A manager who is in the list needs their own manager, whatever they approved for the others."""
    team.person("ben", "web", manager="eve@acme.example")
    request = team.ask("ben", "managed", group="web")
    team.approve(request, "ben")
    assert not team.approve(request, "cleo").complete
    assert team.approve(request, "eve").complete


def test_whoever_asks_for_a_team_reviews_by_no_group(team: Office) -> None:
    """Being of the security team helps nobody to approve what they asked for themselves."""
    request = team.ask("cleo", group="web")
    assert code_of(lambda: team.approve(request, "cleo")) == "GK405"
    assert team.inbox("cleo") == []
    assert team.approve(request, "dan").complete


def test_a_member_reviews_for_others_and_never_completes(team: Office) -> None:
    """For the member's own grant somebody else is needed."""
    team.person("gus", "web", "security", manager="ben@acme.example")
    request = team.ask("ben", group="web")
    assert not team.approve(request, "gus").complete
    assert team.approve(request, "cleo").complete
    assert code_of(lambda: team.approve(team.ask("ben", group="web"), "gus", method="operator")) == "GK405"


def test_a_deactivated_member_is_granted_nothing(team: Office) -> None:
    """Whoever left meanwhile."""
    request = team.ask("ben", group="web")
    with team.store.write() as tx:
        tx.execute(update(subjects).where(subjects.c.id == team.people["hal"].id).values(state="deactivated"))
    assert len(team.approve(request).grants) == 2
    alone = team.ask("gus")
    with team.store.write() as tx:
        tx.execute(update(subjects).where(subjects.c.id == team.people["gus"].id).values(state="deactivated"))
    assert code_of(lambda: team.approve(alone)) == "GK408"


def test_the_same_team_again_is_the_same_request(team: Office) -> None:
    """Another team, or the same people as a list, is told apart by its members."""
    request = team.ask("ben", group="web")
    assert team.ask("ben", group="web").id == request.id
    assert team.ask("ben", subjects=("gus@acme.example",)).id != request.id
    assert team.ask("ben").id != request.id


def test_for_a_workload(office: Office) -> None:
    """A person asks, another approves; the workload holds the grant."""
    with office.store.write() as tx:
        job = ensure_subject(tx, "ci:acme/web", kind="workload", now=NOW)
    office.person("ada", "security", manager="ben@acme.example")
    request = office.ask("ada", workload="ci:acme/web")
    assert (request.subject, request.requester) == (job.id, office.people["ada"].id)
    assert code_of(lambda: office.approve(request, "ada")) == "GK405"
    assert office.approve(request, "cleo").grants[0].subject == job.id
    assert code_of(lambda: office.ask("ada", workload="ci:acme/api")) == "GK410"
    assert code_of(lambda: office.ask("ada", workload="ben@acme.example")) == "GK410"
    assert code_of(lambda: office.ask("ada", workload="ci:acme/web", group="web")) == "GK410"


def test_a_request_for_others_is_not_cancelled_by_them(team: Office) -> None:
    """Only by whoever asked."""
    request = team.ask("ben", group="web")
    assert code_of(lambda: team.cancel(request, "gus")) == "GK409"
    assert team.cancel(request, "ben").state == "cancelled"
