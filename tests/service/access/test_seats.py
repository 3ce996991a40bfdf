"""Seats: never one too many, first come first served, and free again when nobody uses them."""

from __future__ import annotations

import multiprocessing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.service.access.office import CATALOGUE, FILES, Office
from tests.service.store.parts import at_once, code_of, url_of

from gatekeeper.service.access.grants import expire_grants, note_use, place_of, resume_grant
from gatekeeper.service.access.requests import approve_request
from gatekeeper.service.access.reviews import OPERATOR, STEP_UP
from gatekeeper.service.access.seats import seats_of
from gatekeeper.service.people.subjects import ensure_subject
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.service.store.transactions import open_store


@pytest.fixture
def full(office: Office) -> Office:
    """Give an office whose two seats are taken, and where two more wait."""
    for name in ("gus", "hal", "ida", "jan"):
        office.granted(name)
    return office


def _states(office: Office) -> list[str]:
    return [office.grants(name)[0].state for name in ("gus", "hal", "ida", "jan")]


def test_one_too_many_waits_and_is_told_the_place(full: Office) -> None:
    """First come, first served."""
    assert _states(full) == ["active", "active", "waitlisted", "waitlisted"]
    assert (full.seats().limit, full.seats().taken, full.seats().waiting) == (2, 2, 2)
    assert [full.stand(name, "seated").place.place for name in ("ida", "jan")] == [1, 2]
    assert full.messages().count("grant.waitlisted") == 2


def test_a_revocation_moves_the_next_one_up(full: Office) -> None:
    """At once, with the whole duration from then on."""
    full.days(3)
    full.revoke(full.grants("gus")[0])
    assert _states(full) == ["revoked", "active", "active", "waitlisted"]
    moved = full.grants("ida")[0]
    assert (moved.starts_at, moved.ends_at) == (full.now, full.now + 10 * 86_400)
    assert full.stand("jan", "seated").place.place == 1
    assert "grant.activated" in full.messages()


def test_an_ending_moves_them_up(full: Office) -> None:
    """When time ends the first two grants, both who wait are seated."""
    full.days(10)
    with full.store.write() as tx:
        assert expire_grants(tx, full.now) == 2
    assert _states(full) == ["expired", "expired", "active", "active"]


def test_nobody_passes_those_who_wait(full: Office) -> None:
    """A seat that fell free a moment ago is theirs, even if the worker hasn't come by."""
    full.days(10)
    late = full.granted("kim")
    assert late.state == "waitlisted"
    assert _states(full) == ["expired", "expired", "active", "active"]


def test_a_suspended_one_keeps_the_seat(full: Office) -> None:
    """And has it when it is resumed."""
    grant = full.suspend(full.grants("gus")[0])
    full.sweep()
    assert _states(full) == ["suspended", "active", "waitlisted", "waitlisted"]
    with full.store.write() as tx:
        resume_grant(tx, grant.id, by=full.people["cleo"], method=STEP_UP, reason="", now=full.now)
    assert full.seats().taken == 2


def test_a_renewal_inherits_the_seat(full: Office) -> None:
    """It is active at once, whoever waits; the person still counts once."""
    full.days(5)
    assert full.granted("gus").state == "active"
    assert full.seats().taken == 2


def test_a_place_lapses_after_thirty_days(full: Office) -> None:
    """And can be given up before."""
    request = full.grants("jan")[0].request
    full.cancel(request, "jan")
    assert _states(full)[3] == "ended"
    assert full.stand("jan", "seated").code == "GK301"
    for name in ("gus", "hal"):
        for _ in range(3):  # renewed, so that their seats stay taken
            full.granted(name, duration="90d")
    full.days(30)
    assert full.grants("ida")[0].state == "ended"
    full.sweep()
    assert ("grant.ended", full.grants("ida")[0].id) in full.acts()


def test_an_unused_seat_falls_free_after_a_notice(office: Office) -> None:
    """Three days before; using the tool keeps the seat."""
    lazy, busy = office.granted("gus", duration="60d"), office.granted("hal", duration="60d")
    office.granted("ida")
    office.days(18)
    with office.store.write() as tx:
        note_use(tx, busy, now=office.now)
    assert office.sweep() == 1
    assert "grant.unused" in office.messages()
    assert office.sweep() == 0
    office.days(2)
    assert office.sweep() == 0
    office.days(1)
    assert office.sweep() == 2
    assert (office.grants("gus")[0].state, office.grants("ida")[0].state) == ("expired", "active")
    assert office.grants("gus")[0].id == lazy.id
    assert office.grants("hal")[0].state == "active"


