"""`audit erase`: whatever a person takes part in, the erasure goes through, and no word of theirs is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.service.access.office import Office

from gatekeeper.service.operate.erase import erase_subject
from gatekeeper.service.people.subjects import ensure_subject
from gatekeeper.service.store.tables.access import request_messages, requests, reviews

SECRET = "My mother is ill, so the job has to do it."


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office with a policy and people."""
    made = Office(tmp_path)
    yield made
    made.store.close()


def test_what_others_decide_stays(office: Office) -> None:
    """A team's request goes on without the person, an emergency keeps its review; the person's own are cancelled."""
    office.person("ada", "oncall")
    office.person("gus")
    team = office.ask("ben", subjects=("ada@acme.example", "gus@acme.example"))
    own = office.ask("ada")
    emergency, _ = office.emergency("ada", "seated")
    erase_subject(office.store, "ada@acme.example", now=office.now)
    assert [office.look(one).state for one in (team, own, emergency)] == ["pending", "cancelled", "pending"]
    assert [one.state for one in office.grants("ada")] == ["revoked"]
    granted = office.approve(team).grants
    assert [one.subject for one in granted] == [office.people["gus"].id]
    assert office.deny(emergency).state == "denied"


def test_words_about_a_workload_go_with_the_person(office: Office) -> None:
    """Reason, ticket, the reviews' reasons and every message of a request made for a workload."""
    with office.store.write() as tx:
        ensure_subject(tx, "ci:acme/web", kind="workload", now=office.now)
    request = office.ask("ada", workload="ci:acme/web", reason=SECRET, ticket="ADA-1")
    office.question(request, text="Is Ada's mother better?")
    office.reply(request, text="She is.")
    office.approve(request, reason="Ada's mother is ill.")
    erase_subject(office.store, "ada@acme.example", now=office.now)
    with office.store.read() as tx:
        assert tx.execute(select(requests.c.reason, requests.c.ticket)).all() == [("", "")]
        assert set(tx.execute(select(reviews.c.reason)).scalars()) == {""}
        assert tx.execute(select(request_messages.c.text)).scalars().all() == ["", ""]