def test_a_use_after_the_notice_keeps_the_seat(office: Office) -> None:
    """The next notice comes as late as the first did."""
    office.granted("gus", duration="60d")
    office.days(18)
    office.sweep()
    with office.store.write() as tx:
        note_use(tx, office.grants("gus")[0], now=office.now)
    office.days(17)
    assert office.sweep() == 0
    assert office.grants("gus")[0].state == "active"


def test_a_service_that_slept_gives_the_notice_first(office: Office) -> None:
    """Nobody loses a seat without three days to use it."""
    office.granted("gus", duration="90d")
    office.days(40)
    assert office.sweep() == 1
    assert office.sweep() == 0
    office.days(3)
    assert office.sweep() == 1
    assert office.grants("gus")[0].state == "expired"


def test_more_seats_let_people_in(full: Office) -> None:
    """And no limit lets everybody in; fewer take nothing away."""
    full.apply(FILES.replace(catalogue=CATALOGUE.replace("seats = 2", "seats = 3")))
    assert full.sweep() == 1
    full.apply(FILES.replace(catalogue=CATALOGUE.replace("seats = 2", "seats = 1")))
    assert full.sweep() == 0
    assert _states(full) == ["active", "active", "active", "waitlisted"]
    full.revoke(full.grants("gus")[0])
    assert _states(full)[3] == "waitlisted"
    unlimited = CATALOGUE.replace("seats = 2\n", "").replace('unused_after = "21d"\n', "")
    full.apply(FILES.replace(catalogue=unlimited))
    assert full.sweep() == 1
    assert _states(full)[3] == "active"


def test_the_last_seat_is_taken_once(office: Office) -> None:
    """By threads that approve at once: never three of two."""
    asked = []
    for number in range(8):
        office.person(f"p{number}")
        asked.append(office.ask(f"p{number}", "seated"))
    outcomes = at_once(*(partial(office.approve, one, method=OPERATOR) for one in asked))
    states = sorted(one.grants[0].state for one in outcomes)  # type: ignore[union-attr]
    assert states == ["active"] * 2 + ["waitlisted"] * 6
    assert (office.seats().taken, office.seats().waiting) == (2, 6)


def _approve_and_revoke(url: str, ids: list[str], now: int, start: Any, answers: Any) -> None:
    store = open_store(url)
    start.wait()
    seen = 0
    for request in ids:
        with store.write() as tx:
            reviewer = ensure_subject(tx, "cleo@acme.example", now=now)
            policy = current_policy(tx, now=now)
            approve_request(
                tx,
                request,
                policy=policy,
                reviewer=reviewer,
                method=OPERATOR,
                duration="",
                zones=None,
                reason="",
                now=now,
            )
        with store.read() as tx:
            seen = max(seen, seats_of(tx, policy, "seated", now=now).taken)
    answers.put(seen)
    store.close()


def test_processes_never_seat_one_too_many(office: Office, tmp_path: Path) -> None:
    """Replicas approve at once on one database; none of them ever sees more than two seated."""
    asked = []
    for number in range(12):
        office.person(f"p{number}")
        asked.append(office.ask(f"p{number}", "seated").id)
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(3), context.Queue()
    processes = [
        context.Process(
            target=_approve_and_revoke,
            args=(url_of(tmp_path), asked[place::3], office.now, start, answers),
        )
        for place in range(3)
    ]
    for process in processes:
        process.start()
    seen = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    answers.close()
    answers.join_thread()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert max(seen) == 2
    assert (office.seats().taken, office.seats().waiting) == (2, 10)


def test_a_place_is_counted_by_the_queue(full: Office) -> None:
    """How many wait is said with it."""
    with full.store.read() as tx:
        place = place_of(tx, full.grants("jan")[0], now=full.now)
    assert (place.place, place.waiting) == (2, 2)


def test_an_emergency_waits_for_no_seat(full: Office) -> None:
    """It is refused where none is free, and leaves nothing behind."""
    full.person("kim", "oncall")
    assert code_of(lambda: full.emergency("kim", "seated")) == "GK402"
    assert full.grants("kim") == []
    full.person("gus", "oncall")
    assert full.emergency("gus", "seated")[1].state == "active"
